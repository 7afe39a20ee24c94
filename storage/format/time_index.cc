#include "storage/format/time_index.h"

namespace tidemark::storage {

template class Index<TimestampOffset>;

bool TimestampOffset::fits(Offset base) const {
  return offset >= base && offset - base <= INT32_MAX && timestamp_ms >= 0;
}

void TimestampOffset::encode(Offset base, std::byte* out) const {
  REQUIRES(fits(base));
  detail::put_big_endian(out, timestamp_ms, 8);
  detail::put_big_endian(out + 8, offset - base, 4);
}

TimestampOffset TimestampOffset::decode(Offset base, const std::byte* in) {
  return {detail::get_big_endian(in, 8), base + detail::get_big_endian(in + 8, 4)};
}

}  // namespace tidemark::storage
