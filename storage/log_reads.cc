// Reads of a log: from the tail where it is in memory, else in the read lane. Segments may go while a read is
// under way: what it needs of them is copied before, and checked after.
#include <fmt/format.h>

#include <algorithm>

#include "storage/log.h"
#include "storage/log_reader.h"
#include "storage/log_store.h"

namespace tidemark::storage {

using runtime::BufferSlice;
using runtime::Task;

Task<Result<LogRange>> Log::locate(Offset from, Offset limit, uint32_t max_bytes, bool at_least_one) {
  while (true) {
    if (offline_) co_return fail(*offline_);
    if (from < start() || from > end_) {
      co_return fail(ErrorCode::OFFSET_OUT_OF_RANGE,
                     fmt::format("{}: offset {} is outside of {} to {}", folder_name_, from, start(), end_));
    }
    limit = std::min(limit, end_);
    if (from >= limit) co_return LogRange{active().base, active().bytes, 0, cuts_};
    const size_t segment = segment_index(from);
    if (!tail_.empty() && from >= tail_.front().base && segments_[segment].base <= from) {
      auto it =
          std::partition_point(tail_.begin(), tail_.end(), [&](const TailEntry& e) { return e.last < from; });
      LogRange range{it->segment_base, it->position, 0, cuts_, it->position, it->base};
      for (; it != tail_.end() && it->last < limit && it->segment_base == range.segment_base; ++it) {
        const bool fits = range.bytes + it->batch.size() <= max_bytes;
        if (!fits && (range.bytes > 0 || !at_least_one)) break;
        range.bytes += static_cast<uint32_t>(it->batch.size());
        if (!fits) break;
      }
      if (const Segment* of = segment_at(range.segment_base)) range.version = of->version;
      co_return range;
    }
    const Offset next = segment + 1 < segments_.size() ? segments_[segment + 1].base : limit;
    auto finding = locate_in_file(from, limit, max_bytes, at_least_one);
    const auto located = co_await finding;
    if (!located) co_return fail(located.error());
    if (located->range) co_return *located->range;
    from = next;  // the log cleaner has left nothing more in that segment
  }
}

Task<Result<Located>> Log::locate_in_file(Offset from, Offset limit, uint32_t max_bytes, bool at_least_one) {
  const auto removed = [&] {
    return fail(ErrorCode::OFFSET_OUT_OF_RANGE,
                fmt::format("{}: offset {} was removed during the read", folder_name_, from));
  };
  const uint32_t cuts = cuts_;
  if (store_.has_read_long(LogStore::kLocateCosts)) {
    auto breathing = runtime::let_others_run(store_.loop_);
    co_await breathing;
    if (offline_) co_return fail(*offline_);
    if (cuts != cuts_ || from < start()) co_return removed();
  }
  while (true) {
    const size_t segment = segment_index(from);
    const Segment s = segments_[segment];
    if (exchanging(s.base)) {
      auto look_again = changed_.wait();
      co_await look_again;
      if (offline_) co_return fail(*offline_);
      if (cuts != cuts_ || from < start()) co_return removed();
      continue;
    }
    LocateRequest request;
    request.folder = folder();
    request.base = s.base;
    request.from = from;
    request.max_bytes = max_bytes;
    request.at_least_one = at_least_one;
    request.gaps_below = state_.gaps_below;
    // Where the bytes that may be read end: the whole of a sealed segment, else the first batch at or above
    // the limit.
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
    const auto entry = is_active ? indexes_.offsets().lookup(from + -1) : std::nullopt;
    request.use_index_file = !entry && index_files_hold(s.base);
    if (entry) request.start_position = static_cast<uint64_t>(entry->position);
    const auto located = [&](Located found) {
      if (found.range) {
        found.range->cuts = cuts;
        found.range->version = s.version;
      }
      return found;
    };
    // What is damaged there is said by the lane.
    if (const auto now = locate_in_segment(store_.files_, store_.cache_, request, ReadFrom::memory))
      co_return located(*now);
    auto work = [files = &store_.files_, cache = &store_.cache_, request] {
      return locate_in_segment(*files, *cache, request);
    };
    const uint32_t exchanges = exchanges_;
    auto finding = runtime::on_lane(store_.lanes_.read, store_.loop_, std::move(work));
    store_.read_begins();
    auto found = co_await finding;
    store_.read_ended();
    if (offline_) co_return fail(*offline_);
    if (cuts != cuts_ || from < start()) co_return removed();
    if (exchanges != exchanges_) continue;  // whose file it was is not known
    if (!found) co_return unreadable(found.error());
    co_return located(*found);
  }
}

Task<Result<LogPiece>> Log::read(LogRange range, uint32_t max_bytes) {
  const uint64_t position = range.position;
  while (true) {
    if (offline_) co_return fail(*offline_);
    const auto removed = [&] {
      return fail(ErrorCode::OFFSET_OUT_OF_RANGE,
                  fmt::format("{}: segment {} was truncated or deleted during the read", folder_name_,
                              range.segment_base));
    };
    if (!holds(range)) co_return removed();
    const Segment* segment = segment_at(range.segment_base);
    const bool is_current = segment != nullptr && segment->version == range.version;
    if (is_current && exchanging(range.segment_base)) {
      auto look_again = changed_.wait();
      co_await look_again;
      continue;
    }
    uint32_t wanted = std::min(max_bytes, range.bytes);
    if (!tail_.empty() &&
        (tail_.front().segment_base < range.segment_base ||
         (tail_.front().segment_base == range.segment_base && tail_.front().position <= position))) {
      auto it = std::partition_point(tail_.begin(), tail_.end(), [&](const TailEntry& e) {
        return e.segment_base < range.segment_base ||
               (e.segment_base == range.segment_base && e.position + e.batch.size() <= position);
      });
      if (it != tail_.end() && it->segment_base == range.segment_base && it->position <= position) {
        const size_t skip = position - it->position;
        wanted = static_cast<uint32_t>(std::min<size_t>(wanted, it->batch.size() - skip));
        LogPiece piece{it->batch.sub(skip, wanted), range};
        piece.rest.position += wanted;
        piece.rest.bytes -= wanted;
        piece.rest.batch_at = it->position + it->batch.size();
        piece.rest.batch_offset = it->last + 1;
        co_return piece;
      }
    } else if (!tail_.empty() && tail_.front().segment_base == range.segment_base) {
      // What is in memory may not be in the file yet.
      wanted = static_cast<uint32_t>(std::min<uint64_t>(wanted, tail_.front().position - position));
    }
    // What was deleted or cleaned since, or has become part of the segment before it, stands under another
    // name for a while; what was deleted, soon.
    std::vector<std::string> paths;
    if (is_current || segment == nullptr)
      paths.push_back(segment_path(folder(), range.segment_base, kLogSuffix));
    if (!is_current)
      paths.push_back(retired_path(folder(), range.segment_base, range.version, cleaning_mark()));
    if (is_current) {
      auto now = read_piece(store_.files_, store_.cache_, paths.front(), range, wanted, state_.gaps_below,
                            epochs_, ReadFrom::memory);
      if (now && store_.has_read_long(wanted)) {
        auto breathing = runtime::let_others_run(store_.loop_);
        co_await breathing;
        if (offline_) co_return fail(*offline_);
        if (!holds(range)) co_return removed();
      }
      if (now) co_return now;
    }
    auto work = [files = &store_.files_, cache = &store_.cache_, range, wanted, paths = std::move(paths),
                 gaps_below = state_.gaps_below, epochs = shared_epochs()] {
      auto piece = read_piece(*files, *cache, paths.front(), range, wanted, gaps_below, *epochs);
      if (!piece && paths.size() > 1)
        return read_piece(*files, *cache, paths.back(), range, wanted, gaps_below, *epochs);
      return piece;
    };
    const uint32_t exchanges = exchanges_;
    auto reading = runtime::on_lane(store_.lanes_.read, store_.loop_, std::move(work));
    store_.read_begins();
    auto piece = co_await reading;
    store_.read_ended();
    if (offline_) co_return fail(*offline_);
    if (!holds(range)) co_return removed();
    if (is_current && exchanges != exchanges_) continue;  // whose file it was is not known
    if (piece) co_return piece;
    if (is_current && !has_segment(range.segment_base)) continue;  // deleted meanwhile
    if (!is_current) co_return removed();
    co_return unreadable(piece.error());
  }
}

Task<Result<std::vector<std::byte>>> Log::read_whole(LogRange range) {
  std::vector<std::byte> bytes;
  bytes.reserve(range.bytes);
  while (range.bytes > 0) {
    auto reading = read(range, range.bytes);
    auto piece = co_await reading;
    if (!piece) co_return fail(piece.error());
    bytes.insert(bytes.end(), piece->bytes.bytes.begin(), piece->bytes.bytes.end());
    range = piece->rest;
  }
  co_return bytes;
}

Task<Result<std::optional<TimedRecord>>> Log::find_by_time(int64_t timestamp, Offset limit) {
  return search_times(timestamp, limit, TimePick::first);
}

Task<Result<std::optional<TimedRecord>>> Log::search_times(int64_t timestamp, Offset limit, TimePick pick) {
  if (offline_) co_return fail(*offline_);
  limit = std::min(limit, end_);
  std::optional<TimedRecord> best;
  // By segment: those that go meanwhile held none that is left.
  Offset next = start();
  while (next < limit) {
    const size_t index = segment_index(next);
    const Segment s = segments_[index];
    const bool is_active = index + 1 == segments_.size();
    const Offset until = std::min(limit, is_active ? end_ : segments_[index + 1].base);
    if (until <= next) break;  // a truncation took the rest
    Offset from = std::exchange(next, until);
    if (s.max_timestamp < timestamp || s.bytes == 0) continue;
    // From the index entry on; the entry's offset is below every record that is late enough.
    std::optional<Offset> entry;
    const auto in_memory = is_active ? indexes_.times().lookup(timestamp - 1) : std::nullopt;
    if (in_memory) {
      entry = in_memory->offset;
    } else if (index_files_hold(s.base)) {
      auto work = [cache = &store_.cache_, folder = folder(), base = s.base, timestamp] {
        return lookup_time_index(*cache, folder, base, timestamp);
      };
      auto looking = runtime::on_lane(store_.lanes_.read, store_.loop_, std::move(work));
      auto found = co_await looking;
      if (found) entry = *found;  // derived: without it the search begins at the segment's start
    }
    if (entry) from = std::max(from, *entry);
    from = std::max(from, start());
    while (from < until && s.max_timestamp >= timestamp) {
      const uint32_t cuts = cuts_;
      auto locating = locate(from, until, 256 << 10, true);
      auto range = co_await locating;
      if (!range && range.error().code() == ErrorCode::OFFSET_OUT_OF_RANGE && from < start()) {
        from = start();
        continue;
      }
      if (!range) co_return fail(range.error());
      if (range->bytes == 0) break;
      auto reading = read_whole(*range);
      auto bytes = co_await reading;
      // The segment may have been cleaned meanwhile, and what it was be gone: what it is now is looked
      // through.
      const bool removed = !bytes && bytes.error().code() == ErrorCode::OFFSET_OUT_OF_RANGE;
      if (!bytes && (from < start() || (removed && cuts == cuts_))) {
        from = std::max(from, start());
        continue;
      }
      if (!bytes) co_return fail(bytes.error());
      auto hit = find_timestamp(*bytes, timestamp, from, until, pick);
      if (!hit) {
        co_return unreadable(Error::corruption(fmt::format("{}: {}", folder_name_, hit.error().message())));
      }
      if (hit->found) {
        best = hit->found;
        if (pick == TimePick::first || best->timestamp == INT64_MAX) co_return best;
        timestamp = best->timestamp + 1;
      }
      if (hit->next <= from) break;
      from = hit->next;
    }
  }
  co_return best;
}

// What is known without a read of the greatest timestamp below `limit`: at most that.
int64_t Log::known_max_timestamp(Offset limit, size_t first_segment) const {
  int64_t greatest = 0;
  for (size_t i = first_segment; i < segments_.size(); ++i) {
    const Offset until = i + 1 < segments_.size() ? segments_[i + 1].base : end_;
    if (segments_[i].bytes > 0 && until <= limit) greatest = std::max(greatest, segments_[i].max_timestamp);
  }
  const auto entry = indexes_.times().newest_below(limit);
  if (entry && first_segment < segments_.size()) greatest = std::max(greatest, entry->timestamp_ms);
  const auto above =
      std::partition_point(tail_.begin(), tail_.end(), [&](const TailEntry& e) { return e.last < limit; });
  if (above != tail_.begin() && std::prev(above)->base >= start()) {
    const auto header = protocol::parse_batch_header(std::prev(above)->batch.bytes);
    INVARIANT(header, "{}: a batch in memory cannot be read", folder_name_);
    greatest = std::max(greatest, header->max_timestamp);
  }
  return greatest;
}

Task<Result<std::optional<TimedRecord>>> Log::find_max_timestamp(Offset limit) {
  while (true) {
    const Offset before = start();
    auto searching = search_times(known_max_timestamp(limit, 0), limit, TimePick::greatest);
    auto found = co_await searching;
    if (!found || *found) co_return found;
    if (segments_.front().base < start()) {
      // It was one of those that are deleted, though their segment is there.
      auto again = search_times(known_max_timestamp(limit, 1), limit, TimePick::greatest);
      found = co_await again;
    }
    if (!found || *found || start() == before) co_return found;
  }
}

}  // namespace tidemark::storage
