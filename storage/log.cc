#include "storage/log.h"

#include <fmt/format.h>

#include <algorithm>

#include "protocol/invariant.h"
#include "protocol/runtime/milliseconds.h"
#include "storage/log_store.h"

namespace tidemark::storage {

using protocol::BatchHeader;
using runtime::BufferSlice;
using runtime::Task;

Log::Log(LogStore& store, RecoveredLog recovered, LogSettings settings)
    : store_(store),
      state_(recovered.state),
      folder_name_(std::move(recovered.folder_name)),
      settings_(settings),
      segments_(std::move(recovered.segments)),
      end_(recovered.end),
      durable_(recovered.end),
      written_(recovered.end),
      indexes_(std::move(recovered.indexes)),
      epochs_(std::move(recovered.epochs)),
      producers_(std::move(recovered.producers)),
      waiters_(store.loop_),
      producers_kept_(recovered.producers_kept),
      unsynced_segments_(std::move(recovered.unsynced)),
      saved_(recovered.saved_indexes),
      offline_(std::move(recovered.damage)),
      changed_(store.loop_),
      alive_(std::make_shared<Log*>(this)) {
  INVARIANT(!segments_.empty(), "{} has no segment", folder_name_);
  INVARIANT(state_.log_start <= end_, "{}: start {} end {}", folder_name_, state_.log_start, end_);
  set_reserved(active().bytes);
  rolled_ = active().base;
  created_ = store.loop_.clock().wall();
  path_ = std::make_shared<const std::string>(segment_path(folder(), active().base, kLogSuffix));
  // What a killed process left to the page cache is there, and not yet on the disk.
  if (!state_.journaled) durable_ = std::clamp(state_.synced, state_.log_start, end_);
}

// It may outlive its store, and touches nothing of it.
Log::~Log() { *alive_ = nullptr; }

std::string Log::folder() const { return fmt::format("{}/{}", store_.options_.folder, folder_name_); }

uint64_t Log::size_bytes() const {
  uint64_t bytes = 0;
  for (const Segment& s : segments_) bytes += s.bytes;
  return bytes;
}

// --- the journal behind us
// -------------------------------------------------------------------------------------------

void Log::add_record(const JournalRecord& record, BufferSlice data, Continuation then, bool even_offline) {
  if (bypassing_) {
    held_.push_back(Held{record, std::move(data), std::move(then), even_offline});
    return;
  }
  if (offline_ && !even_offline) return then(false);
  journal(record, std::move(data), std::move(then), even_offline);
}

void Log::journal(const JournalRecord& record, BufferSlice data, Continuation then, bool even_offline) {
  recorded_.push_back(Recorded{std::move(then), even_offline});
  store_.journal_.add(record, std::move(data), shared_from_this(), 0);
}

void Log::journaled(uint64_t /*token*/, bool ok) {
  INVARIANT(!recorded_.empty(), "{}: the journal answered twice", folder_name_);
  Recorded recorded = std::move(recorded_.front());
  recorded_.pop_front();
  if (ok) {
    mark_dirty();
  } else {
    go_offline(Error::io(fmt::format("{}: its journal failed: {}", folder_name_, store_.journal_.failure()))
                   .mark_possibly_persisted());
  }
  recorded.then(ok && (!offline_ || recorded.even_offline));
  if (recorded_.empty()) changed_.notify_all();
}

void Log::mark_dirty() {
  if (dirty_) return;
  dirty_ = true;
  store_.dirty_.push_back(shared_from_this());
}

void Log::touched(Offset segment_base) {
  mark_dirty();
  if (segment_base >= active().base) return;
  if (std::find(unsynced_segments_.begin(), unsynced_segments_.end(), segment_base) ==
      unsynced_segments_.end())
    unsynced_segments_.push_back(segment_base);
}

void Log::go_offline(Error error) {
  if (offline_) return;
  offline_ = std::move(error);
  release_tail(Offset(INT64_MIN));
  waiters_.fail_all();
  changed_.notify_all();
  end_bypass();
  if (store_.on_log_offline) store_.on_log_offline(*this, *offline_);
  if (on_progress) on_progress();
}

Unexpected Log::unreadable(Error error) {
  if (error.kind() == ErrorKind::corruption && !std::exchange(damaged_, true))
    store_.tasks_.spawn(give_up(error));
  return fail(std::move(error));
}

// What was appended comes into the files first: the journal frees it as if nothing had happened.
Task<void> Log::give_up(Error damage) {
  const auto self = shared_from_this();
  while (fenced_ && !offline_) {
    auto look_again = changed_.wait();
    co_await look_again;
  }
  if (offline_) co_return;
  fenced_ = true;
  auto quiescing = quiesce();
  const auto quiet = co_await quiescing;
  if (quiet) {
    at_rest_ = true;
    go_offline(std::move(damage));
  }
  unfence();
}

void Log::unfence() {
  fenced_ = erasing_;
  changed_.notify_all();
}

void Log::progressed() {
  waiters_.advance(counted());
  if (on_progress) on_progress();
}

// --- append
// ----------------------------------------------------------------------------------------------------------

std::shared_ptr<const LeaderEpochCache> Log::shared_epochs() {
  if (!shared_epochs_) shared_epochs_ = std::make_shared<const LeaderEpochCache>(epochs_);
  return shared_epochs_;
}

void Log::set_reserved(uint64_t bytes) {
  reserved_ = bytes;
  store_.reserved_ahead_ -= ahead_;
  ahead_ = bytes - std::min(bytes, active().bytes);
  store_.reserved_ahead_ += ahead_;
}

bool Log::has_room(size_t bytes) const {
  if (offline_ || fenced_) return false;
  if (store_.unwritten_bytes_ >= store_.options_.max_unwritten_bytes) return false;
  if (active().bytes > 0 && active().bytes + bytes > settings_.segment_bytes) return false;
  return active().bytes + bytes <= reserved_;
}

Task<Result<void>> Log::make_room(size_t bytes, int64_t max_timestamp) {
  while (true) {
    if (offline_) co_return fail(*offline_);
    if (store_.closing_) co_return fail(store_.closing(folder_name_));
    if (fenced_ || reserving_) {
      auto look_again = changed_.wait();
      co_await look_again;
      continue;
    }
    if (store_.unwritten_bytes_ >= store_.options_.max_unwritten_bytes) {
      auto look_again = store_.room_.wait();
      co_await look_again;
      continue;
    }
    if (must_roll(bytes, max_timestamp)) roll(end_);
    const uint64_t end = active().bytes + bytes;
    if (end + headroom() <= reserved_) co_return Result<void>();
    const Offset base = active().base;
    auto reserving = reserve(end);
    const auto reserved = co_await reserving;
    if (offline_) co_return fail(*offline_);
    if (reserved || active().base != base) continue;
    if (end > reserved_) co_return fail(reserved.error());
    if (has_room(bytes)) co_return Result<void>();  // out of the headroom
  }
}

uint64_t Log::headroom() const { return settings_.keeps_headroom ? store_.options_.headroom_bytes : 0; }

Task<Result<void>> Log::keep_headroom() {
  if (headroom() == 0 || offline_ || store_.closing_ || fenced_ || reserving_) co_return Result<void>();
  if (active().bytes + headroom() <= reserved_) co_return Result<void>();
  auto reserving = reserve(active().bytes);
  co_return co_await reserving;
}

// Rule 9: disk space up to `end` and for the headroom, so that a full disk refuses here and never behind an
// answer. REQUIRES: not reserving_.
Task<Result<void>> Log::reserve(uint64_t end) {
  REQUIRES(!reserving_);
  reserving_ = true;
  const auto& options = store_.options_;
  constexpr auto kFast = std::chrono::seconds(10);
  const runtime::MonoTime now = store_.loop_.mono();
  reserve_step_ = now - std::exchange(reserved_at_, now) < kFast ? reserve_step_ * 2 : reserve_step_ / 2;
  reserve_step_ = std::clamp(reserve_step_, options.min_reserve_bytes, options.max_reserve_bytes);
  const uint64_t from = std::max(reserved_, active().bytes);
  const uint64_t bare = std::max(end, from) - from;
  const uint64_t need = bare + headroom();
  const uint64_t in_segment = settings_.segment_bytes > from ? settings_.segment_bytes - from : 0;
  const uint64_t want = std::max(need, std::min(reserve_step_, in_segment));
  const uint64_t ahead = store_.reserved_ahead_;
  const Offset base = active().base;
  runtime::OneShot<bool> reserved(store_.loop_);
  auto outcome = std::make_shared<Result<uint64_t>>(uint64_t{0});
  auto work = [cache = &store_.cache_, files = &store_.files_, data_folder = options.folder, path = path_,
               stores = options.stores, from, bare, need, want, ahead, outcome]() -> Result<void> {
    const auto reserve = [&]() -> Result<uint64_t> {
      TRY_ASSIGN(const auto file, cache->get(*path, true));
      uint64_t length = want;
      if (want > need) {
        TRY_ASSIGN(const DiskSpace space, files->space(data_folder));
        const uint64_t most = (space.available + ahead) / 20 / stores;
        length = std::max(need, std::min(want, most - std::min(most, ahead)));
      }
      auto taken = file->reserve(from, length);
      if (!taken && bare > 0 && bare < length) {
        length = bare;
        taken = file->reserve(from, length);
      }
      if (!taken) return fail(taken.error());
      return length;
    };
    *outcome = reserve();
    return {};  // a full disk refuses this append; it does not take the log offline
  };
  auto resolver = reserved.resolver();
  // It may have made the file, before the roll's own effect, which comes behind the journal.
  auto done = [this, resolver, first = from == 0](bool ok) mutable {
    folder_changed_ |= first;
    resolver.set(ok);
  };
  store_.add_effect(*this, std::move(work), std::move(done));
  auto awaiter = reserved.wait();
  co_await awaiter;
  reserving_ = false;
  changed_.notify_all();
  if (!*outcome) {
    reserve_step_ = 0;
    co_return fail(outcome->error());
  }
  if (!offline_ && active().base == base) set_reserved(std::max(reserved_, from + **outcome));
  co_return Result<void>();
}

Offset Log::append(BufferSlice batch, const BatchHeader& unplaced, LeaderEpoch epoch) {
  REQUIRES(has_room(batch.size()));
  INVARIANT(epoch >= latest_epoch(), "{}: epoch {} after {}", folder_name_, epoch, latest_epoch());
  BatchHeader header = unplaced;
  header.base_offset = end_;
  header.leader_epoch = epoch;
  protocol::set_base_offset(batch.bytes, header.base_offset);
  protocol::set_leader_epoch(batch.bytes, epoch);

  Segment& segment = active();
  const uint64_t position = segment.bytes;
  indexes_.append(header, position);
  segment.max_timestamp = indexes_.max_timestamp().timestamp_ms;
  if (segment.first_timestamp < 0) segment.first_timestamp = header.max_timestamp;
  segment.bytes += batch.size();
  ahead_ -= batch.size();
  store_.reserved_ahead_ -= batch.size();
  segment.last_append = store_.loop_.clock().wall();
  if (epochs_.assign(epoch, header.base_offset)) shared_epochs_.reset();
  producers_.apply(header, segment.last_append);
  end_ = header.next_offset();
  HeldBuffer& held = store_.cached(batch);
  tail_.push_back(TailEntry{header.base_offset, header.last_offset(), segment.base, position, batch, &held});

  const Offset base = header.base_offset;
  if (settings_.write_caching) {
    store_.add_write(*this, path_, position, std::move(batch), base, LogStore::Pace::at_once);
    appended_unsynced(base);
    return base;
  }
  JournalRecord record;
  record.type = JournalRecordType::append;
  record.log = id();
  record.segment_base = segment.base;
  record.position = position;
  record.base_offset = base;
  record.last_offset = header.last_offset();
  record.epoch = epoch;
  record.data_bytes = static_cast<uint32_t>(batch.size());
  if (batch.size() < store_.options_.bypass_bytes &&
      encoded_record_bytes(record) <= store_.journal_.max_record_bytes()) {
    auto then = [this, path = path_, position, batch, base](bool ok) mutable {
      if (!ok) return;
      append_durable(base);
      store_.add_write(*this, std::move(path), position, std::move(batch), base, LogStore::Pace::lingers);
    };
    add_record(record, std::move(batch), std::move(then));
    return base;
  }
  bypass(record, path_, std::move(batch));
  return base;
}

// Rule 4: the segment is synced, then the bypass record, then the answer. The record before it tells recovery
// that a torn tail here is no damage.
void Log::bypass(JournalRecord record, std::shared_ptr<const std::string> path, BufferSlice batch) {
  record.type = JournalRecordType::bypass;
  auto finish = [this, base = record.base_offset](bool ok) {
    if (!ok) return;
    append_durable(base);
    written(base);
  };
  auto write = [this, record, path, batch, finish](bool ok) {
    if (!ok) return;
    const bool sync_folder = entry_synced_ < record.segment_base;
    auto work = [cache = &store_.cache_, files = &store_.files_, path, position = record.position, batch,
                 sync_folder, state = state_, folder = folder(),
                 data_folder = store_.options_.folder]() -> Result<void> {
      TRY_ASSIGN(auto file, cache->get(*path, true));
      TRY(file->write(position, std::span<const std::byte>(batch.bytes)));
      TRY(file->sync_data());
      if (!sync_folder) return {};
      TRY(write_partition_state(*files, folder, state, true));
      TRY(files->sync_dir(folder));
      return files->sync_dir(data_folder);
    };
    auto done = [this, record, finish](bool synced) {
      if (!synced || offline_) return;
      touched(record.segment_base);
      store_.bypassed(record.data_bytes);
      entry_synced_ = std::max(entry_synced_, record.segment_base);
      journal(record, {}, finish);
      end_bypass();
    };
    store_.add_effect(*this, std::move(work), std::move(done));
  };
  JournalRecord begin = record;
  begin.type = JournalRecordType::begin_bypass;
  add_record(begin, {}, std::move(write));
  if (!offline_ && held_.empty()) bypassing_ = true;
}

// What waited follows, up to the next bypass.
void Log::end_bypass() {
  bypassing_ = false;
  std::deque<Held> waiting = std::exchange(held_, {});
  while (!waiting.empty()) {
    Held next = std::move(waiting.front());
    waiting.pop_front();
    const bool begins = next.record.type == JournalRecordType::begin_bypass;
    add_record(next.record, std::move(next.data), std::move(next.then), next.even_offline);
    if (!begins || offline_) continue;
    bypassing_ = true;
    held_ = std::move(waiting);
    return;
  }
}

Log::TailEntry* Log::tail_entry(Offset offset) {
  auto it =
      std::partition_point(tail_.begin(), tail_.end(), [&](const TailEntry& e) { return e.last < offset; });
  return it == tail_.end() || it->base > offset ? nullptr : &*it;
}

void Log::append_durable(Offset base) {
  TailEntry* entry = tail_entry(base);
  INVARIANT(entry != nullptr && entry->base == base, "{}: no entry at {}", folder_name_, base);
  INVARIANT(durable_ == base, "{}: {} became durable after {}", folder_name_, base, durable_);
  entry->durable = true;
  durable_ = entry->last + 1;
  if (!settings_.write_caching) progressed();
}

void Log::written(Offset base) {
  TailEntry* entry = tail_entry(base);
  if (entry == nullptr || entry->base != base || entry->written) return;  // truncated meanwhile
  entry->written = true;
  written_ = entry->last + 1;
  touched(entry->segment_base);
  store_.wrote(*entry->held);
  changed_.notify_all();
  store_.evictable(*this, base);
  if (settings_.write_caching) progressed();
}

// From the end down to the append that holds `from`.
void Log::release_tail(Offset from) {
  size_t evictable = 0;
  while (!tail_.empty() && tail_.back().last >= from) {
    const TailEntry& entry = tail_.back();
    if (entry.written) {
      ++evictable;
    } else {
      store_.wrote(*entry.held);
    }
    store_.uncached(*entry.held);
    tail_.pop_back();
  }
  store_.forget_evictable(evictable);
}

// --- write.caching
// -----------------------------------------------------------------------------------------------------------

// flush.messages and flush.ms, as Kafka has them: counted from what was synced last.
void Log::appended_unsynced(Offset base) {
  if (end_ - durable_ >= settings_.flush_messages) {
    if (!flush_from_) flush_from_ = base;
    flush();
  } else if (settings_.flush_ms != INT64_MAX && !flush_timer_) {
    flush_timer_ = store_.loop_.after(runtime::saturating_ms(settings_.flush_ms), [alive = alive_] {
      if (*alive == nullptr) return;
      (*alive)->flush_timer_ = {};
      (*alive)->flush();
    });
  }
}

void Log::flush() {
  if (flushing_ || offline_ || !settings_.write_caching || durable_ == end_) return;
  flushing_ = true;
  store_.tasks_.spawn(store_.flush(shared_from_this()));
}

void Log::flushed(Offset end) {
  flushing_ = false;
  if (offline_) return;
  durable_ = std::max(durable_, std::min(end, end_));
  if (flush_from_ && end_ - durable_ >= settings_.flush_messages) {
    flush_from_ = std::max(*flush_from_, durable_);
    flush();
  } else {
    flush_from_.reset();
  }
  progressed();
}

Task<Result<void>> Log::change_settings(LogSettings settings) {
  wants_caching_ = settings.write_caching;
  settings.write_caching = settings_.write_caching;
  settings_ = settings;
  indexes_.set_interval(static_cast<uint32_t>(settings_.index_interval_bytes));
  if (flush_from_ && end_ - durable_ < settings_.flush_messages) flush_from_.reset();
  progressed();
  auto switching = switch_as_wanted();
  auto switched = co_await switching;
  co_return switched;
}

Task<Result<void>> Log::switch_as_wanted() {
  // Whoever comes while a switch is under way leaves to it what is wanted by then.
  while (settings_.write_caching != wants_caching_) {
    if (offline_) co_return fail(*offline_);
    if (fenced_) {
      auto look_again = changed_.wait();
      co_await look_again;
      continue;
    }
    if (store_.closing_) co_return fail(store_.closing(folder_name_));
    fenced_ = true;
    auto switching = switch_caching(wants_caching_);
    auto switched = co_await switching;
    unfence();
    if (switched) continue;
    if (switched.error().kind() == ErrorKind::no_space) store_.switch_later(shared_from_this());
    co_return switched;
  }
  progressed();
  co_return Result<void>();
}

// The journal and the page cache are two histories: one ends, synced and with no record left to replay,
// before the other begins. no_space: it goes on.
Task<Result<void>> Log::switch_caching(bool write_caching) {
  auto quiescing = quiesce();
  auto quiet = co_await quiescing;
  if (!quiet) co_return quiet;
  mark_dirty();
  auto settling = store_.settle();
  auto settled = co_await settling;
  if (!settled) co_return settled;
  // No checkpoint may state the old one behind the new one.
  while (store_.checkpointing_) {
    auto look_again = store_.effects_changed_.wait();
    co_await look_again;
  }
  if (offline_) co_return fail(*offline_);
  if (store_.closing_) co_return fail(store_.closing(folder_name_));
  store_.checkpointing_ = true;
  PartitionState state = state_;
  state.journaled = !write_caching;
  state.synced = end_;
  auto stating = write_state(state);
  auto stated = co_await stating;
  if (stated) {
    state_.journaled = state.journaled;
    state_.synced = durable_ = end_;
    flush_from_.reset();
    settings_.write_caching = write_caching;
  }
  store_.checkpointing_ = false;
  store_.effects_changed_.notify_all();
  co_return stated;
}

// Synced. no_space: what the folder said before still holds.
Task<Result<void>> Log::write_state(PartitionState state) {
  auto outcome = std::make_shared<Result<void>>();
  auto work = [files = &store_.files_, folder = folder(), state = std::move(state),
               outcome]() -> Result<void> {
    *outcome = write_partition_state(*files, folder, state, false);
    if (!*outcome && outcome->error().kind() == ErrorKind::no_space) return {};
    TRY(*outcome);
    // Rule 13: whatever this sync says of its failure, what the folder says is not known any more.
    TRY_ASSIGN(const auto file, files->open(partition_state_path(folder), OpenMode::read_write));
    return file->sync_data();
  };
  runtime::OneShot<bool> written(store_.loop_);
  auto resolver = written.resolver();
  store_.add_effect(*this, std::move(work), [resolver](bool ok) mutable { resolver.set(ok); });
  auto awaiter = written.wait();
  co_await awaiter;
  if (offline_) co_return fail(*offline_);
  co_return *outcome;
}

Task<bool> Log::wait_counted(Offset offset) {
  if (offline_) co_return false;
  if (counted() >= offset) co_return true;
  auto waiting = waiters_.wait(offset);
  const bool reached = co_await waiting;
  co_return reached;
}

}  // namespace tidemark::storage
