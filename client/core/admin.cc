#include "client/core/admin.h"

#include <charconv>

#include "client/core/admin_wire.h"
#include "client/core/co_try.h"
#include "protocol/messages/alter_client_quotas_request.h"
#include "protocol/messages/alter_client_quotas_response.h"
#include "protocol/messages/create_partitions_request.h"
#include "protocol/messages/create_partitions_response.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/delete_records_request.h"
#include "protocol/messages/delete_records_response.h"
#include "protocol/messages/delete_topics_request.h"
#include "protocol/messages/delete_topics_response.h"
#include "protocol/messages/describe_client_quotas_request.h"
#include "protocol/messages/describe_client_quotas_response.h"
#include "protocol/messages/describe_cluster_request.h"
#include "protocol/messages/describe_cluster_response.h"
#include "protocol/messages/describe_configs_request.h"
#include "protocol/messages/describe_configs_response.h"
#include "protocol/messages/incremental_alter_configs_request.h"
#include "protocol/messages/incremental_alter_configs_response.h"
#include "protocol/messages/list_offsets_request.h"
#include "protocol/messages/list_offsets_response.h"

namespace tidemark::client {
namespace {

using runtime::Task;

constexpr int16_t kDeleteTopicsByState = 6;
enum class ConfigOperation : int8_t { set = 0, remove = 1 };
enum class QuotaMatch : int8_t { exact = 0, is_default = 1, any = 2 };

std::string text_of(const std::optional<std::string_view>& view) { return std::string(view.value_or("")); }

}  // namespace

template <class Request, class Response>
Task<Result<Reply<Response>>> Admin::ask(const Request& request, Effect effect,
                                         std::optional<BrokerId> only) {
  const runtime::MonoTime give_up = cluster_.api_deadline();
  for (int attempt = 0;; ++attempt) {
    Task<Result<Cluster::Link>> opening = only ? cluster_.broker(*only) : cluster_.controller();
    const Result<Cluster::Link> link = co_await opening;
    // Where nobody can be reached at all, the user hears of it at once.
    if (!link) co_return fail(Error(link.error()));
    CO_TRY_ASSIGN(const int16_t version, (*link)->template version_of<Request>());
    Task<Result<Reply<Response>>> asking =
        (*link)->template call<Request, Response>(request, version, cluster_.options().api_timeout_ms);
    Result<Reply<Response>> reply = co_await asking;
    if (reply) co_return reply;
    const bool may_repeat = effect == Effect::reads || !reply.error().possibly_persisted();
    if (!may_repeat || !is_unreachable(reply.error()) || attempt >= 3 ||
        cluster_.scheduler().mono() >= give_up)
      co_return reply;
    Task<void> pause = cluster_.back_off(attempt);
    co_await pause;
  }
}

Task<Result<std::vector<CreatedTopic>>> Admin::create_topics(std::vector<NewTopic> topics,
                                                             bool validate_only) {
  protocol::CreateTopicsRequest request;
  request.timeout_ms = cluster_.options().api_timeout_ms;
  request.validate_only = validate_only;
  for (const NewTopic& topic : topics) {
    auto& wanted = request.topics.emplace_back();
    wanted.name = topic.name;
    wanted.num_partitions = topic.partitions;
    wanted.replication_factor = topic.replication;
    for (const auto& [name, value] : topic.configs) {
      auto& config = wanted.configs.emplace_back();
      config.name = name;
      config.value = value;
    }
  }
  auto asking = ask<protocol::CreateTopicsRequest, protocol::CreateTopicsResponse>(request, Effect::changes);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  std::vector<CreatedTopic> created;
  for (const auto& topic : reply->body.topics) {
    created.push_back({std::string(topic.name), topic.topic_id, topic.num_partitions,
                       topic.replication_factor,
                       error_of(topic.error_code, topic.error_message, topic.name)});
  }
  co_return created;
}

Task<Result<std::vector<Outcome>>> Admin::delete_topics(std::vector<std::string> names) {
  protocol::DeleteTopicsRequest request;
  request.timeout_ms = cluster_.options().api_timeout_ms;
  // The version decides which of the two lists is sent; the other one must then be empty.
  Task<Result<Cluster::Link>> opening = cluster_.controller();
  const Result<Cluster::Link> link = co_await opening;
  if (!link) co_return fail(Error(link.error()));
  CO_TRY_ASSIGN(const int16_t version, (*link)->version_of<protocol::DeleteTopicsRequest>());
  for (const std::string& name : names) {
    if (version >= kDeleteTopicsByState) {
      request.topics.emplace_back().name = name;
    } else {
      request.topic_names.push_back(name);
    }
  }
  auto asking = (*link)->call<protocol::DeleteTopicsRequest, protocol::DeleteTopicsResponse>(
      request, version, request.timeout_ms);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  std::vector<Outcome> outcomes;
  for (const auto& topic : reply->body.responses) {
    outcomes.push_back(
        {text_of(topic.name), error_of(topic.error_code, topic.error_message, text_of(topic.name))});
  }
  co_return outcomes;
}

Task<Result<std::vector<Outcome>>> Admin::create_partitions(std::map<std::string, int32_t> counts) {
  protocol::CreatePartitionsRequest request;
  request.timeout_ms = cluster_.options().api_timeout_ms;
  for (const auto& [name, count] : counts) {
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.count = count;
    topic.assignments.reset();
  }
  auto asking =
      ask<protocol::CreatePartitionsRequest, protocol::CreatePartitionsResponse>(request, Effect::changes);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  std::vector<Outcome> outcomes;
  for (const auto& topic : reply->body.results)
    outcomes.push_back(
        {std::string(topic.name), error_of(topic.error_code, topic.error_message, topic.name)});
  co_return outcomes;
}

Task<Result<ResourceConfigs>> Admin::describe_one(Resource resource) {
  protocol::DescribeConfigsRequest request;
  auto& wanted = request.resources.emplace_back();
  wanted.resource_type = static_cast<int8_t>(resource.type);
  wanted.resource_name = resource.name;
  wanted.configuration_keys.reset();
  std::optional<BrokerId> only;
  if (resource.type == ResourceType::broker && !resource.name.empty()) {
    int32_t number = -1;
    const char* end = resource.name.data() + resource.name.size();
    const auto parsed = std::from_chars(resource.name.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end)
      co_return fail(Error::config(fmt::format("{}: a broker's name is its number", resource.name)));
    only = BrokerId(number);
    Task<Result<void>> asking = cluster_.refresh({});
    const Result<void> asked = co_await asking;
    if (!asked) co_return fail(Error(asked.error()));
  }
  auto asking =
      ask<protocol::DescribeConfigsRequest, protocol::DescribeConfigsResponse>(request, Effect::reads, only);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  if (reply->body.results.empty())
    co_return fail(ErrorCode::UNKNOWN_SERVER_ERROR, "the broker describes nothing");
  const auto& result = reply->body.results.front();
  ResourceConfigs described;
  described.resource = resource;
  described.error = error_of(result.error_code, result.error_message, resource.name);
  for (const auto& config : result.configs) {
    ConfigEntry& entry = described.entries.emplace_back();
    entry.name = std::string(config.name);
    if (config.value) entry.value = std::string(*config.value);
    entry.read_only = config.read_only;
    entry.sensitive = config.is_sensitive;
    entry.source = config.config_source;
  }
  std::sort(described.entries.begin(), described.entries.end(),
            [](const ConfigEntry& a, const ConfigEntry& b) { return a.name < b.name; });
  co_return described;
}

Task<Result<std::vector<ResourceConfigs>>> Admin::describe_configs(std::vector<Resource> resources) {
  std::vector<ResourceConfigs> all;
  for (const Resource& resource : resources) {
    Task<Result<ResourceConfigs>> describing = describe_one(resource);
    Result<ResourceConfigs> described = co_await describing;
    if (!described) co_return fail(Error(described.error()));
    all.push_back(std::move(*described));
  }
  co_return all;
}

Task<Result<Outcome>> Admin::alter_configs(Resource resource, std::vector<ConfigChange> changes) {
  protocol::IncrementalAlterConfigsRequest request;
  auto& wanted = request.resources.emplace_back();
  wanted.resource_type = static_cast<int8_t>(resource.type);
  wanted.resource_name = resource.name;
  for (const ConfigChange& change : changes) {
    auto& config = wanted.configs.emplace_back();
    config.name = change.name;
    config.config_operation =
        static_cast<int8_t>(change.value ? ConfigOperation::set : ConfigOperation::remove);
    config.value = change.value ? std::optional<std::string_view>(*change.value) : std::nullopt;
  }
  auto asking = ask<protocol::IncrementalAlterConfigsRequest, protocol::IncrementalAlterConfigsResponse>(
      request, Effect::changes);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  Outcome outcome{resource.name, std::nullopt};
  for (const auto& result : reply->body.responses)
    outcome.error = error_of(result.error_code, result.error_message, resource.name);
  co_return outcome;
}

Task<Result<std::vector<EntityQuotas>>> Admin::describe_quotas(QuotaChoice choice) {
  protocol::DescribeClientQuotasRequest request;
  const auto match = [&](const std::string& type, QuotaMatch how, const std::optional<std::string>& name) {
    auto& component = request.components.emplace_back();
    component.entity_type = type;
    component.match_type = static_cast<int8_t>(how);
    component.match = std::nullopt;
    if (name) component.match = *name;
  };
  if (choice.type) match(*choice.type, QuotaMatch::any, std::nullopt);
  if (choice.only) {
    request.strict = true;
    for (const auto& [type, name] : *choice.only)
      match(type, name ? QuotaMatch::exact : QuotaMatch::is_default, name);
  }
  auto asking = ask<protocol::DescribeClientQuotasRequest, protocol::DescribeClientQuotasResponse>(
      request, Effect::reads);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  if (const auto error = error_of(reply->body.error_code, reply->body.error_message, "quotas"))
    co_return fail(Error(*error));
  std::vector<EntityQuotas> all;
  if (!reply->body.entries) co_return all;
  for (const auto& entry : *reply->body.entries) {
    EntityQuotas& described = all.emplace_back();
    for (const auto& part : entry.entity) {
      auto& name = described.entity[std::string(part.entity_type)];
      if (part.entity_name) name = std::string(*part.entity_name);
    }
    for (const auto& value : entry.values) described.quotas[std::string(value.key)] = value.value;
  }
  std::sort(all.begin(), all.end(),
            [](const EntityQuotas& a, const EntityQuotas& b) { return a.entity < b.entity; });
  co_return all;
}

Task<Result<Outcome>> Admin::alter_quotas(QuotaEntity entity, std::vector<QuotaChange> changes,
                                          bool validate_only) {
  protocol::AlterClientQuotasRequest request;
  request.validate_only = validate_only;
  auto& entry = request.entries.emplace_back();
  for (const auto& [type, name] : entity) {
    auto& part = entry.entity.emplace_back();
    part.entity_type = type;
    part.entity_name = std::nullopt;
    if (name) part.entity_name = *name;
  }
  for (const QuotaChange& change : changes) {
    auto& op = entry.ops.emplace_back();
    op.key = change.key;
    op.value = change.value.value_or(0);
    op.remove = !change.value;
  }
  auto asking =
      ask<protocol::AlterClientQuotasRequest, protocol::AlterClientQuotasResponse>(request, Effect::changes);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  Outcome outcome;
  for (const auto& result : reply->body.entries)
    outcome.error = error_of(result.error_code, result.error_message, "quotas");
  co_return outcome;
}

template <class Value>
Task<Result<std::map<BrokerId, std::vector<TopicPartition>>>> Admin::by_leader(
    const std::set<TopicPartition>& partitions, PerPartition<Value>& failed, runtime::MonoTime give_up) {
  Metadata& metadata = cluster_.metadata();
  for (int attempt = 0;; ++attempt) {
    std::map<BrokerId, std::vector<TopicPartition>> leaders;
    std::map<TopicPartition, ErrorCode> leaderless;
    Cluster::Interest interest;
    for (const TopicPartition& tp : partitions) {
      const BrokerId leader = metadata.leader(tp);
      if (leader != kNoBroker) {
        leaders[leader].push_back(tp);
        continue;
      }
      interest.topics.insert(tp.topic);
      const TopicMetadata* topic = metadata.find_topic(tp.topic);
      ErrorCode code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
      if (topic != nullptr && topic->error != ErrorCode::NONE) code = topic->error;
      if (metadata.find(tp) != nullptr) code = ErrorCode::LEADER_NOT_AVAILABLE;
      leaderless[tp] = code;
    }
    // A partition that an answer does not know is unknown; one that has no leader may get one.
    const bool waits = std::any_of(leaderless.begin(), leaderless.end(), [](const auto& each) {
      return each.second == ErrorCode::LEADER_NOT_AVAILABLE;
    });
    const bool ask_again = attempt == 0 || (waits && cluster_.scheduler().mono() < give_up);
    if (leaderless.empty() || !ask_again) {
      for (const auto& [tp, code] : leaderless) failed.emplace(tp, fail(code, fmt::format("{}", tp)));
      co_return leaders;
    }
    if (attempt > 0) {
      Task<void> pause = cluster_.back_off(attempt);
      co_await pause;
    }
    Task<Result<void>> asking = cluster_.refresh(interest);
    const Result<void> asked = co_await asking;
    if (!asked) co_return fail(Error(asked.error()));
  }
}

// Takes off the results what another leader must answer.
template <class Value>
std::set<TopicPartition> Admin::take_moved(PerPartition<Value>& results) {
  std::set<TopicPartition> moved;
  for (const auto& [tp, result] : results) {
    if (result) continue;
    const ErrorCode code = result.error().code();
    if (code == ErrorCode::NOT_LEADER_OR_FOLLOWER || code == ErrorCode::LEADER_NOT_AVAILABLE ||
        code == ErrorCode::FENCED_LEADER_EPOCH || code == ErrorCode::UNKNOWN_LEADER_EPOCH ||
        code == ErrorCode::OFFSET_NOT_AVAILABLE) {
      moved.insert(tp);
    }
  }
  for (const TopicPartition& tp : moved) results.erase(tp);
  return moved;
}

Task<Result<PerPartition<TimedOffset>>> Admin::list_offsets(std::map<TopicPartition, int64_t> times,
                                                            Isolation isolation) {
  PerPartition<TimedOffset> results;
  const runtime::MonoTime give_up = cluster_.api_deadline();
  std::set<TopicPartition> open;
  for (const auto& [tp, time] : times) open.insert(tp);
  for (int attempt = 0; !open.empty(); ++attempt) {
    auto grouping = by_leader(open, results, give_up);
    const auto leaders = co_await grouping;
    if (!leaders) co_return fail(Error(leaders.error()));
    for (const auto& [leader, partitions] : *leaders) {
      protocol::ListOffsetsRequest request;
      request.replica_id = -1;
      request.isolation_level = static_cast<int8_t>(isolation);
      request.timeout_ms = cluster_.options().api_timeout_ms;
      for (const TopicPartition& tp : partitions) {
        auto& wanted = add_partition(request, tp);
        wanted.timestamp = times.at(tp);
        wanted.current_leader_epoch = cluster_.metadata().leader_at(tp).epoch.value;
      }
      auto asking =
          ask<protocol::ListOffsetsRequest, protocol::ListOffsetsResponse>(request, Effect::reads, leader);
      const auto reply = co_await asking;
      if (!reply) co_return fail(Error(reply.error()));
      for (const auto& topic : reply->body.topics) {
        for (const auto& each : topic.partitions)
          take(results, topic.name, each, TimedOffset{Offset(each.offset), each.timestamp});
      }
    }
    if (cluster_.scheduler().mono() >= give_up) break;
    open = take_moved(results);
    if (open.empty()) break;
    for (const TopicPartition& tp : open) {
      const PartitionMetadata* known = cluster_.metadata().find(tp);
      if (known != nullptr) cluster_.metadata().invalidate(tp, known->leader_epoch);
    }
    Task<void> pause = cluster_.back_off(attempt);
    co_await pause;
  }
  co_return results;
}

Task<Result<PerPartition<Offset>>> Admin::delete_records(std::map<TopicPartition, Offset> before) {
  PerPartition<Offset> results;
  const runtime::MonoTime give_up = cluster_.api_deadline();
  std::set<TopicPartition> open;
  for (const auto& [tp, offset] : before) open.insert(tp);
  auto grouping = by_leader(open, results, give_up);
  const auto leaders = co_await grouping;
  if (!leaders) co_return fail(Error(leaders.error()));
  for (const auto& [leader, partitions] : *leaders) {
    protocol::DeleteRecordsRequest request;
    request.timeout_ms = cluster_.options().api_timeout_ms;
    for (const TopicPartition& tp : partitions) {
      auto& wanted = add_partition(request, tp);
      wanted.offset = before.at(tp).value;
    }
    auto asking = ask<protocol::DeleteRecordsRequest, protocol::DeleteRecordsResponse>(
        request, Effect::changes, leader);
    const auto reply = co_await asking;
    if (!reply) {
      // What other leaders removed is gone, and is told.
      for (const TopicPartition& tp : partitions) results.emplace(tp, fail(Error(reply.error())));
      continue;
    }
    for (const auto& topic : reply->body.topics) {
      for (const auto& each : topic.partitions) take(results, topic.name, each, Offset(each.low_watermark));
    }
  }
  co_return results;
}

Task<Result<ClusterDescription>> Admin::describe_cluster() {
  const protocol::DescribeClusterRequest request;
  auto asking =
      ask<protocol::DescribeClusterRequest, protocol::DescribeClusterResponse>(request, Effect::reads);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  if (reply->body.error_code != 0)
    co_return fail(ErrorCode(reply->body.error_code), text_of(reply->body.error_message));
  ClusterDescription description;
  description.cluster_id = std::string(reply->body.cluster_id);
  description.controller = BrokerId(reply->body.controller_id);
  for (const auto& broker : reply->body.brokers) {
    BrokerNode& node = description.brokers.emplace_back();
    node.id = BrokerId(broker.broker_id);
    node.endpoint = {std::string(broker.host), static_cast<uint16_t>(broker.port)};
    if (broker.rack) node.rack = std::string(*broker.rack);
  }
  co_return description;
}

}  // namespace tidemark::client
