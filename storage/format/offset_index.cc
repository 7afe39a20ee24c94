#include "storage/format/offset_index.h"

namespace tidemark::storage {

template class Index<OffsetPosition>;

bool OffsetPosition::fits(Offset base) const {
  return offset >= base && offset - base <= INT32_MAX && position >= 0 && position <= INT32_MAX;
}

void OffsetPosition::encode(Offset base, std::byte* out) const {
  REQUIRES(fits(base));
  detail::put_big_endian(out, offset - base, 4);
  detail::put_big_endian(out + 4, position, 4);
}

OffsetPosition OffsetPosition::decode(Offset base, const std::byte* in) {
  return {base + detail::get_big_endian(in, 4), detail::get_big_endian(in + 4, 4)};
}

}  // namespace tidemark::storage
