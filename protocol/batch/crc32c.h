// CRC32C (Castagnoli) by ISA-L: record batches, journal groups and our small files carry it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tidemark::protocol {

[[nodiscard]] uint32_t crc32c(std::span<const std::byte> bytes);
// The checksum of A followed by B, from A's checksum and B.
[[nodiscard]] uint32_t crc32c_extend(uint32_t crc, std::span<const std::byte> bytes);

}  // namespace tidemark::protocol
