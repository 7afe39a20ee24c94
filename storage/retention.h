// Which segments a log gives up, and when it starts a new one: pure decisions over what the log knows of its
// segments, called by the log with the settings of the moment. Kafka's rules, with one difference: a record
// timestamp ahead of its append does not keep a segment (KAFKA-6482: one wrong clock kept it for years).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "protocol/ids.h"
#include "protocol/runtime/time.h"
#include "storage/segment.h"

namespace tidemark::storage {

struct SegmentFacts {
  Offset base_offset;
  Offset next_offset;  // behind its last record; the next segment's base
  uint64_t size_bytes = 0;
  int64_t max_timestamp_ms = -1;  // -1: its records have none
  // When it was last appended to; for a segment found at a start, when it was opened or the file's time.
  runtime::WallTime last_append{};
};

// Of a whole log that ends at `end`.
[[nodiscard]] std::vector<SegmentFacts> segment_facts(std::span<const Segment> segments, Offset end);

struct RetentionLimits {
  int64_t retention_ms = -1;     // retention.ms; -1: for ever
  int64_t retention_bytes = -1;  // retention.bytes; -1: no bound
};

enum class DeletionReason : uint8_t { none, log_start, time, size };

struct Retained {
  size_t delete_count = 0;  // so many segments from the front
  // Why the last of them goes; for the log line.
  DeletionReason reason = DeletionReason::none;
  // Everything goes, also the active segment: roll first, so that one segment remains.
  bool roll_first = false;
};

// `segments`: the whole log, oldest first, the last one active. Deletes a prefix: segments wholly below
// `log_start` (DeleteRecords), then what exceeds the size, then what has expired. None that reaches above the
// high watermark, and never an empty active one.
[[nodiscard]] Retained decide_retention(std::span<const SegmentFacts> segments, const RetentionLimits& limits,
                                        Offset log_start, Offset high_watermark, runtime::WallTime now);

// From when on a segment's age counts: its greatest record timestamp, but not later than its last append, and
// that append where its records have no timestamp.
[[nodiscard]] int64_t retention_timestamp_ms(const SegmentFacts& segment);

struct RollLimits {
  uint64_t segment_bytes = 1 << 30;  // segment.bytes
  int64_t segment_ms = 0;            // segment.ms
  int64_t jitter_ms = 0;             // of this segment: draw_roll_jitter()
};

struct ActiveSegment {
  Offset base_offset;
  uint64_t size_bytes = 0;
  bool indexes_full = false;                  // SegmentIndexes::full
  std::optional<int64_t> first_timestamp_ms;  // max timestamp of its first batch; none or negative: no time
  runtime::WallTime created{};
};
struct NextAppend {
  uint64_t size_bytes = 0;
  Offset last_offset;
  int64_t max_timestamp_ms = -1;
};

// What a segment's time is shortened by, from [0, at_most]: drawn from the log and the segment's base alone,
// so that it is the same after a restart. `seed`: the log's number in its folder.
[[nodiscard]] int64_t draw_roll_jitter(uint64_t seed, Offset base, int64_t at_most);

enum class RollReason : uint8_t { none, size, time, index, offsets };

// Whether `next` goes into a new segment. An empty segment rolls only where an offset would not fit. Time is
// measured from the first batch's timestamp to the append's, or by the clock where records have none.
[[nodiscard]] RollReason decide_roll(const ActiveSegment& active, const NextAppend& next,
                                     const RollLimits& limits, runtime::WallTime now);

}  // namespace tidemark::storage
