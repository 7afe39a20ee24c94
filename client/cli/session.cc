#include "client/cli/session.h"

#include "client/core/nearest.h"

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

runtime::Task<Result<const client::TopicMetadata*>> find_topic(Session& session, std::string name) {
  client::Cluster& cluster = session.cluster;
  auto asking = cluster.topic(name, false, cluster.scheduler().mono() + kTopicPatience);
  auto found = co_await asking;
  if (found || found.error().code() != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) co_return found;
  client::Cluster::Interest all;
  all.all = true;
  auto listing = cluster.refresh(std::move(all));
  (void)co_await listing;
  std::vector<std::string_view> names;
  for (const auto& [known, topic] : cluster.metadata().topics()) {
    if (topic.error == ErrorCode::NONE) names.push_back(known);
  }
  const std::string_view nearest = client::nearest_word(name, names);
  if (nearest.empty()) co_return found;
  co_return fail(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, fmt::format("{} (did you mean {}?)", name, nearest));
}

}  // namespace tidemark::cli
