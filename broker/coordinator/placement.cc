#include "broker/coordinator/placement.h"

#include "protocol/invariant.h"

namespace tidemark::coordinator {

namespace {

// The next code point of UTF-8 text; what is not such text counts byte by byte.
uint32_t next_code_point(std::string_view& text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  const size_t length = first < 0x80       ? 1
                        : first >> 5 == 6  ? 2
                        : first >> 4 == 14 ? 3
                        : first >> 3 == 30 ? 4
                                           : 1;
  uint32_t point = first;
  if (length > 1 && length <= text.size()) {
    point = first & (0xFFU >> (length + 1));
    for (size_t i = 1; i < length; ++i) point = point << 6 | (byte(i) & 0x3FU);
    text.remove_prefix(length);
  } else {
    text.remove_prefix(1);
  }
  return point;
}

}  // namespace

PartitionId partition_of_group(std::string_view group, int32_t partitions) {
  REQUIRES(partitions > 0);
  uint32_t hash = 0;
  const auto add = [&](uint32_t unit) { hash = 31 * hash + unit; };
  while (!group.empty()) {
    const uint32_t point = next_code_point(group);
    if (point < 0x10000) {
      add(point);
    } else {
      add(0xD800 + ((point - 0x10000) >> 10));
      add(0xDC00 + ((point - 0x10000) & 0x3FF));
    }
  }
  return PartitionId(static_cast<int32_t>(hash & 0x7FFFFFFF) % partitions);
}

}  // namespace tidemark::coordinator
