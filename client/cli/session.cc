#include "client/cli/session.h"

#include <charconv>

namespace tidemark::cli {
namespace {

// A topic that was created a moment ago may not have reached every broker.
constexpr std::chrono::milliseconds kTopicPatience(2'000);

}  // namespace

Result<std::pair<std::string, std::string>> parse_pair(std::string_view text, std::string_view what) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos)
    return fail(Error::config(fmt::format("{} '{}' is not of the form key=value", what, text)));
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

Result<int64_t> parse_number(std::string_view text, std::string_view what, int64_t least, int64_t most) {
  int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || number < least || number > most)
    return fail(Error::config(fmt::format("{} '{}' is no number from {} to {}", what, text, least, most)));
  return number;
}

runtime::Task<Result<const client::TopicMetadata*>> find_topic(Session& session, std::string name) {
  return session.cluster.topic(std::move(name), false, session.cluster.scheduler().mono() + kTopicPatience);
}

}  // namespace tidemark::cli
