// The framing around snappy blocks that Java's snappy streams write: a 16-byte header (magic, version, lowest
// compatible version), then blocks, each behind its length in four bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>

namespace tidemark::protocol {

inline constexpr std::array<unsigned char, 8> kXerialMagic{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
inline constexpr size_t kXerialHeaderBytes = 16;
// Input bytes of a block that we write: Java's own size.
inline constexpr size_t kXerialBlockBytes = size_t{32} << 10;

inline bool is_xerial(std::span<const std::byte> payload) {
  return payload.size() >= kXerialHeaderBytes &&
         std::memcmp(payload.data(), kXerialMagic.data(), kXerialMagic.size()) == 0;
}

}  // namespace tidemark::protocol
