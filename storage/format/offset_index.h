// Kafka's .index: where in the segment an offset is found. An entry is (last offset of a batch, position of
// its first byte), on disk (int32 offset - base, int32 position). A read of offset X starts at
// lookup(X).position and walks batch headers: the batch that holds X lies there or after.
#pragma once

#include "storage/format/index.h"

namespace tidemark::storage {

struct OffsetPosition {
  using Key = Offset;
  static constexpr size_t kBytes = 8;
  static constexpr std::string_view kName = "offset index";

  Offset offset;
  int64_t position = 0;  // 31 bits
  bool operator==(const OffsetPosition&) const = default;

  [[nodiscard]] Key key() const { return offset; }
  [[nodiscard]] bool before(const OffsetPosition& next) const {
    return offset < next.offset && position < next.position;
  }
  [[nodiscard]] bool fits(Offset base) const;
  static OffsetPosition before_first(Offset base) { return {base, 0}; }
  // REQUIRES: fits(base).
  void encode(Offset base, std::byte* out) const;
  static OffsetPosition decode(Offset base, const std::byte* in);
};

extern template class Index<OffsetPosition>;
using OffsetIndex = Index<OffsetPosition>;

}  // namespace tidemark::storage
