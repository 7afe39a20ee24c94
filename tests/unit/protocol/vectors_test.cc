// Hostile variants of the committed vectors: truncated everywhere, and with lying lengths at every place.
#include <catch2/catch.hpp>

#include <fstream>

#include "protocol/decoder.h"
#include "protocol/messages.h"
#include "tests/vectors/vector_check.h"

using namespace tidemark;
using namespace tidemark::protocol;

namespace {

struct Vector {
  const MessageType* type;
  int16_t version;
  std::vector<std::byte> bytes;
};

std::vector<Vector> load() {
  std::ifstream in("tests/vectors/messages.jsonl");
  std::vector<Vector> all;
  for (std::string text; std::getline(in, text);) {
    const auto line = nlohmann::json::parse(text);
    const auto* type = find_message_type(line.at("message").get<std::string>());
    REQUIRE(type != nullptr);
    all.push_back(
        {type, line.at("version").get<int16_t>(), *vectors::parse_hex(line.at("hex").get<std::string>())});
  }
  REQUIRE(all.size() > 1000);
  return all;
}

}  // namespace

TEST_CASE("no strict prefix of a message decodes") {
  size_t prefixes = 0;
  for (const Vector& vector : load()) {
    for (size_t size = 0; size < vector.bytes.size(); ++size) {
      // A heap copy of just the prefix, so that the sanitizers see a read beyond it.
      const std::vector<std::byte> prefix(vector.bytes.begin(),
                                          vector.bytes.begin() + static_cast<long>(size));
      const auto result = vector.type->inspect(prefix, vector.version);
      if (result)
        FAIL(vector.type->name << " version " << vector.version << " decodes from " << size << " bytes");
      ++prefixes;
    }
  }
  CHECK(prefixes > 40'000);
}

TEST_CASE("every vector stays within the memory budget") {
  for (const Vector& vector : load()) {
    const auto result = vector.type->inspect(vector.bytes, vector.version);
    REQUIRE(result);
    CHECK(result->memory_charged <= vector.bytes.size() * kMemoryPerFrameByte);
  }
}

TEST_CASE("lying counts at every place are errors or other values, and what decodes encodes") {
  const auto lies = {vectors::parse_hex("7fffffff"), vectors::parse_hex("ffffffff0f"),
                     vectors::parse_hex("80000000"), vectors::parse_hex("fffe"),
                     vectors::parse_hex("ffffff7f")};
  size_t refused = 0;
  for (const Vector& vector : load()) {
    for (size_t at = 0; at < vector.bytes.size(); at += 3) {
      for (const auto& lie : lies) {
        std::vector<std::byte> bytes = vector.bytes;
        for (size_t i = 0; i < lie->size() && at + i < bytes.size(); ++i) bytes[at + i] = (*lie)[i];
        const auto result = vector.type->inspect(bytes, vector.version);
        if (!result) {
          if (result.error().code() != ErrorCode::INVALID_REQUEST) FAIL(result.error().message());
          ++refused;
        } else if (result->memory_charged > bytes.size() * kMemoryPerFrameByte) {
          FAIL(vector.type->name << " took " << result->memory_charged << " bytes");
        }
      }
    }
  }
  CHECK(refused > 1000);
}
