// Integers in network order at any address. Inline; no state; any thread.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace tidemark::protocol {

static_assert(std::endian::native == std::endian::little, "this code swaps bytes always");

template <std::integral T>
constexpr T swap_bytes(T value) {
  if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(static_cast<uint16_t>(value)));
  if constexpr (sizeof(T) == 4) return static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(value)));
  if constexpr (sizeof(T) == 8) return static_cast<T>(__builtin_bswap64(static_cast<uint64_t>(value)));
  return value;
}

template <std::integral T>
T load_big_endian(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return swap_bytes(value);
}

template <std::integral T>
void store_big_endian(std::byte* at, std::type_identity_t<T> value) {
  value = swap_bytes(value);
  std::memcpy(at, &value, sizeof value);
}

}  // namespace tidemark::protocol
