#include "protocol/batch/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace tidemark::protocol {

uint32_t crc32c(std::span<const std::byte> bytes) { return crc32c_extend(0, bytes); }

uint32_t crc32c_extend(uint32_t crc, std::span<const std::byte> bytes) {
  constexpr size_t kMost = size_t{1} << 30;  // ISA-L counts in int
  crc = ~crc;
  while (!bytes.empty()) {
    const size_t now = std::min(bytes.size(), kMost);
    auto* data =
        reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data()));  // ISA-L only reads it
    crc = crc32_iscsi(data, static_cast<int>(now), crc);
    bytes = bytes.subspan(now);
  }
  return ~crc;
}

}  // namespace tidemark::protocol
