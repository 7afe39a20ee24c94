#include "protocol/ids.h"

namespace tidemark {
namespace {

constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr size_t kTextLength = 22;

}  // namespace

Uuid Uuid::from_halves(uint64_t most, uint64_t least) {
  Uuid id;
  for (int i = 0; i < 8; ++i) {
    id.bytes[static_cast<size_t>(i)] = static_cast<std::byte>(most >> (56 - 8 * i));
    id.bytes[static_cast<size_t>(i + 8)] = static_cast<std::byte>(least >> (56 - 8 * i));
  }
  return id;
}

std::string Uuid::to_string() const {
  std::string text;
  text.reserve(kTextLength);
  uint32_t bits = 0;
  int count = 0;
  for (std::byte b : bytes) {
    bits = (bits << 8) | std::to_integer<uint32_t>(b);
    count += 8;
    for (; count >= 6; count -= 6) text.push_back(kBase64Url[(bits >> (count - 6)) & 63]);
  }
  text.push_back(kBase64Url[(bits << (6 - count)) & 63]);
  return text;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != kTextLength) return std::nullopt;
  Uuid id;
  uint32_t bits = 0;
  int count = 0;
  size_t out = 0;
  for (char c : text) {
    const size_t digit = kBase64Url.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    id.bytes[out++] = static_cast<std::byte>((bits >> count) & 0xFF);
  }
  if ((bits & 0xF) != 0) return std::nullopt;  // the four bits past the sixteenth byte
  return id;
}

}  // namespace tidemark
