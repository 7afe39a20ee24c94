// OTLP by hand, for tests.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidemark::broker {

inline std::string varint(uint64_t number) {
  std::string out;
  for (; number >= 0x80; number >>= 7) out += static_cast<char>((number & 0x7F) | 0x80);
  return out + static_cast<char>(number);
}
inline std::string number(uint32_t field, uint64_t value) { return varint(field << 3) + varint(value); }
inline std::string fixed(uint32_t field, uint64_t value) {
  std::string out = varint(field << 3 | 1);
  for (int i = 0; i < 8; ++i) out += static_cast<char>(value >> 8 * i & 0xFF);
  return out;
}
inline std::string part(uint32_t field, std::string_view bytes) {
  return varint(field << 3 | 2) + varint(bytes.size()) + std::string(bytes);
}

inline std::string attribute(uint32_t field, std::string_view key, std::string_view value) {
  return part(field, part(1, key) + part(2, part(1, value)));
}
inline std::string point(double value, std::string_view attributes = {}) {
  return part(1, fixed(4, std::bit_cast<uint64_t>(value)) + std::string(attributes));
}
inline std::string point_of_int(int64_t value) { return part(1, fixed(6, static_cast<uint64_t>(value))); }
inline std::string gauge(std::string_view name, std::string_view points) {
  return part(2, part(1, name) + part(5, points));
}
enum class Since { push = 1, start = 2 };
// What describes it stands behind its points and its name behind both, as protobuf allows.
inline std::string sum(std::string_view name, Since since, std::string_view points, bool monotonic = true) {
  return part(2,
              part(7, std::string(points) + number(2, static_cast<uint64_t>(since)) + number(3, monotonic)) +
                  part(1, name));
}
// One client's.
inline std::string metrics_data(std::string_view metrics, std::string_view attributes = {}) {
  return part(1, part(1, attributes) + part(2, metrics));
}

}  // namespace tidemark::broker
