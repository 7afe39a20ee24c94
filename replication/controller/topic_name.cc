#include "replication/controller/topic_name.h"

#include <fmt/format.h>

#include <algorithm>

namespace tidemark::replication {

namespace {

bool is_legal(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

}  // namespace

Result<void> validate_topic_name(std::string_view name) {
  std::string reason;
  if (name.empty()) {
    reason = "the empty string is not allowed";
  } else if (name == "." || name == "..") {
    reason = fmt::format("'{}' is not allowed", name);
  } else if (name.size() > kMaxTopicNameBytes) {
    reason =
        fmt::format("the length of '{}' is longer than the max allowed length {}", name, kMaxTopicNameBytes);
  } else if (!std::all_of(name.begin(), name.end(), is_legal)) {
    reason = fmt::format(
        "'{}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name);
  } else {
    return {};
  }
  return fail(ErrorCode::INVALID_TOPIC_EXCEPTION, "Topic name is invalid: " + reason);
}

}  // namespace tidemark::replication
