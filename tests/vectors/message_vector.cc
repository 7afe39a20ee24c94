#include "protocol/messages.h"
#include "tests/vectors/vector_check.h"

namespace tidemark::vectors {
namespace {

using nlohmann::json;
using protocol::MessageType;

constexpr size_t kShownCharacters = 200;

std::string shown(const json& value) {
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > kShownCharacters) text = text.substr(0, kShownCharacters) + "...";
  return text;
}

Result<void> differs(const std::string& path, const std::string& what) {
  return fail(ErrorCode::CORRUPT_MESSAGE, fmt::format("{}: {}", path.empty() ? "/" : path, what));
}

// `sparse` lacks tagged fields that hold their default, `full` has them: the expected values may do either.
// Unknown tagged fields are ours alone to show.
Result<void> compare(const json& expected, const json& sparse, const json& full, const std::string& path) {
  if (expected.is_object() && full.is_object()) {
    for (const auto& [key, value] : expected.items()) {
      if (!full.contains(key)) return differs(path + "/" + key, "expected, but not decoded");
      TRY(compare(value, sparse.contains(key) ? sparse[key] : full[key], full[key], path + "/" + key));
    }
    for (const auto& [key, value] : sparse.items()) {
      if (!expected.contains(key) && key != "_unknownTags")
        return differs(path + "/" + key, "decoded, but not expected");
    }
    return {};
  }
  if (expected.is_array() && full.is_array()) {
    if (expected.size() != full.size()) {
      return differs(path, fmt::format("{} elements expected, {} decoded", expected.size(), full.size()));
    }
    for (size_t i = 0; i < expected.size(); ++i) {
      TRY(compare(expected[i], sparse[i], full[i], fmt::format("{}/{}", path, i)));
    }
    return {};
  }
  if (expected == full) return {};
  return differs(path, fmt::format("expected {}, decoded {}", shown(expected), shown(full)));
}

}  // namespace

Result<void> check_message_vector(const json& line) {
  const auto name = line.at("message").get<std::string>();
  const auto version = line.at("version").get<int16_t>();
  const MessageType* type = protocol::find_message_type(name);
  if (type == nullptr) return differs("", "no message of this name");
  TRY_ASSIGN(const auto bytes, parse_hex(line.at("hex").get<std::string>()));
  TRY_ASSIGN(const auto seen, type->inspect(bytes, version));
  if (seen.consumed != bytes.size()) {
    return differs("", fmt::format("{} of {} bytes decoded", seen.consumed, bytes.size()));
  }
  TRY(compare(line.at("json"), json::parse(seen.json), json::parse(seen.json_with_defaults), ""));
  if (seen.encoded != bytes) {
    return differs("", fmt::format("encodes to {} and not {}", to_hex(seen.encoded), to_hex(bytes)));
  }
  return {};
}

}  // namespace tidemark::vectors
