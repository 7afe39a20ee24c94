#include "tests/vectors/vector_check.h"

namespace tidemark::vectors {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<std::vector<std::byte>> parse_hex(std::string_view text) {
  if (text.size() % 2 != 0) return fail(ErrorCode::CORRUPT_MESSAGE, "an odd number of hex digits");
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return fail(ErrorCode::CORRUPT_MESSAGE, "not a hex digit");
    bytes.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return bytes;
}

std::string to_hex(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    text.push_back(kDigits[std::to_integer<size_t>(b) >> 4]);
    text.push_back(kDigits[std::to_integer<size_t>(b) & 15]);
  }
  return text;
}

}  // namespace tidemark::vectors
