#include "storage/compaction/decision.h"

#include <algorithm>

namespace tidemark::storage {
namespace {

// The last one that begins at or below `offset`; 0 where all begin above.
size_t segment_of(std::span<const CleanableSegment> segments, Offset offset) {
  const auto above = std::partition_point(segments.begin(), segments.end(), [&](const CleanableSegment& s) {
    return s.facts.base_offset <= offset;
  });
  return above == segments.begin() ? 0 : static_cast<size_t>(above - segments.begin()) - 1;
}

uint64_t bytes_of(std::span<const CleanableSegment> segments) {
  uint64_t bytes = 0;
  for (const CleanableSegment& segment : segments) bytes += segment.facts.size_bytes;
  return bytes;
}

// By how much the oldest of the dirty records is later than it should have been cleaned (KIP-354). Kafka's
// rule: a segment is as old as its first batch, and one without a time has no age.
int64_t overdue_ms(std::span<const CleanableSegment> dirty, int64_t max_lag_ms, int64_t now_ms) {
  int64_t oldest = INT64_MAX;
  for (const CleanableSegment& segment : dirty)
    if (segment.first_timestamp_ms > 0) oldest = std::min(oldest, segment.first_timestamp_ms);
  const int64_t clean_until = now_ms - std::max<int64_t>(max_lag_ms, 0);
  return oldest < clean_until ? clean_until - oldest : 0;
}

}  // namespace

CleaningDecision decide_cleaning(const CleanableLog& log, const CleaningSettings& settings,
                                 runtime::WallTime now) {
  CleaningDecision decision;
  decision.first_dirty = log.cleaned_to.value_or(log.log_start);
  if (decision.first_dirty < log.log_start || decision.first_dirty > log.log_end) {
    // DeleteRecords or retention went further, or the log was truncated below what was cleaned.
    decision.first_dirty = log.log_start;
    decision.forget_cleaned_to = true;
  }
  decision.end = decision.first_dirty;
  if (log.segments.empty()) return decision;
  const auto sealed = log.segments.first(log.segments.size() - 1);
  const size_t dirty = sealed.empty() ? 0 : segment_of(sealed, decision.first_dirty);

  // Whole segments alone: those below the one that holds the first offset that must stay.
  size_t end = log.limit >= log.segments.back().facts.base_offset ? sealed.size()
                                                                  : segment_of(log.segments, log.limit);
  if (settings.min_compaction_lag_ms > 0) {
    for (size_t i = dirty; i < end; ++i) {
      if (retention_timestamp_ms(sealed[i].facts) > runtime::unix_ms(now) - settings.min_compaction_lag_ms)
        end = i;
    }
  }
  if (end <= dirty) return decision;
  decision.end = log.segments[end].facts.base_offset;
  if (decision.end <= decision.first_dirty) {
    decision.end = decision.first_dirty;
    return decision;
  }
  decision.clean_bytes = bytes_of(sealed.first(dirty));
  decision.cleanable_bytes = bytes_of(sealed.subspan(dirty, end - dirty));
  decision.overdue_ms =
      overdue_ms(sealed.subspan(dirty), settings.max_compaction_lag_ms, runtime::unix_ms(now));
  if (decision.overdue_ms > 0 && decision.cleanable_bytes > 0) {
    decision.reason = CleaningReason::max_lag;
  } else if (decision.dirty_ratio() > settings.min_cleanable_dirty_ratio) {
    decision.reason = CleaningReason::dirty_ratio;
  }
  return decision;
}

std::vector<SegmentGroup> group_segments(std::span<const CleanableSegment> segments, Offset end,
                                         const CleaningSettings& settings) {
  const uint64_t max_bytes = std::min<uint64_t>(settings.segment_bytes, INT32_MAX);
  std::vector<SegmentGroup> groups;
  uint64_t bytes = 0;
  uint64_t offset_index = 0;
  uint64_t time_index = 0;
  for (size_t i = 0; i < segments.size() && segments[i].facts.base_offset < end; ++i) {
    const CleanableSegment& next = segments[i];
    bytes += next.facts.size_bytes;
    offset_index += next.offset_index_bytes;
    time_index += next.time_index_bytes;
    // One without records names no offset: otherwise an empty one would stay every 2^31 offsets.
    const bool fits =
        !groups.empty() && bytes <= max_bytes && offset_index <= settings.segment_index_bytes &&
        time_index <= settings.segment_index_bytes &&
        (next.facts.size_bytes == 0 ||
         next.facts.next_offset - segments[groups.back().first].facts.base_offset <= int64_t{INT32_MAX} + 1);
    if (fits) {
      ++groups.back().count;
      continue;
    }
    groups.push_back({i, 1});
    bytes = next.facts.size_bytes;
    offset_index = next.offset_index_bytes;
    time_index = next.time_index_bytes;
  }
  return groups;
}

}  // namespace tidemark::storage
