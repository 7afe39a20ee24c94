// ListPartitionReassignments (key 46), v0 (KIP-455): the partitions whose replicas come and go.
#include "broker/api/handlers.h"
#include "protocol/broker_ids.h"
#include "protocol/messages/list_partition_reassignments_request.h"
#include "protocol/messages/list_partition_reassignments_response.h"

namespace tidemark::broker {

using protocol::ListPartitionReassignmentsResponse;
using replication::TopicImage;
using runtime::Task;

namespace {

void add(const TopicImage& topic, PartitionId id, ListPartitionReassignmentsResponse& response) {
  const replication::PartitionImage* image = topic.partition(id);
  if (image == nullptr || (image->adding_replicas.empty() && image->removing_replicas.empty())) return;
  if (response.topics.empty() || response.topics.back().name != topic.name)
    response.topics.emplace_back().name = topic.name;
  auto& partition = response.topics.back().partitions.emplace_back();
  partition.partition_index = id.value;
  partition.replicas = numbers_of(image->replicas);
  partition.adding_replicas = numbers_of(image->adding_replicas);
  partition.removing_replicas = numbers_of(image->removing_replicas);
}

}  // namespace

Task<Result<Response>> handle_list_partition_reassignments(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::ListPartitionReassignmentsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const auto view = services.home.view();
  ListPartitionReassignmentsResponse response;
  response.error_message = std::nullopt;
  if (decoded->topics) {
    for (const auto& wanted : *decoded->topics) {
      const TopicImage* topic = view->image->topic(wanted.name);
      if (topic == nullptr) continue;
      for (const int32_t index : wanted.partition_indexes) add(*topic, PartitionId(index), response);
    }
  } else {
    for (const auto& [name, topic] : view->image->topics) {
      for (PartitionId id(0); id.value < topic->partition_count(); ++id.value) add(*topic, id, response);
    }
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
