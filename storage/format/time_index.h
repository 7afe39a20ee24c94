// Kafka's .timeindex: up to which offset a timestamp was not exceeded. An entry is (greatest timestamp of the
// segment so far, last offset of the first batch that has it), on disk (int64 ms, int32 offset - base). A
// search for the first record at or after T starts at the offset index's position of lookup(T).offset.
#pragma once

#include "storage/format/index.h"

namespace tidemark::storage {

struct TimestampOffset {
  using Key = int64_t;
  static constexpr size_t kBytes = 12;
  static constexpr std::string_view kName = "time index";

  int64_t timestamp_ms = -1;  // -1: none
  Offset offset;
  bool operator==(const TimestampOffset&) const = default;

  [[nodiscard]] Key key() const { return timestamp_ms; }
  [[nodiscard]] bool before(const TimestampOffset& next) const {
    return timestamp_ms < next.timestamp_ms && offset < next.offset;
  }
  [[nodiscard]] bool fits(Offset base) const;
  static TimestampOffset before_first(Offset base) { return {-1, base}; }
  // REQUIRES: fits(base).
  void encode(Offset base, std::byte* out) const;
  static TimestampOffset decode(Offset base, const std::byte* in);
};

extern template class Index<TimestampOffset>;
using TimeIndex = Index<TimestampOffset>;

}  // namespace tidemark::storage
