// AlterPartitionReassignments (key 45), v0-1 (KIP-455). On one node a plan names that node alone: what stands
// there already succeeds, and the rest is refused in Kafka's words.
#include "broker/api/handlers.h"
#include "broker/api/paid_answer.h"
#include "protocol/broker_ids.h"
#include "protocol/messages/alter_partition_reassignments_request.h"
#include "protocol/messages/alter_partition_reassignments_response.h"

namespace tidemark::broker {

using replication::TopicAnswer;
using runtime::Task;

Task<Result<Response>> handle_alter_partition_reassignments(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::AlterPartitionReassignmentsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  auto paid = std::make_shared<PaidAnswer>(services.answer_memory);
  const auto partitions_of = [](const auto& topic) -> const auto& { return topic.partitions; };
  if (!paid->pay_for_partitions(decoded->topics, partitions_of)) {
    protocol::AlterPartitionReassignmentsResponse full;
    full.error_code = static_cast<int16_t>(ErrorCode::POLICY_VIOLATION);
    full.error_message = "There is no memory for so much of an answer: name fewer partitions at once";
    co_return respond(request, full);
  }
  std::vector<replication::TopicReassignment> topics;
  for (const auto& wanted : decoded->topics) {
    auto& topic = topics.emplace_back();
    topic.topic = wanted.name;
    for (const auto& p : wanted.partitions) {
      auto& partition = topic.partitions.emplace_back();
      partition.partition = PartitionId(p.partition_index);
      if (p.replicas) partition.replicas = broker_ids(*p.replicas);
    }
  }
  MetadataService::Decide<std::vector<TopicAnswer>> decision =
      [topics](const replication::Controller& controller) {
        return controller.alter_partition_reassignments(topics);
      };
  auto deciding = services.metadata.decide(services.home.loop(), std::move(decision));
  const auto answers = co_await deciding;
  protocol::AlterPartitionReassignmentsResponse response;
  response.allow_replication_factor_change = decoded->allow_replication_factor_change;
  response.error_message = std::nullopt;
  if (!answers) {
    response.error_code = static_cast<int16_t>(answers.error().code());
    response.error_message = answers.error().message();
    co_return respond(request, response);
  }
  for (const TopicAnswer& answer : *answers) {
    auto& topic = response.responses.emplace_back();
    topic.name = answer.topic;
    for (const auto& [id, error] : answer.partitions) {
      auto& partition = topic.partitions.emplace_back();
      partition.partition_index = id.value;
      partition.error_code = static_cast<int16_t>(error.code);
      partition.error_message = error.message;
    }
  }
  auto answer = respond(request, response);
  if (answer) answer->keep_alive = std::move(paid);
  co_return answer;
}

}  // namespace tidemark::broker
