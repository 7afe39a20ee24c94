#include "client/core/cluster_survey.h"

#include <charconv>

#include "client/core/admin_wire.h"
#include "client/core/all_at_once.h"
#include "client/core/co_try.h"
#include "protocol/messages/describe_configs_request.h"
#include "protocol/messages/describe_configs_response.h"
#include "protocol/messages/describe_log_dirs_request.h"
#include "protocol/messages/describe_log_dirs_response.h"

namespace tidemark::client {
namespace {

using runtime::Task;

constexpr size_t kTopicsPerRequest = 1'000;
constexpr std::string_view kMinInSync = "min.insync.replicas";
// A rebalance is no fault; one that is not over by then may be. Kafka's group.initial.rebalance.delay.ms.
constexpr std::chrono::milliseconds kRebalancePatience(3'000);

// Asks one broker, into `look`.
Task<void> look_at(Cluster& cluster, BrokerLook& look) {
  Task<Result<Cluster::Link>> opening = cluster.broker(look.node.id);
  const Result<Cluster::Link> link = co_await opening;  // which asks ApiVersions
  if (!link) {
    look.unreachable = link.error();
  } else if (const auto version = (*link)->version_of<protocol::DescribeLogDirsRequest>(); !version) {
    look.log_dirs_error = version.error();
  } else {
    protocol::DescribeLogDirsRequest request;
    request.topics.emplace();  // the folders alone
    auto asking =
        (*link)->call<protocol::DescribeLogDirsRequest, protocol::DescribeLogDirsResponse>(request, *version);
    const auto reply = co_await asking;
    const auto where = fmt::format("broker {}", look.node.id.value);
    if (!reply) {
      look.log_dirs_error = reply.error();
    } else if (const auto error = error_of(reply->body.error_code, std::nullopt, where)) {
      look.log_dirs_error = *error;
    } else {
      for (const auto& each : reply->body.results) {
        const std::string path(each.log_dir);
        look.log_dirs.push_back(
            {path, error_of(each.error_code, std::nullopt, path), each.total_bytes, each.usable_bytes});
      }
    }
  }
}

Task<Result<void>> read_min_in_sync(Cluster& cluster, std::span<const TopicMetadata> topics,
                                    std::map<std::string, int32_t>& out) {
  Task<Result<Cluster::Link>> opening = cluster.any();
  const Result<Cluster::Link> link = co_await opening;
  if (!link) co_return fail(Error(link.error()));
  CO_TRY_ASSIGN(const int16_t version, (*link)->version_of<protocol::DescribeConfigsRequest>());
  while (!topics.empty()) {
    const auto share = topics.first(std::min(topics.size(), kTopicsPerRequest));
    topics = topics.subspan(share.size());
    protocol::DescribeConfigsRequest request;
    for (const TopicMetadata& topic : share) {
      auto& wanted = request.resources.emplace_back();
      wanted.resource_type = static_cast<int8_t>(ResourceType::topic);
      wanted.resource_name = topic.name;
      wanted.configuration_keys.emplace().push_back(kMinInSync);
    }
    auto asking =
        (*link)->call<protocol::DescribeConfigsRequest, protocol::DescribeConfigsResponse>(request, version);
    const auto reply = co_await asking;
    if (!reply) co_return fail(Error(reply.error()));
    for (const auto& topic : reply->body.results) {
      const auto error = error_of(topic.error_code, topic.error_message, topic.resource_name);
      // (One that was deleted meanwhile is no loss.)
      if (error && error->code() != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) co_return fail(Error(*error));
      for (const auto& config : topic.configs) {
        const std::string_view value = config.value.value_or("");
        int32_t number = 0;
        const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
        if (config.name == kMinInSync && parsed.ec == std::errc())
          out[std::string(topic.resource_name)] = number;
      }
    }
  }
  co_return Result<void>();
}

bool in_rebalance(const ListedGroup& group) {
  return group.state == "PreparingRebalance" || group.state == "CompletingRebalance" ||
         group.state == "Assigning" || group.state == "Reconciling";
}

Task<void> look_at_groups(Cluster& cluster, ClusterSurvey& survey) {
  GroupAdmin admin(cluster);
  std::vector<std::string> any_state;
  auto listing = admin.list(any_state);
  const auto listed = co_await listing;
  if (!listed) {
    for (const BrokerLook& broker : survey.brokers)
      survey.groups_unknown.emplace(broker.node.id, listed.error());
    co_return;
  }
  survey.groups_unknown = listed->failed;
  std::vector<std::string> active;
  std::set<std::string, std::less<>> moving;
  for (const ListedGroup& group : listed->groups) {
    survey.groups.push_back({group, false, {}, std::nullopt});
    // Others do not answer DescribeGroups; of those without members there is nothing to tell.
    const bool is_classic = group.type.empty() || group.type == "classic";
    if (is_classic && group.state != "Empty" && group.state != "Dead") active.push_back(group.id);
    if (in_rebalance(group)) moving.insert(group.id);
  }
  auto describing = admin.describe(active);
  const auto described = co_await describing;
  const auto nobody_tells = [&survey](const Error& error) {
    for (const BrokerLook& broker : survey.brokers) survey.groups_unknown.emplace(broker.node.id, error);
  };
  if (!described) nobody_tells(described.error());
  for (GroupLook& look : survey.groups) {
    if (!described) break;
    const auto found = described->find(look.group.id);
    if (found == described->end()) continue;
    if (found->second) {
      if (found->second->rebalances) look.rebalances = *found->second->rebalances;
    } else if (found->second.error().code() != ErrorCode::GROUP_ID_NOT_FOUND) {
      look.error = found->second.error();
    }
  }
  if (moving.empty()) co_return;
  Task<void> pause = runtime::sleep_for(cluster.scheduler(), kRebalancePatience);
  co_await pause;
  auto listing_again = admin.list(any_state);
  const auto listed_again = co_await listing_again;
  if (!listed_again) {
    nobody_tells(listed_again.error());
    co_return;
  }
  survey.groups_unknown.insert(listed_again->failed.begin(), listed_again->failed.end());
  for (const ListedGroup& group : listed_again->groups) {
    if (!in_rebalance(group) || !moving.contains(group.id)) continue;
    for (GroupLook& look : survey.groups) {
      if (look.group.id != group.id) continue;
      look.group.state = group.state;
      look.is_moving = true;
    }
  }
}

}  // namespace

Task<Result<ClusterSurvey>> survey_cluster(Cluster& cluster) {
  Task<Result<void>> refreshing = cluster.refresh({});
  const Result<void> refreshed = co_await refreshing;
  if (!refreshed) co_return fail(Error(refreshed.error()));
  ClusterSurvey survey;
  const Metadata& metadata = cluster.metadata();
  for (const auto& [id, node] : metadata.brokers())
    survey.brokers.push_back({node, std::nullopt, std::nullopt, {}});
  std::vector<Task<void>> looks;
  for (BrokerLook& look : survey.brokers) looks.push_back(look_at(cluster, look));
  Task<void> looking = all_at_once(cluster.scheduler(), std::move(looks));
  co_await looking;
  auto surveying = survey_partitions(cluster);
  auto surveyed = co_await surveying;
  if (!surveyed) co_return fail(Error(surveyed.error()));
  survey.partitions = std::move(*surveyed);
  survey.cluster_id = metadata.cluster_id();
  survey.controller = metadata.controller();
  for (const auto& [name, topic] : metadata.topics()) survey.topics.push_back(topic);
  auto reading = read_min_in_sync(cluster, survey.topics, survey.min_in_sync);
  const Result<void> read = co_await reading;
  if (!read) survey.settings_error = read.error();
  Task<void> grouping = look_at_groups(cluster, survey);
  co_await grouping;
  co_return survey;
}

}  // namespace tidemark::client
