// The zigzag varints inside records: 7 bits a byte, lowest first, at most 5 bytes for 32 bits and 10 for 64.
// Padded encodings are taken, as Kafka takes them; bits beyond the type's width are not. Inline: a record has
// at least six of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tidemark::protocol {

constexpr uint64_t zigzag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
constexpr int64_t unzigzag(uint64_t bits) {
  return static_cast<int64_t>(bits >> 1) ^ -static_cast<int64_t>(bits & 1);
}

// The bytes that `value` takes. 32-bit values have the same encoding in both widths.
constexpr size_t varint_size(int64_t value) {
  const uint64_t bits = zigzag(value) | 1;
  return static_cast<size_t>((70 - __builtin_clzll(bits)) / 7);
}

inline std::byte* write_varint(std::byte* at, int64_t value) {
  uint64_t bits = zigzag(value);
  for (; bits >= 0x80; bits >>= 7) *at++ = static_cast<std::byte>(bits | 0x80);
  *at++ = static_cast<std::byte>(bits);
  return at;
}
inline void append_varint(std::vector<std::byte>& out, int64_t value) {
  std::byte bytes[10];
  out.insert(out.end(), bytes, write_varint(bytes, value));
}

// False: the bytes end first, or are no varint of the width; `p` is then anywhere before `end`.
inline bool read_varint64(const std::byte*& p, const std::byte* end, int64_t& value) {
  uint64_t bits = 0;
  for (unsigned shift = 0; shift < 70 && p != end; shift += 7) {
    const auto byte = std::to_integer<uint64_t>(*p++);
    bits |= (byte & 0x7F) << shift;
    if (byte < 0x80) {
      value = unzigzag(bits);
      return shift < 63 || byte <= 1;
    }
  }
  return false;
}
inline bool read_varint32(const std::byte*& p, const std::byte* end, int32_t& value) {
  uint32_t bits = 0;
  for (unsigned shift = 0; shift < 35 && p != end; shift += 7) {
    const auto byte = std::to_integer<uint32_t>(*p++);
    bits |= (byte & 0x7F) << shift;
    if (byte < 0x80) {
      value = static_cast<int32_t>((bits >> 1) ^ (0 - (bits & 1)));
      return shift < 28 || byte <= 0x0F;
    }
  }
  return false;
}

}  // namespace tidemark::protocol
