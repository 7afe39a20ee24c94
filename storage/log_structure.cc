// What changes a log's extent other than appends: rolls, trims, truncation, retention.
#include <fmt/format.h>

#include <algorithm>

#include "protocol/batch/crc32c.h"
#include "protocol/invariant.h"
#include "storage/log.h"
#include "storage/log_reader.h"
#include "storage/log_snapshot.h"
#include "storage/log_store.h"
#include "storage/retention.h"
#include "storage/trimmed_producers.h"

namespace tidemark::storage {

using runtime::BufferSlice;
using runtime::Task;

namespace {

// More than any batch holds: an append whose last offset might not fit a segment's 31 bits goes into a new
// one.
constexpr int64_t kMaxRecordsPerAppend = 1 << 27;

}  // namespace

void Log::roll(Offset base) {
  INVARIANT(base == end_ && base > active().base, "{}: roll at {} of {}", folder_name_, base, active().base);
  Segment& sealed = active();
  indexes_.seal();
  save_indexes();
  indexes_ = SegmentIndexes(base, static_cast<uint32_t>(settings_.index_interval_bytes));
  saved_ = {};
  const Offset sealed_base = sealed.base;
  const uint64_t sealed_bytes = sealed.bytes;
  unsynced_segments_.push_back(sealed_base);
  segments_.push_back(Segment{base, 0, -1, -1, store_.loop_.clock().wall(), ++versions_});
  set_reserved(0);
  path_ = std::make_shared<const std::string>(segment_path(folder(), base, kLogSuffix));
  created_ = active().last_append;
  if (store_.options_.planted == Planted::producer_state_lost) producers_.clear(base);

  JournalRecord record;
  record.type = JournalRecordType::roll;
  record.log = id();
  record.segment_base = base;
  auto work = [cache = &store_.cache_, folder = folder(), base, sealed_base, sealed_bytes]() -> Result<void> {
    auto file = cache->get(segment_path(folder, base, kLogSuffix), true);
    // On a full disk the file is made by whoever finds room for the first append.
    if (!file && file.error().kind() != ErrorKind::no_space) return fail(file.error());
    TRY_ASSIGN(auto sealed_file, cache->get(segment_path(folder, sealed_base, kLogSuffix), true));
    TRY_ASSIGN(const uint64_t size, sealed_file->size());
    if (size != sealed_bytes)
      return fail(Error::corruption(
          fmt::format("{}: segment {} has {} bytes instead of {}", folder, sealed_base, size, sealed_bytes)));
    return sealed_file->truncate(size);  // gives back the space reserved beyond
  };
  auto done = [this, base, sealed_base](bool) {
    rolled_ = base;
    folder_changed_ = true;
    touched(sealed_base);
  };
  auto then = [this, work = std::move(work), done = std::move(done)](bool ok) mutable {
    if (ok) store_.add_effect(*this, std::move(work), std::move(done));
  };
  add_record(record, {}, std::move(then));
}

// The index files follow in the write lane, behind the batches that their entries name. They are derived: one
// that cannot be saved is removed, and built again at the next start.
void Log::save_indexes() {
  if (saved_.offsets == SavedIndexes::kNone) return;
  OffsetIndex& offsets = indexes_.offsets();
  TimeIndex& times = indexes_.times();
  const bool nothing_new = offsets.written() == offsets.size() && times.written() == times.size();
  if (nothing_new && !std::exchange(rewrite_indexes_, false)) return;
  auto offset_bytes = offsets.unwritten_bytes();
  auto time_bytes = times.unwritten_bytes();
  saved_.offsets_crc = protocol::crc32c_extend(saved_.offsets_crc, offset_bytes);
  saved_.times_crc = protocol::crc32c_extend(saved_.times_crc, time_bytes);
  auto failed = std::make_shared<bool>(false);
  const Offset base = active().base;
  auto work = [cache = &store_.cache_, files = &store_.files_, folder = folder(), base, failed,
               offset_bytes = std::move(offset_bytes),
               offsets_at = offsets.written() * OffsetPosition::kBytes, time_bytes = std::move(time_bytes),
               times_at = times.written() * TimestampOffset::kBytes]() -> Result<void> {
    const auto save = [&](std::string_view suffix, uint64_t at,
                          const std::vector<std::byte>& bytes) -> Result<void> {
      TRY_ASSIGN(auto file, cache->get(segment_path(folder, base, suffix), true));
      TRY_ASSIGN(const uint64_t size, file->size());
      if (size < at) return fail(Error::corruption("an index file is shorter than what was saved"));
      if (size > at) TRY(file->truncate(at));
      return file->write(at, std::span<const std::byte>(bytes));
    };
    if (save(kOffsetIndexSuffix, offsets_at, offset_bytes) && save(kTimeIndexSuffix, times_at, time_bytes))
      return {};
    *failed = true;
    for (const std::string_view suffix : {kOffsetIndexSuffix, kTimeIndexSuffix}) {
      const std::string path = segment_path(folder, base, suffix);
      (void)files->remove(path);
      cache->forget(path);
    }
    return {};
  };
  index_saves_.push_back({base, offsets.written() == 0 && times.written() == 0});
  offsets.mark_written(offsets.size());
  times.mark_written(times.size());
  saved_.offsets = static_cast<uint32_t>(offsets.size());
  saved_.times = static_cast<uint32_t>(times.size());
  auto done = [this, base, failed, cuts = cuts_](bool) {
    index_saves_.pop_front();
    folder_changed_ = true;
    touched(base);
    changed_.notify_all();
    if (active().base != base || cuts != cuts_) return;
    if (*failed) {
      saved_.offsets = SavedIndexes::kNone;
    } else {
      indexes_.offsets().forget_written(kIndexEntriesInMemory);
      indexes_.times().forget_written(kIndexEntriesInMemory);
    }
  };
  store_.add_effect(*this, std::move(work), std::move(done));
}

bool Log::must_roll(uint64_t bytes, int64_t max_timestamp) const {
  const Segment& s = active();
  const ActiveSegment segment{s.base, s.bytes, indexes_.full(settings_.segment_index_bytes),
                              s.first_timestamp >= 0 ? std::optional(s.first_timestamp) : std::nullopt,
                              created_};
  const int64_t jitter_ms =
      draw_roll_jitter(state_.log.value, s.base, std::min(settings_.segment_jitter_ms, settings_.segment_ms));
  return s.bytes > 0 && decide_roll(segment, {bytes, end_ + kMaxRecordsPerAppend, max_timestamp},
                                    {settings_.segment_bytes, settings_.segment_ms, jitter_ms},
                                    store_.loop_.clock().wall()) != RollReason::none;
}

void Log::roll_if_old() {
  if (!offline_ && !fenced_ && !store_.closing_ && must_roll(0, unix_ms(store_.loop_.clock().wall())))
    roll(end_);
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

void Log::drop_segments(std::vector<Segment> dropped, std::shared_ptr<const bool> allowed) {
  if (dropped.empty()) return;
  std::vector<std::string> retired;
  for (const Segment& s : dropped) {
    std::erase(unsynced_segments_, s.base);
    retired.push_back(retired_path(folder(), s.base, s.version, cleaning_mark()));
  }
  auto work = [cache = &store_.cache_, files = &store_.files_, folder = folder(), mark = cleaning_mark(),
               dropped = std::move(dropped), allowed = std::move(allowed)]() -> Result<void> {
    if (allowed && !*allowed) return {};
    for (const Segment& s : dropped) TRY(retire_segment(*files, *cache, folder, s, mark));
    return {};
  };
  auto done = [this, retired = std::move(retired)](bool ok) mutable {
    folder_changed_ = true;
    mark_dirty();
    if (ok) store_.tasks_.spawn(store_.remove_later(std::move(retired), settings_.file_delete_delay_ms));
  };
  store_.add_effect(*this, std::move(work), std::move(done));
}

// What the batches below the log's new start tell of producers goes into the folder, before they may go. On a
// full disk the start stays where it is, or a producer that asks again might find its batch forgotten; but
// what is derived of the segments that are about to go gives its space first, so that a full disk can get rid
// of them.
// False: there is nothing to tell.
Task<Result<bool>> Log::prepare_producers(Offset start) {
  if (start <= producers_kept_) co_return false;
  ProducerState producers = producers_.below(start);
  if (producers_kept_ == kNoOffset && producers.size() == 0) co_return false;
  std::vector<std::string> spare;
  for (size_t i = 0; i + 1 < segments_.size() && segments_[i + 1].base <= start; ++i) {
    for (const std::string_view suffix : {kOffsetIndexSuffix, kTimeIndexSuffix})
      spare.push_back(segment_path(folder(), segments_[i].base, suffix));
  }
  auto keep = [files = &store_.files_, cache = &store_.cache_, folder = folder(),
               data_folder = store_.options_.folder, producers = std::move(producers),
               spare = std::move(spare), from = DerivedFrom{id(), start, kNoLeaderEpoch},
               is_first = producers_kept_ == kNoOffset]() -> Result<void> {
    auto written = prepare_trimmed_producers(*files, folder, from, producers);
    if (!written && written.error().kind() == ErrorKind::no_space) {
      for (const std::string& path : spare) {
        TRY(files->remove(path));
        cache->forget(path);
      }
      written = prepare_trimmed_producers(*files, folder, from, producers);
    }
    if (!written || !is_first) return written;
    // No checkpoint may have passed yet: power loss must not take the folder, nor what says whose it is.
    TRY_ASSIGN(auto state, files->open(partition_state_path(folder), OpenMode::read_write));
    TRY(state->sync_data());
    return files->sync_dir(data_folder);
  };
  auto keeping = runtime::on_lane(store_.lanes_.background, store_.loop_, std::move(keep));
  auto kept = co_await keeping;
  if (kept) co_return true;
  if (kept.error().kind() != ErrorKind::no_space) store_.fail_folder(kept.error());
  co_return fail(kept.error());
}

// The start has moved to where they were prepared for.
Task<Result<void>> Log::keep_prepared(Offset start) {
  auto keep = [files = &store_.files_, folder = folder()] {
    return replace_trimmed_producers(*files, folder);
  };
  auto keeping = runtime::on_lane(store_.lanes_.background, store_.loop_, std::move(keep));
  auto kept = co_await keeping;
  if (!kept) {
    store_.fail_folder(kept.error());  // what the folder says now is not known
    co_return kept;
  }
  producers_kept_ = start;
  co_return Result<void>();
}

Task<Result<void>> Log::trim(Offset offset) {
  while ((fenced_ || trimming_) && !offline_) {
    auto look_again = changed_.wait();
    co_await look_again;
  }
  if (offline_) co_return fail(*offline_);
  if (store_.closing_) co_return fail(store_.closing(folder_name_));
  if (offset > counted())
    co_return fail(ErrorCode::OFFSET_OUT_OF_RANGE,
                   fmt::format("{} is outside of {} to {}", offset, start(), counted()));
  if (offset <= start()) co_return Result<void>();
  // Everything is gone: the log goes on in a segment that begins at its end.
  if (offset == end_ && active().bytes > 0) roll(end_);
  // Until the start has moved: a truncation must not fall below what was kept.
  trimming_ = true;
  auto preparing = prepare_producers(offset);
  const auto prepared = co_await preparing;
  Result<void> result;
  if (!prepared) result = fail(prepared.error());
  if (result) {
    auto moving = move_start(offset);
    result = co_await moving;
  }
  if (result && *prepared) {
    auto keeping = keep_prepared(offset);
    result = co_await keeping;
  }
  trimming_ = false;
  changed_.notify_all();
  co_return result;
}

Task<Result<void>> Log::move_start(Offset offset) {
  if (offline_) co_return fail(*offline_);
  runtime::OneShot<bool> moved(store_.loop_);
  auto resolver = moved.resolver();
  auto then = [this, offset, resolver](bool ok) mutable {
    if (ok) {
      state_.log_start = offset;
      state_changed_ = true;
      epochs_.truncate_from_start(offset);
      shared_epochs_.reset();
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
  while (!offline_ && (!recorded_.empty() || !held_.empty() || written_ < end_ || reserving_ || trimming_ ||
                       !index_saves_.empty())) {
    auto look_again = changed_.wait();
    co_await look_again;
  }
  if (offline_) co_return fail(*offline_);
  co_return Result<void>();
}

Task<Result<void>> Log::truncate(Offset offset) {
  while (fenced_ && !offline_) {
    auto look_again = changed_.wait();
    co_await look_again;
  }
  if (offline_) co_return fail(*offline_);
  if (offset >= end_) co_return Result<void>();
  fenced_ = true;
  auto cutting = cut_at(offset);
  auto cut = co_await cutting;
  unfence();
  if (cut) progressed();
  co_return cut;
}

// REQUIRES: fenced_.
Task<Result<void>> Log::cut_at(Offset offset) {
  auto quiescing = quiesce();
  auto quiet = co_await quiescing;
  if (!quiet) co_return quiet;
  offset = std::max(offset, start());
  // Where the cut falls: the batch that holds `offset` goes whole.
  size_t segment = segment_index(offset);
  uint64_t position = 0;
  Offset new_end = segments_[segment].base;
  if (offset > new_end) {
    auto locating = locate_in_file(offset, end_, 1, true);
    const auto located = co_await locating;
    if (!located) co_return fail(located.error());
    position = located->range ? located->range->position : segments_[segment].bytes;
    new_end = located->before;
  }
  // Where the log cleaner has left a gap before that, the log ends where the gap begins: an empty segment
  // alone would not tell a start.
  while (position == 0 && segment > 0 && segments_[segment].base <= state_.gaps_below) {
    auto locating = locate_in_file(segments_[segment].base + -1, end_, 1, true);
    const auto located = co_await locating;
    if (!located) co_return fail(located.error());
    if (located->range) break;
    --segment;
    position = segments_[segment].bytes;
    new_end = located->before;
  }
  if (offline_) co_return fail(*offline_);
  if (producers_kept_ > new_end) {
    auto lower = [files = &store_.files_, folder = folder(), log = id(), new_end,
                  now = store_.loop_.clock().wall()] {
      return lower_trimmed_producers(*files, folder, log, new_end, now);
    };
    auto lowering = runtime::on_lane(store_.lanes_.background, store_.loop_, std::move(lower));
    auto lowered = co_await lowering;
    if (!lowered) co_return fail(lowered.error());
    if (offline_) co_return fail(*offline_);
    producers_kept_ = *lowered ? new_end : kNoOffset;
  }
  // State first, then the record, then the files.
  ++cuts_;
  release_tail(new_end);
  waiters_.fail_above(new_end);
  std::vector<Segment> dropped(segments_.begin() + static_cast<ptrdiff_t>(segment) + 1, segments_.end());
  segments_.resize(segment + 1);
  path_ = std::make_shared<const std::string>(segment_path(folder(), active().base, kLogSuffix));
  end_ = written_ = new_end;
  durable_ = std::min(durable_, new_end);
  entry_synced_ = kNoOffset;  // a segment of the same name may come again
  rolled_ = std::min(rolled_, active().base);
  if (flush_from_) flush_from_ = std::min(*flush_from_, new_end);
  state_.log_start = std::min(state_.log_start, new_end);
  state_.synced = std::min(state_.synced, new_end);
  state_.cleaned_to = std::min(state_.cleaned_to, new_end);
  state_.gaps_below = std::min(state_.gaps_below, new_end);
  state_changed_ = true;
  epochs_.truncate_from_end(new_end);
  shared_epochs_.reset();
  active().bytes = position;
  set_reserved(position);
  cut_ = {active().base, position};

  JournalRecord record;
  record.type = JournalRecordType::truncate;
  record.log = id();
  record.segment_base = active().base;
  record.position = position;
  record.base_offset = new_end;
  runtime::OneShot<bool> cut(store_.loop_);
  auto resolver = cut.resolver();
  // Without a journal the state says what must be there, and goes before any file.
  auto stated = std::make_shared<bool>(state_.journaled);
  auto state = [files = &store_.files_, folder = folder(), state = state_, stated]() -> Result<void> {
    TRY(write_partition_state(*files, folder, state, true));
    *stated = true;
    return {};
  };
  auto work = [cache = &store_.cache_, files = &store_.files_, path = path_, folder = folder(), position,
               journaled = state_.journaled, stated]() -> Result<void> {
    if (!*stated) return {};
    TRY_ASSIGN(auto file, cache->get(*path, true));
    TRY(file->truncate(position));
    if (journaled) return {};
    TRY(file->sync_data());
    return files->sync_dir(folder);  // or a segment that was dropped might come back under its name
  };
  auto done = [this, resolver, base = active().base](bool ok) mutable {
    touched(base);
    resolver.set(ok);
  };
  auto then = [this, resolver, dropped, stated, state = std::move(state), work = std::move(work),
               done = std::move(done)](bool ok) mutable {
    if (!ok) return resolver.set(false);
    if (!*stated) store_.add_effect(*this, std::move(state), [](bool) {});
    drop_segments(std::move(dropped), stated);
    store_.add_effect(*this, std::move(work), std::move(done));
  };
  add_record(record, {}, std::move(then));
  auto awaiter = cut.wait();
  co_await awaiter;
  if (offline_) co_return fail(*offline_);
  // Rule 12: what is derived from above the cut goes before anything is appended there, and for good. In the
  // lane in which checkpoints write it.
  if (store_.derived_ != nullptr) {
    auto remove = [derived = store_.derived_, key = snapshot_key(id())]() -> Result<void> {
      TRY(derived->write({KeyValueWrite{key, std::nullopt}}));
      return derived->sync();
    };
    auto removing = runtime::on_lane(store_.lanes_.background, store_.loop_, std::move(remove));
    auto removed = co_await removing;
    if (!removed) store_.fail_folder(removed.error());
    if (offline_) co_return fail(*offline_);
  }
  // Indexes and producers: derived again from what is left.
  auto derive = [files = &store_.files_, folder = folder(), log = id(), segments = segments_,
                 now = store_.loop_.clock().wall(),
                 interval = static_cast<uint32_t>(settings_.index_interval_bytes)] {
    return rebuild_derived(*files, folder, log, segments, interval, now);
  };
  auto rebuilding = runtime::on_lane(store_.lanes_.background, store_.loop_, std::move(derive));
  auto rebuilt = co_await rebuilding;
  if (!rebuilt) {
    store_.fail_folder(rebuilt.error());
    co_return fail(rebuilt.error());
  }
  if (store_.options_.planted != Planted::stale_index) {
    indexes_ = std::move(rebuilt->indexes);
    saved_ = {};
    rewrite_indexes_ = true;
  }
  active() = rebuilt->active;
  producers_ = std::move(rebuilt->producers);
  co_return Result<void>();
}

Offset Log::retention_start(Offset limit) const {
  const auto facts = segment_facts(segments_, end_);
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

}  // namespace tidemark::storage
