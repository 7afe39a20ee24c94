// CreateTopics (key 19), v2-7; over its client's quota refused from v6 on (KIP-599): with configs, manual
// assignment, broker defaults for -1 (KIP-464), validate_only; the response carries the topic's settings from
// v5 (KIP-525) and its id from v7. Answered when every shard has the partitions.
#include "broker/api/config_description.h"
#include "broker/api/handlers.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

constexpr int16_t kStrictCreationSince = 6;
constexpr int16_t kFirstWithConfigs = 5;

using Configs = std::vector<protocol::create_topics_response_types::CreatableTopicConfigs>;

// Of the rows and of their encoded form.
uint64_t bytes_of(const Configs& configs) {
  uint64_t bytes = 0;
  for (const auto& config : configs)
    bytes += 2 * sizeof(config) + config.name.size() + 2 * config.value.value_or("").size();
  return bytes;
}

Configs describe(const ClusterView& view, const config::NodeConfig& node, const config::Properties& overrides,
                 protocol::Arena& arena) {
  Configs configs;
  for (const config::DescribedConfig& described : describe_topic(view, node, overrides)) {
    auto& config = configs.emplace_back();
    config.name = described.name;
    config.value = std::nullopt;
    if (described.value) config.value = arena.copy(*described.value);
    config.read_only = described.read_only;
    config.config_source = static_cast<int8_t>(described.source);
    config.is_sensitive = described.is_sensitive;
  }
  return configs;
}

}  // namespace

Task<Result<Response>> handle_create_topics(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::CreateTopicsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  std::vector<replication::NewTopic> topics;
  for (const auto& wanted : decoded->topics) {
    auto& topic = topics.emplace_back();
    topic.name = wanted.name;
    topic.partitions = wanted.num_partitions;
    topic.replication_factor = wanted.replication_factor;
    for (const auto& assignment : wanted.assignments) {
      auto& replicas = topic.assignments.emplace_back();
      replicas.partition = PartitionId(assignment.partition_index);
      for (const int32_t id : assignment.broker_ids) replicas.brokers.emplace_back(id);
    }
    for (const auto& config : wanted.configs) {
      std::optional<std::string> value;
      if (config.value) value.emplace(*config.value);
      topic.configs.emplace_back(config.name, std::move(value));
    }
  }
  const auto quota = services.quotas.mutation_quota(request, kStrictCreationSince);
  MetadataService::Decide<std::vector<replication::CreatedTopic>> decision =
      [topics, validate = decoded->validate_only, quota](const replication::Controller& controller) {
        return controller.create_topics(topics, validate, asking(quota));
      };
  auto deciding = services.metadata.decide(services.home.loop(), std::move(decision));
  auto created = co_await deciding;
  if (quota) request.throttle.at_least(QuotaKind::controller_mutation, quota->pause());

  protocol::Arena arena;
  protocol::CreateTopicsResponse response;
  auto paid = std::make_shared<PaidAnswer>(services.answer_memory);
  bool is_full = false;
  const auto view = services.home.view();
  // A name that was given twice is answered once: the controller's answers are not the request's rows.
  for (size_t i = 0; i < (created ? created->size() : topics.size()); ++i) {
    auto& out = response.topics.emplace_back();
    const replication::ApiError error =
        created ? (*created)[i].error : replication::ApiError(created.error());
    out.name = arena.copy(created ? (*created)[i].name : topics[i].name);
    out.error_code = static_cast<int16_t>(error.code);
    out.error_message = std::nullopt;
    if (!error.ok()) {
      if (error.message) out.error_message = arena.copy(*error.message);
      out.num_partitions = -1;
      out.replication_factor = -1;
      continue;
    }
    const auto& topic = (*created)[i];
    out.topic_id = topic.id;
    out.num_partitions = topic.partitions;
    out.replication_factor = topic.replication_factor;
    if (request.header.request_api_version < kFirstWithConfigs) continue;
    out.configs = std::nullopt;
    if (!is_full) {
      out.configs = describe(*view, services.metadata.node_config(), topic.configs, arena);
      is_full = !paid->pay(bytes_of(*out.configs));
      auto breathing = runtime::let_others_run(services.home.loop());
      co_await breathing;
    }
    if (is_full) {  // the topic is there; what its settings are can be asked for
      out.configs = std::nullopt;
      out.topic_config_error_code = static_cast<int16_t>(ErrorCode::POLICY_VIOLATION);
    }
  }
  auto answer = respond(request, response);
  if (answer) answer->keep_alive = std::move(paid);
  co_return answer;
}

}  // namespace tidemark::broker
