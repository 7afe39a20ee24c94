#include "storage/log.h"

#include <fmt/format.h>

#include <algorithm>

#include "protocol/invariant.h"
#include "storage/log_reader.h"
#include "storage/log_store.h"
#include "storage/retention.h"

namespace tidemark::storage {

using protocol::BatchHeader;
using runtime::BufferSlice;
using runtime::Task;

namespace {

// More than any batch holds: an append whose last offset might not fit a segment's 31 bits goes into a new
// one.
constexpr int64_t kMaxRecordsPerAppend = 1 << 27;

}  // namespace

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
      offline_(std::move(recovered.damage)),
      changed_(store.loop_),
      alive_(std::make_shared<Log*>(this)) {
  INVARIANT(!segments_.empty(), "{} has no segment", folder_name_);
  INVARIANT(state_.log_start <= end_, "{}: start {} end {}", folder_name_, state_.log_start, end_);
  reserved_ = active().bytes;
  unsynced_indexes_ = std::move(recovered.rebuilt_indexes);
  created_ = store.loop_.clock().wall();
}

Log::~Log() { *alive_ = nullptr; }

std::string Log::folder() const { return fmt::format("{}/{}", store_.options_.folder, folder_name_); }

uint64_t Log::size_bytes() const {
  uint64_t bytes = 0;
  for (const Segment& s : segments_) bytes += s.bytes;
  return bytes;
}

// --- the journal behind us
// -------------------------------------------------------------------------------------------

void Log::add_record(const JournalRecord& record, BufferSlice data, Continuation then) {
  recorded_.push_back(std::move(then));
  store_.journal_.add(record, std::move(data), this, 0);
  mark_dirty();
}

void Log::journaled(uint64_t /*token*/, bool ok) {
  INVARIANT(!recorded_.empty(), "{}: the journal answered twice", folder_name_);
  Continuation then = std::move(recorded_.front());
  recorded_.pop_front();
  // Again: a checkpoint since add() did not cover this record, and the next one will.
  if (ok) mark_dirty();
  if (!ok)
    go_offline(Error::io(fmt::format("{}: its journal failed: {}", folder_name_, store_.journal_.failure())));
  then(ok && !offline_);
  if (recorded_.empty()) changed_.notify_all();
}

void Log::mark_dirty() {
  if (dirty_) return;
  dirty_ = true;
  store_.dirty_.push_back(store_.shared(*this));
}

void Log::go_offline(Error error) {
  if (offline_) return;
  offline_ = std::move(error);
  waiters_.fail_all();
  changed_.notify_all();
  if (store_.on_log_offline) store_.on_log_offline(*this, *offline_);
  if (on_progress) on_progress();
}

void Log::progressed() {
  waiters_.advance(counted());
  if (on_progress) on_progress();
}

// --- append
// ----------------------------------------------------------------------------------------------------------

bool Log::has_room(size_t bytes) const {
  if (offline_ || fenced_) return false;
  if (store_.unwritten_bytes_ >= store_.options_.max_unwritten_bytes) return false;
  if (active().bytes > 0 && active().bytes + bytes > settings_.segment_bytes) return false;
  return active().bytes + bytes <= reserved_;
}

Task<Result<void>> Log::make_room(size_t bytes, int64_t max_timestamp) {
  while (true) {
    if (offline_) co_return fail(*offline_);
    if (fenced_ || store_.unwritten_bytes_ >= store_.options_.max_unwritten_bytes || reserving_) {
      auto look_again = changed_.wait();
      co_await look_again;
      continue;
    }
    if (must_roll(bytes, max_timestamp)) roll(end_);
    if (active().bytes + bytes <= reserved_) co_return Result<void>();
    // Rule 9: disk space first, so that a full disk refuses here and never behind an answer.
    reserving_ = true;
    const auto& options = store_.options_;
    reserve_step_ = std::clamp(reserve_step_ * 2, options.min_reserve_bytes, options.max_reserve_bytes);
    const uint64_t from = std::max(reserved_, active().bytes);
    const uint64_t want = std::max<uint64_t>(reserve_step_, active().bytes + bytes - from);
    const uint64_t length =
        std::max(std::min(want, settings_.segment_bytes > from ? settings_.segment_bytes - from : 0),
                 active().bytes + bytes - from);
    const Offset base = active().base;
    const std::string path = segment_path(folder(), base, kLogSuffix);
    runtime::OneShot<bool> reserved(store_.loop_);
    auto outcome = std::make_shared<Result<void>>();
    auto work = [cache = &store_.cache_, path, from, length, outcome]() -> Result<void> {
      auto file = cache->get(path, true);
      *outcome = file ? (*file)->reserve(from, length) : Result<void>(fail(file.error()));
      return {};  // a full disk refuses this append; it does not take the log offline
    };
    auto resolver = reserved.resolver();
    auto done = [resolver](bool ok) mutable { resolver.set(ok); };
    store_.add_effect(*this, std::move(work), std::move(done));
    auto awaiter = reserved.wait();
    const bool answered = co_await awaiter;
    reserving_ = false;
    changed_.notify_all();
    if (!answered) co_return fail(*offline_);
    if (!*outcome) {
      reserve_step_ = 0;
      co_return fail(outcome->error());
    }
    if (active().base == base) reserved_ = from + length;
  }
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
  segment.last_append = store_.loop_.clock().wall();
  epochs_.assign(epoch, header.base_offset);
  producers_.apply(header, segment.last_append);
  end_ = header.next_offset();
  tail_.push_back(
      TailEntry{header.base_offset, header.last_offset(), segment.base, position, batch, false, false});
  store_.unwritten_bytes_ += batch.size();
  store_.cached(*this, header.base_offset, batch.size());

  const Offset base = header.base_offset;
  const auto path = std::make_shared<const std::string>(segment_path(folder(), segment.base, kLogSuffix));
  if (settings_.write_caching) {
    mark_dirty();
    store_.add_write(*this, path, position, std::move(batch), base);
    store_.loop_.post([alive = alive_] {
      if (*alive) (*alive)->progressed();
    });
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
    auto then = [this, path, position, batch, base](bool ok) {
      if (!ok) return;
      append_durable(base);
      store_.add_write(*this, path, position, batch, base);
    };
    add_record(record, batch, std::move(then));
    return base;
  }
  bypass(record, path, std::move(batch));
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
    const bool sync_folder = std::exchange(folder_changed_, false);
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
      if (synced) add_record(record, {}, finish);
    };
    store_.add_effect(*this, std::move(work), std::move(done));
  };
  JournalRecord begin = record;
  begin.type = JournalRecordType::begin_bypass;
  add_record(begin, {}, std::move(write));
}

Log::TailEntry* Log::tail_entry(Offset offset) {
  auto it =
      std::partition_point(tail_.begin(), tail_.end(), [&](const TailEntry& e) { return e.last < offset; });
  return it == tail_.end() || it->base > offset ? nullptr : &*it;
}

void Log::append_durable(Offset base) {
  TailEntry* entry = tail_entry(base);
  INVARIANT(entry != nullptr && entry->base == base, "{}: no entry at {}", folder_name_, base);
  entry->durable = true;
  // A bypassing append may be durable before its predecessors: the durable offset is a contiguous prefix.
  bool moved = false;
  for (TailEntry* next = tail_entry(durable_); next != nullptr && next->durable;
       next = tail_entry(durable_)) {
    durable_ = next->last + 1;
    moved = true;
  }
  if (moved && !settings_.write_caching) progressed();
}

void Log::written(Offset base) {
  TailEntry* entry = tail_entry(base);
  if (entry == nullptr || entry->base != base || entry->written) return;  // truncated meanwhile
  entry->written = true;
  entry->batch.owner->release_charge();  // from here on the tail cache's own bound pays for it
  unsynced_segments_.insert(entry->segment_base);
  store_.unwritten_bytes_ -= entry->batch.size();
  for (TailEntry* next = tail_entry(written_); next != nullptr && next->written; next = tail_entry(written_))
    written_ = next->last + 1;
  changed_.notify_all();
  store_.evict();
}

// --- segments
// --------------------------------------------------------------------------------------------------------

void Log::roll(Offset base) {
  INVARIANT(base == end_ && base > active().base, "{}: roll at {} of {}", folder_name_, base, active().base);
  Segment& sealed = active();
  indexes_.seal();
  save_indexes(true);
  indexes_ = SegmentIndexes(base, static_cast<uint32_t>(settings_.index_interval_bytes));
  const Offset sealed_base = sealed.base;
  const uint64_t sealed_bytes = sealed.bytes;
  reserved_ = 0;
  segments_.push_back(Segment{base, 0, -1, -1, store_.loop_.clock().wall()});
  created_ = active().last_append;
  if (store_.options_.planted == Planted::producer_state_lost) producers_.clear(base);

  JournalRecord record;
  record.type = JournalRecordType::roll;
  record.log = id();
  record.segment_base = base;
  auto work = [cache = &store_.cache_, folder = folder(), base, sealed_base, sealed_bytes]() -> Result<void> {
    TRY_ASSIGN(auto file, cache->get(segment_path(folder, base, kLogSuffix), true));
    TRY_ASSIGN(auto sealed_file, cache->get(segment_path(folder, sealed_base, kLogSuffix), true));
    TRY_ASSIGN(const uint64_t size, sealed_file->size());
    if (size != sealed_bytes)
      return fail(Error::corruption(
          fmt::format("{}: segment {} has {} bytes instead of {}", folder, sealed_base, size, sealed_bytes)));
    TRY(sealed_file->truncate(size));  // gives back the space reserved beyond
    return {};
  };
  auto shared_work = std::make_shared<LogStore::Work>(std::move(work));
  auto then = [this, shared_work](bool ok) {
    if (!ok) return;
    // Only now: a checkpoint that does not cover this record must not take the change for synced.
    folder_changed_ = true;
    store_.add_effect(*this, std::move(*shared_work), [](bool) {});
  };
  add_record(record, {}, std::move(then));
}

// The index files follow in the write lane, behind the batches that their entries name. Nothing depends on
// them: a file that cannot be written (a full disk) or that misses what should be in it is left empty, which
// only makes searches longer.
void Log::save_indexes(bool sealing) {
  auto work = [cache = &store_.cache_, folder = folder(), base = active().base,
               offsets = indexes_.offsets().unwritten_bytes(),
               offsets_at = indexes_.offsets().written() * OffsetPosition::kBytes,
               times = indexes_.times().unwritten_bytes(),
               times_at = indexes_.times().written() * TimestampOffset::kBytes]() -> Result<void> {
    const auto save = [&](std::string_view suffix, uint64_t at, const std::vector<std::byte>& bytes) {
      auto file = cache->get(segment_path(folder, base, suffix), true);
      if (!file) return;
      const auto size = (*file)->size();
      const bool saved = size && *size >= at && (*size == at || (*file)->truncate(at)) &&
                         (*file)->write(at, std::span<const std::byte>(bytes));
      if (!saved) (void)(*file)->truncate(0);
    };
    save(kOffsetIndexSuffix, offsets_at, offsets);
    save(kTimeIndexSuffix, times_at, times);
    return {};
  };
  indexes_.offsets().mark_written(indexes_.offsets().size());
  indexes_.times().mark_written(indexes_.times().size());
  if (sealing) ++sealing_;
  auto done = [this, base = active().base, sealing](bool) {
    unsynced_indexes_.insert(base);
    if (sealing) --sealing_;
  };
  store_.add_effect(*this, std::move(work), std::move(done));
}

bool Log::must_roll(uint64_t bytes, int64_t max_timestamp) const {
  const Segment& s = active();
  const ActiveSegment segment{s.base, s.bytes, indexes_.full(settings_.segment_index_bytes),
                              s.first_timestamp >= 0 ? std::optional(s.first_timestamp) : std::nullopt,
                              created_};
  return s.bytes > 0 && decide_roll(segment, {bytes, end_ + kMaxRecordsPerAppend, max_timestamp},
                                    {settings_.segment_bytes, settings_.segment_ms, roll_jitter_ms_},
                                    store_.loop_.clock().wall()) != RollReason::none;
}

void Log::roll_if_old() {
  if (!offline_ && !fenced_ && must_roll(0, unix_ms(store_.loop_.clock().wall()))) roll(end_);
}

size_t Log::segment_index(Offset offset) const {
  auto it = std::upper_bound(segments_.begin(), segments_.end(), offset,
                             [](Offset o, const Segment& s) { return o < s.base; });
  if (it == segments_.begin()) return 0;
  size_t index = static_cast<size_t>(it - segments_.begin()) - 1;
  if (store_.options_.planted == Planted::segment_boundary && index > 0 && segments_[index].base == offset)
    --index;
  return index;
}

void Log::drop_segments(std::vector<Segment> dropped) {
  if (dropped.empty()) return;
  folder_changed_ = true;
  mark_dirty();
  std::vector<std::string> renamed;
  for (const Segment& s : dropped) {
    unsynced_segments_.erase(s.base);
    unsynced_indexes_.erase(s.base);
    renamed.push_back(segment_path(folder(), s.base, ""));
  }
  auto work = [cache = &store_.cache_, files = &store_.files_, renamed]() -> Result<void> {
    for (const std::string& stem : renamed) {
      for (const std::string_view suffix : {kLogSuffix, kOffsetIndexSuffix, kTimeIndexSuffix}) {
        const std::string path = stem + std::string(suffix);
        cache->forget(path);
        TRY_ASSIGN(const bool exists, files->exists(path));
        if (exists) TRY(files->rename(path, path + ".deleted"));
      }
    }
    return {};
  };
  auto done = [this, renamed](bool ok) {
    if (!ok) return;
    for (const std::string& stem : renamed)
      for (const std::string_view suffix : {kLogSuffix, kOffsetIndexSuffix, kTimeIndexSuffix})
        store_.tasks_.spawn(
            store_.remove_later(stem + std::string(suffix) + ".deleted", settings_.file_delete_delay_ms));
  };
  store_.add_effect(*this, std::move(work), std::move(done));
}

Task<Result<void>> Log::trim(Offset offset) {
  // A truncation reads the segments that a trim would drop.
  while (fenced_ && !offline_) {
    auto look_again = changed_.wait();
    co_await look_again;
  }
  if (offline_) co_return fail(*offline_);
  if (offset < start() || offset > counted())
    co_return fail(ErrorCode::OFFSET_OUT_OF_RANGE,
                   fmt::format("{} is outside of {} to {}", offset, start(), counted()));
  if (offset == start()) co_return Result<void>();
  // Everything is gone: the log goes on in a segment that begins at its end.
  if (offset == end_ && active().bytes > 0) roll(end_);
  runtime::OneShot<bool> moved(store_.loop_);
  auto resolver = moved.resolver();
  auto then = [this, offset, resolver](bool ok) mutable {
    if (ok && offset > state_.log_start) {
      state_.log_start = offset;
      state_changed_ = true;
      epochs_.truncate_from_start(offset);
      std::vector<Segment> dropped;
      while (segments_.size() > 1 && segments_[1].base <= offset) {
        dropped.push_back(segments_.front());
        segments_.erase(segments_.begin());
      }
      drop_segments(std::move(dropped));
      progressed();
    }
    resolver.set(ok);
  };
  JournalRecord record;
  record.type = JournalRecordType::log_start;
  record.log = id();
  record.base_offset = offset;
  add_record(record, {}, std::move(then));
  auto awaiter = moved.wait();
  const bool ok = co_await awaiter;
  if (!ok) co_return fail(*offline_);
  co_return Result<void>();
}

// Waits until nothing of this log is on its way to the journal or a file. REQUIRES: fenced_.
Task<Result<void>> Log::quiesce() {
  while (!offline_ && (!recorded_.empty() || written_ < end_ || reserving_)) {
    auto look_again = changed_.wait();
    co_await look_again;
  }
  if (offline_) co_return fail(*offline_);
  co_return Result<void>();
}

Task<Result<void>> Log::truncate(Offset offset) {
  if (offset >= end_) co_return Result<void>();
  while (fenced_) {
    auto look_again = changed_.wait();
    co_await look_again;
  }
  fenced_ = true;
  auto quiet = co_await quiesce();
  if (!quiet) co_return fail(quiet.error());
  if (offset < start()) offset = start();
  // Where the cut falls: the batch that holds `offset` goes whole.
  size_t segment = segment_index(offset);
  uint64_t position = 0;
  Offset new_end = segments_[segment].base;
  if (offset > segments_[segment].base) {
    auto located = co_await locate_in_file(segment, offset, end_, 1, true);
    if (!located) {
      fenced_ = false;
      changed_.notify_all();
      co_return fail(located.error());
    }
    position = located->position;
    new_end = offset;
    if (located->bytes > 0) {
      auto head = co_await read(*located, 0, protocol::kBatchHeaderBytes);
      if (!head) {
        fenced_ = false;
        changed_.notify_all();
        co_return fail(head.error());
      }
      auto header = protocol::parse_batch_header(head->bytes);
      if (header) new_end = header->base_offset;
    }
  }
  // State first, then the record, then the files.
  for (TailEntry& entry : tail_) {
    if (entry.last >= new_end) store_.tail_bytes_ -= entry.batch.size();
  }
  while (!tail_.empty() && tail_.back().last >= new_end) tail_.pop_back();
  std::vector<Segment> dropped(segments_.begin() + static_cast<ptrdiff_t>(segment) + 1, segments_.end());
  segments_.resize(segment + 1);
  end_ = durable_ = written_ = new_end;
  state_.log_start = std::min(state_.log_start, new_end);
  epochs_.truncate_from_end(new_end);
  reserved_ = position;
  active().bytes = position;

  JournalRecord record;
  record.type = JournalRecordType::truncate;
  record.log = id();
  record.segment_base = active().base;
  record.position = position;
  record.base_offset = new_end;
  runtime::OneShot<bool> cut(store_.loop_);
  auto resolver = cut.resolver();
  auto then = [this, resolver, dropped, position](bool ok) mutable {
    if (!ok) return resolver.set(false);
    drop_segments(dropped);
    auto work = [cache = &store_.cache_, folder = folder(), base = active().base, position,
                 derived = store_.derived_, key = snapshot_key(id())]() -> Result<void> {
      // Rule 12: what is derived from above the cut goes before anything is appended there.
      if (derived != nullptr) TRY(derived->write({KeyValueWrite{key, std::nullopt}}));
      TRY_ASSIGN(auto file, cache->get(segment_path(folder, base, kLogSuffix), true));
      return file->truncate(position);
    };
    auto done = [this, resolver, base = active().base](bool done_ok) mutable {
      unsynced_segments_.insert(base);
      resolver.set(done_ok);
    };
    store_.add_effect(*this, std::move(work), std::move(done));
  };
  add_record(record, {}, std::move(then));
  auto awaiter = cut.wait();
  const bool ok = co_await awaiter;
  if (!ok) co_return fail(*offline_);
  // Indexes and producers: derived again from what is left.
  auto work = [files = &store_.files_, folder = folder(), segments = segments_,
               now = store_.loop_.clock().wall(),
               interval = static_cast<uint32_t>(settings_.index_interval_bytes)] {
    return rebuild_derived(*files, folder, segments, interval, now);
  };
  auto rebuilding = runtime::on_lane(store_.lanes_.background, store_.loop_, std::move(work));
  auto rebuilt = co_await rebuilding;
  if (!rebuilt) {
    go_offline(rebuilt.error());
    co_return fail(rebuilt.error());
  }
  if (store_.options_.planted != Planted::stale_index) indexes_ = std::move(rebuilt->indexes);
  active() = rebuilt->active;
  producers_ = std::move(rebuilt->producers);
  fenced_ = false;
  changed_.notify_all();
  progressed();
  co_return Result<void>();
}

Offset Log::retention_start(Offset limit) const {
  std::vector<SegmentFacts> facts;
  facts.reserve(segments_.size());
  for (size_t i = 0; i < segments_.size(); ++i) {
    const Segment& s = segments_[i];
    facts.push_back({s.base, i + 1 < segments_.size() ? segments_[i + 1].base : end_, s.bytes,
                     s.max_timestamp, s.last_append});
  }
  const Retained decision = decide_retention(facts, {settings_.retention_ms, settings_.retention_bytes},
                                             start(), limit, store_.loop_.clock().wall());
  return decision.delete_count == 0 ? start()
                                    : std::max(start(), facts[decision.delete_count - 1].next_offset);
}

Task<Result<uint64_t>> Log::apply_retention(Offset limit) {
  if (offline_ || fenced_ || !settings_.delete_policy) co_return uint64_t{0};
  const Offset keep_from = retention_start(std::min(limit, counted()));
  if (keep_from <= start()) co_return uint64_t{0};
  const uint64_t before = size_bytes();
  auto trimming = trim(keep_from);
  auto trimmed = co_await trimming;
  if (!trimmed) co_return fail(trimmed.error());
  co_return before - std::min(before, size_bytes());
}

Task<Result<void>> Log::change_settings(LogSettings settings) {
  if (settings_.write_caching && !settings.write_caching) {
    while (fenced_) {
      auto look_again = changed_.wait();
      co_await look_again;
    }
    fenced_ = true;
    auto quiet = co_await quiesce();
    if (quiet) quiet = co_await store_.checkpoint();
    fenced_ = false;
    changed_.notify_all();
    if (!quiet) co_return fail(quiet.error());
  }
  if (settings_.write_caching != settings.write_caching) {
    state_.journaled = !settings.write_caching;
    state_changed_ = true;
    mark_dirty();
    durable_ = written_;
  }
  settings_ = settings;
  progressed();
  co_return Result<void>();
}

// --- reads
// -----------------------------------------------------------------------------------------------------------

Task<bool> Log::wait_counted(Offset offset) {
  if (offline_) co_return false;
  if (counted() >= offset) co_return true;
  auto waiting = waiters_.wait(offset);
  const bool reached = co_await waiting;
  co_return reached;
}

Task<Result<LogRange>> Log::locate(Offset from, Offset limit, uint32_t max_bytes, bool at_least_one) {
  if (offline_) co_return fail(*offline_);
  if (from < start() || from > end_) {
    co_return fail(ErrorCode::OFFSET_OUT_OF_RANGE,
                   fmt::format("{}: offset {} is outside of {} to {}", folder_name_, from, start(), end_));
  }
  limit = std::min(limit, end_);
  if (from >= limit) co_return LogRange{active().base, active().bytes, 0};
  const size_t segment = segment_index(from);
  if (tail_.empty() || from < tail_.front().base || segments_[segment].base > from) {
    auto found = locate_in_file(segment, from, limit, max_bytes, at_least_one);
    auto located = co_await found;
    co_return located;
  }
  auto it =
      std::partition_point(tail_.begin(), tail_.end(), [&](const TailEntry& e) { return e.last < from; });
  LogRange range{it->segment_base, it->position, 0};
  for (; it != tail_.end() && it->last < limit && it->segment_base == range.segment_base; ++it) {
    const bool fits = range.bytes + it->batch.size() <= max_bytes;
    if (!fits && (range.bytes > 0 || !at_least_one)) break;
    range.bytes += static_cast<uint32_t>(it->batch.size());
    if (!fits) break;
  }
  co_return range;
}

Task<Result<LogRange>> Log::locate_in_file(size_t segment, Offset from, Offset limit, uint32_t max_bytes,
                                           bool at_least_one) {
  const Segment& s = segments_[segment];
  LocateRequest request;
  request.folder = folder();
  request.base = s.base;
  request.from = from;
  request.max_bytes = max_bytes;
  request.at_least_one = at_least_one;
  // Where the bytes that may be read end: the whole of a sealed segment, else the first batch at or above the
  // limit.
  const bool is_active = segment + 1 == segments_.size();
  request.end_position = s.bytes;
  if (!is_active && limit >= segments_[segment + 1].base) {
    request.limit = kNoOffset;
  } else if (const TailEntry* entry = limit < end_ ? tail_entry(limit) : nullptr;
             entry != nullptr && entry->segment_base == s.base) {
    request.end_position = entry->position;
    request.limit = kNoOffset;
  } else {
    request.limit = limit < end_ ? limit : kNoOffset;
  }
  // Bytes that are only in memory are not read from the file.
  for (const TailEntry& entry : tail_) {
    if (entry.written || entry.segment_base < s.base) continue;
    if (entry.segment_base == s.base) request.end_position = std::min(request.end_position, entry.position);
    break;
  }
  if (is_active) {
    request.start_position =
        static_cast<uint64_t>(indexes_.offsets().lookup(from).value_or(OffsetPosition{}).position);
  } else {
    request.use_index_file = true;
  }
  auto work = [cache = &store_.cache_, request] { return locate_in_segment(*cache, request); };
  auto found = runtime::on_lane(store_.lanes_.read, store_.loop_, std::move(work));
  auto located = co_await found;
  co_return located;
}

Task<Result<BufferSlice>> Log::read(LogRange range, uint32_t at, uint32_t max_bytes) {
  const uint64_t position = range.position + at;
  const uint32_t wanted = std::min(max_bytes, range.bytes - at);
  if (!tail_.empty() &&
      (tail_.front().segment_base < range.segment_base ||
       (tail_.front().segment_base == range.segment_base && tail_.front().position <= position))) {
    auto it = std::partition_point(tail_.begin(), tail_.end(), [&](const TailEntry& e) {
      return e.segment_base < range.segment_base ||
             (e.segment_base == range.segment_base && e.position + e.batch.size() <= position);
    });
    if (it != tail_.end() && it->segment_base == range.segment_base && it->position <= position) {
      const size_t skip = position - it->position;
      co_return it->batch.sub(skip, std::min<size_t>(wanted, it->batch.size() - skip));
    }
  }
  auto work = [cache = &store_.cache_, path = segment_path(folder(), range.segment_base, kLogSuffix),
               position, wanted]() -> Result<BufferSlice> {
    TRY_ASSIGN(auto file, cache->get(path));
    auto buffer = runtime::Buffer::allocate(wanted);
    TRY_ASSIGN(const size_t got, file->read(position, buffer->bytes()));
    if (got == 0)
      return fail(ErrorCode::KAFKA_STORAGE_ERROR, path + ": the log was truncated during the read");
    return BufferSlice{buffer, buffer->bytes().first(got)};
  };
  auto reading = runtime::on_lane(store_.lanes_.read, store_.loop_, std::move(work));
  auto bytes = co_await reading;
  co_return bytes;
}

Task<Result<std::optional<TimedRecord>>> Log::find_by_time(int64_t timestamp, Offset limit) {
  if (offline_) co_return fail(*offline_);
  for (size_t i = 0; i < segments_.size(); ++i) {
    const Segment s = segments_[i];
    if (s.max_timestamp < timestamp || s.bytes == 0) continue;
    const bool is_active = i + 1 == segments_.size();
    // From the index entry on; the entry's offset is below every record that is late enough.
    Offset from = std::max(s.base, start());
    if (is_active) {
      if (const auto entry = indexes_.times().lookup(timestamp - 1)) from = std::max(from, entry->offset);
    } else {
      auto work = [cache = &store_.cache_, folder = folder(), base = s.base, timestamp] {
        return lookup_time_index(*cache, folder, base, timestamp);
      };
      auto looking = runtime::on_lane(store_.lanes_.read, store_.loop_, std::move(work));
      auto entry = co_await looking;
      if (!entry) co_return fail(entry.error());
      if (*entry) from = std::max(from, **entry);
    }
    const Offset segment_end = is_active ? end_ : segments_[std::min(i + 1, segments_.size() - 1)].base;
    const Offset until = std::min(limit, segment_end);
    while (from < until) {
      auto found = co_await locate(from, until, 256 << 10, true);
      if (!found) co_return fail(found.error());
      if (found->bytes == 0) break;
      std::vector<std::byte> bytes;
      bytes.reserve(found->bytes);
      while (bytes.size() < found->bytes) {
        auto piece = co_await read(*found, static_cast<uint32_t>(bytes.size()),
                                   static_cast<uint32_t>(found->bytes - bytes.size()));
        if (!piece) co_return fail(piece.error());
        bytes.insert(bytes.end(), piece->bytes.begin(), piece->bytes.end());
      }
      auto hit = find_timestamp(bytes, timestamp, std::max(from, start()), until);
      if (!hit) co_return fail(hit.error());
      if (hit->found) co_return std::optional<TimedRecord>(hit->found);
      if (hit->next <= from) break;
      from = hit->next;
    }
    if (until == limit) break;
  }
  co_return std::optional<TimedRecord>();
}

Task<Result<std::optional<TimedRecord>>> Log::find_max_timestamp(Offset limit) {
  const Segment* best = nullptr;
  for (const Segment& s : segments_) {
    if (s.bytes > 0 && (best == nullptr || s.max_timestamp > best->max_timestamp)) best = &s;
  }
  if (best == nullptr || best->max_timestamp < 0) co_return std::optional<TimedRecord>();
  auto finding = find_by_time(best->max_timestamp, limit);
  auto found = co_await finding;
  co_return found;
}

}  // namespace tidemark::storage
