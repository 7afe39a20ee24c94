// Which part of a compacted log is cleaned, whether it is worth it now, and which neighbouring segments
// become one: pure decisions over what the log knows of its segments, with the settings of the moment.
// Kafka's rules (LogCleanerManager, Cleaner), with two differences: a record timestamp ahead of its append
// does not hold back a segment (as in retention.h), and the segment in which the dirty part begins counts as
// dirty alone.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "storage/retention.h"

namespace tidemark::storage {

struct CleaningSettings {
  double min_cleanable_dirty_ratio = 0.5;      // min.cleanable.dirty.ratio, 0 to 1
  int64_t min_compaction_lag_ms = 0;           // min.compaction.lag.ms
  int64_t max_compaction_lag_ms = INT64_MAX;   // max.compaction.lag.ms (KIP-354)
  uint64_t segment_bytes = uint64_t{1} << 30;  // segment.bytes
  uint64_t segment_index_bytes = 10 << 20;     // segment.index.bytes
};

struct CleanableSegment {
  SegmentFacts facts;
  int64_t first_timestamp_ms = -1;  // the greatest one of its first batch; -1: none
  uint64_t offset_index_bytes = 0;
  uint64_t time_index_bytes = 0;
};

struct CleanableLog {
  std::span<const CleanableSegment> segments;  // the whole log, oldest first, the last one active
  Offset log_start;
  Offset log_end;
  std::optional<Offset> cleaned_to;  // where the last cleaning ended, as far as that is remembered
  // Nothing at or above it is cleaned: the least of the high watermark, the first unstable offset, and where
  // the journal's checkpoint ends (durability.md, rule 6).
  Offset limit;
};

enum class CleaningReason : uint8_t { none, dirty_ratio, max_lag };

struct CleaningDecision {
  CleaningReason reason = CleaningReason::none;  // none: not now
  Offset first_dirty;                            // the map is built from here
  Offset end;  // to here: a segment's base; everything below is cleaned with the map
  uint64_t clean_bytes = 0;
  uint64_t cleanable_bytes = 0;
  int64_t overdue_ms = 0;          // by which max.compaction.lag.ms is exceeded
  bool forget_cleaned_to = false;  // `cleaned_to` lies outside of the log: remember first_dirty instead
  [[nodiscard]] double dirty_ratio() const {
    const auto total = static_cast<double>(clean_bytes + cleanable_bytes);
    return total == 0 ? 0 : static_cast<double>(cleanable_bytes) / total;
  }
};

// Which of several logs is cleaned first is by the greatest dirty_ratio() of those with a reason.
[[nodiscard]] CleaningDecision decide_cleaning(const CleanableLog& log, const CleaningSettings& settings,
                                               runtime::WallTime now);

// Neighbours that become one segment: a part of the segments given.
struct SegmentGroup {
  size_t first = 0;
  size_t count = 0;
};

// The segments that begin below `end`, in groups: each is one segment, or no more bytes than segment.bytes,
// no more index than segment.index.bytes, and no wider than the 2^31 offsets that an index can name. A group
// of several never holds more than a position of 31 bits can name.
[[nodiscard]] std::vector<SegmentGroup> group_segments(std::span<const CleanableSegment> segments, Offset end,
                                                       const CleaningSettings& settings);

}  // namespace tidemark::storage
