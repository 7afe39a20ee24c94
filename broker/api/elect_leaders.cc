// ElectLeaders (key 43), v0-2 (KIP-183, KIP-460): preferred leaders, and from v1 on unclean ones. Without a
// list of partitions it is about all of them, and those that need no election are left out.
#include <fmt/format.h>

#include "broker/api/handlers.h"
#include "broker/api/paid_answer.h"
#include "protocol/messages/elect_leaders_request.h"
#include "protocol/messages/elect_leaders_response.h"

namespace tidemark::broker {

using protocol::ElectLeadersRequest;
using replication::ElectionType;
using replication::TopicAnswer;
using runtime::Task;

namespace {

std::optional<std::vector<replication::TopicPartitions>> topics_of(const ElectLeadersRequest& request) {
  if (!request.topic_partitions) return std::nullopt;
  std::vector<replication::TopicPartitions> topics;
  for (const auto& wanted : *request.topic_partitions) {
    auto& topic = topics.emplace_back();
    topic.topic = wanted.topic;
    for (const int32_t id : wanted.partitions) topic.partitions.emplace_back(id);
  }
  return topics;
}

// The same error for everything that was asked.
std::vector<TopicAnswer> refused(const std::optional<std::vector<replication::TopicPartitions>>& topics,
                                 const replication::ApiError& error) {
  std::vector<TopicAnswer> answers;
  if (!topics) return answers;
  for (const auto& topic : *topics) {
    TopicAnswer& answer = answers.emplace_back();
    answer.topic = topic.topic;
    for (const PartitionId id : topic.partitions) answer.partitions.push_back({id, error});
  }
  return answers;
}

}  // namespace

Task<Result<Response>> handle_elect_leaders(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<ElectLeadersRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  auto paid = std::make_shared<PaidAnswer>(services.answer_memory);
  const auto partitions_of = [](const auto& topic) -> const auto& { return topic.partitions; };
  if (decoded->topic_partitions && !paid->pay_for_partitions(*decoded->topic_partitions, partitions_of)) {
    protocol::ElectLeadersResponse full;
    if (request.header.request_api_version >= 1)
      full.error_code = static_cast<int16_t>(ErrorCode::POLICY_VIOLATION);
    co_return respond(request, full);
  }
  const auto topics = topics_of(*decoded);
  const auto type = static_cast<ElectionType>(decoded->election_type);
  replication::ApiError error;
  std::vector<TopicAnswer> answers;
  if (type != ElectionType::preferred && type != ElectionType::unclean) {
    error = {ErrorCode::INVALID_REQUEST, fmt::format("Unknown election type {}", decoded->election_type)};
  } else {
    MetadataService::Decide<std::vector<TopicAnswer>> decision =
        [topics, type](const replication::Controller& controller) {
          return controller.elect_leaders(type, topics ? &*topics : nullptr);
        };
    auto deciding = services.metadata.decide(services.home.loop(), std::move(decision));
    auto decided = co_await deciding;
    if (decided) {
      answers = std::move(*decided);
    } else {
      error = decided.error();
    }
  }
  if (!error.ok()) answers = refused(topics, error);

  protocol::ElectLeadersResponse response;
  if (request.header.request_api_version >= 1) response.error_code = static_cast<int16_t>(error.code);
  for (const TopicAnswer& answer : answers) {
    auto& topic = response.replica_election_results.emplace_back();
    topic.topic = answer.topic;
    for (const auto& [id, partition_error] : answer.partitions) {
      auto& partition = topic.partition_result.emplace_back();
      partition.partition_id = id.value;
      partition.error_code = static_cast<int16_t>(partition_error.code);
      partition.error_message = partition_error.message;
    }
  }
  auto answer = respond(request, response);
  if (answer) answer->keep_alive = std::move(paid);
  co_return answer;
}

}  // namespace tidemark::broker
