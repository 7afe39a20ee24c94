#include "storage/retention.h"

#include <algorithm>

namespace tidemark::storage {

std::vector<SegmentFacts> segment_facts(std::span<const Segment> segments, Offset end) {
  std::vector<SegmentFacts> facts;
  facts.reserve(segments.size());
  for (size_t i = 0; i < segments.size(); ++i) {
    const Segment& s = segments[i];
    facts.push_back({s.base, i + 1 < segments.size() ? segments[i + 1].base : end, s.bytes, s.max_timestamp,
                     s.last_append});
  }
  return facts;
}

int64_t retention_timestamp_ms(const SegmentFacts& segment) {
  const int64_t appended = runtime::unix_ms(segment.last_append);
  return segment.max_timestamp_ms < 0 ? appended : std::min(segment.max_timestamp_ms, appended);
}

Retained decide_retention(std::span<const SegmentFacts> segments, const RetentionLimits& limits,
                          Offset log_start, Offset high_watermark, runtime::WallTime now) {
  Retained result;
  // Takes further segments off the front while `breached` says so.
  auto take_while = [&](DeletionReason reason, auto breached) {
    while (result.delete_count < segments.size()) {
      const SegmentFacts& segment = segments[result.delete_count];
      const bool active = result.delete_count + 1 == segments.size();
      if (segment.next_offset > high_watermark || (active && segment.size_bytes == 0)) return;
      if (!breached(segment, active)) return;
      ++result.delete_count;
      result.reason = reason;
      result.roll_first = active;
    }
  };
  take_while(DeletionReason::log_start, [&](const SegmentFacts& segment, bool active) {
    return !active && segment.next_offset <= log_start;
  });
  if (limits.retention_bytes >= 0) {
    uint64_t left = 0;
    for (const SegmentFacts& segment : segments.subspan(result.delete_count)) left += segment.size_bytes;
    const auto keep = static_cast<uint64_t>(limits.retention_bytes);
    take_while(DeletionReason::size, [&](const SegmentFacts& segment, bool) {
      if (left < keep || left - keep < segment.size_bytes) return false;
      left -= segment.size_bytes;
      return true;
    });
  }
  if (limits.retention_ms >= 0) {
    take_while(DeletionReason::time, [&](const SegmentFacts& segment, bool) {
      return runtime::unix_ms(now) - retention_timestamp_ms(segment) > limits.retention_ms;
    });
  }
  return result;
}

int64_t draw_roll_jitter(uint64_t seed, Offset base, int64_t at_most) {
  if (at_most <= 0) return 0;
  // SplitMix64's finisher: neighbours in both numbers draw far apart.
  uint64_t x = seed * 0x9E3779B97F4A7C15ULL + static_cast<uint64_t>(base.value);
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  x ^= x >> 31;
  return static_cast<int64_t>(x % (static_cast<uint64_t>(at_most) + 1));
}

RollReason decide_roll(const ActiveSegment& active, const NextAppend& next, const RollLimits& limits,
                       runtime::WallTime now) {
  if (next.last_offset - active.base_offset > INT32_MAX) return RollReason::offsets;
  if (active.size_bytes == 0) return RollReason::none;
  if (next.size_bytes > limits.segment_bytes || active.size_bytes > limits.segment_bytes - next.size_bytes)
    return RollReason::size;
  const bool has_time = active.first_timestamp_ms && *active.first_timestamp_ms >= 0;
  const int64_t waited =
      has_time ? next.max_timestamp_ms - *active.first_timestamp_ms : (now - active.created).count();
  if (waited > limits.segment_ms - limits.jitter_ms) return RollReason::time;
  return active.indexes_full ? RollReason::index : RollReason::none;
}

}  // namespace tidemark::storage
