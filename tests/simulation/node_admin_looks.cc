// What the admin asks and only looks at: topics, settings, the metadata log's term.
#include "protocol/messages/describe_configs_request.h"
#include "protocol/messages/describe_configs_response.h"
#include "protocol/messages/describe_quorum_request.h"
#include "protocol/messages/describe_quorum_response.h"
#include "protocol/messages/metadata_request.h"
#include "protocol/messages/metadata_response.h"
#include "tests/simulation/library_clients.h"
#include "tests/simulation/node_admin.h"
#include "tests/simulation/node_member.h"

namespace tidemark::simulation {

using runtime::Task;

namespace {

constexpr int8_t kTopicResource = 2;
constexpr int8_t kDynamicTopicSource = 1;

}  // namespace

Task<bool> NodeAdmin::look_at_topics() {
  protocol::MetadataRequest request;
  request.topics.reset();
  request.allow_auto_topic_creation = false;
  auto connecting = connect();
  const bool connected = co_await connecting;
  if (!connected) co_return false;
  std::map<std::string, uint64_t> versions;
  for (const auto& name : run_.cluster.names()) versions[name] = run_.cluster.name(name).version;
  const auto version = static_cast<int16_t>(run_.random.between(10, 13));
  auto asking = ask<protocol::MetadataResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return false;
  std::map<std::string, ClusterModel::Seen> seen;
  for (const auto& topic : reply->body.topics) {
    const std::string name(topic.name.value_or(""));
    if (name == kGroupsTopic || name == LibraryClients::kTopic || name == "__consumer_offsets") continue;
    if (!versions.contains(name)) {
      run_.violate(fmt::format("there is a topic {}, which nobody made", name));
      co_return false;
    }
    seen[name] = {topic.topic_id, static_cast<int32_t>(topic.partitions.size())};
  }
  for (const auto& [name, at_send] : versions) {
    const auto it = seen.find(name);
    const auto there = it == seen.end() ? std::nullopt : std::optional(it->second);
    run_.judge(run_.cluster.saw(name, there, at_send, life()));
  }
  for (const auto& topic : reply->body.topics) {
    const TopicPtr known = run_.cluster.topic(topic.topic_id);
    if (!known) continue;
    for (const auto& p : topic.partitions) {
      if (p.partition_index >= known->partition_count()) continue;
      PartitionModel& model = known->partition(PartitionId(p.partition_index));
      if (p.leader_id >= 0) run_.judge(model.served(life()));
      run_.judge(model.saw_leader(LeaderEpoch(p.leader_epoch), life()));
    }
  }
  run_.count("node: looked at the topics");
  co_return true;
}

Task<bool> NodeAdmin::look_at_settings(std::string name) {
  protocol::DescribeConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = kTopicResource;
  resource.resource_name = name;
  resource.configuration_keys.reset();
  auto connecting = connect();
  const bool connected = co_await connecting;
  if (!connected) co_return false;
  const uint64_t at_send = run_.cluster.name(name).version;
  const auto version = static_cast<int16_t>(run_.random.between(1, 4));
  auto asking = ask<protocol::DescribeConfigsResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return false;
  const NameModel& model = run_.cluster.name(name);
  if (model.version != at_send || !model.topic) co_return true;
  if (reply->body.results.size() != 1) {
    run_.violate("DescribeConfigs answers for another topic");
    co_return false;
  }
  const auto& result = reply->body.results[0];
  if (const auto code = static_cast<ErrorCode>(result.error_code); code != ErrorCode::NONE) {
    if (!model.busy)
      run_.violate(fmt::format("DescribeConfigs {} is answered with {}", name, error_name(code)));
    co_return true;
  }
  for (const auto& config : result.configs) {
    std::optional<std::string> own;
    if (config.config_source == kDynamicTopicSource) own = std::string(config.value.value_or(""));
    if (own) run_.note("{} of {} is {}", config.name, name, *own);
    run_.judge(run_.cluster.saw_setting(name, std::string(config.name), own, at_send, life()));
  }
  if (model.pending == Pending::alter && life() > model.pending_life) run_.cluster.settings_settled(name);
  run_.count("node: looked at settings");
  co_return true;
}

Task<bool> NodeAdmin::look_at_term() {
  protocol::DescribeQuorumRequest request;
  auto& topic = request.topics.emplace_back();
  topic.topic_name = "__cluster_metadata";
  topic.partitions.emplace_back().partition_index = 0;
  const auto version = static_cast<int16_t>(run_.random.between(0, 2));
  auto asking = ask<protocol::DescribeQuorumResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return false;
  const auto& body = reply->body;
  if (body.error_code != 0 || body.topics.size() != 1 || body.topics[0].partitions.size() != 1) {
    run_.violate("DescribeQuorum does not tell of the metadata log");
    co_return false;
  }
  const int32_t term = body.topics[0].partitions[0].leader_epoch;
  const auto [known, is_new] = run_.terms.emplace(term, life());
  if (known->second != life()) {
    run_.violate(fmt::format("the metadata log's epoch {} was life {}'s, and is used again in life {}", term,
                             known->second, life()));
  }
  if (is_new && known != run_.terms.begin() && std::prev(known)->second > life())
    run_.violate(fmt::format("life {} leads the metadata log in epoch {}, out of order", life(), term));
  run_.count("node: looked at the quorum");
  co_return true;
}

}  // namespace tidemark::simulation
