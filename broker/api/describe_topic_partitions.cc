// DescribeTopicPartitions (key 75), v0 (KIP-966): topics in name order, a page at a time; the cursor names
// the next one.
#include <algorithm>

#include "broker/api/authorized_operations.h"
#include "broker/api/handlers.h"
#include "broker/api/told_leader.h"
#include "broker/coordinator/placement.h"
#include "protocol/broker_ids.h"
#include "protocol/messages/describe_topic_partitions_request.h"
#include "protocol/messages/describe_topic_partitions_response.h"
#include "replication/controller/topic_name.h"

namespace tidemark::broker {

using protocol::DescribeTopicPartitionsRequest;
using protocol::DescribeTopicPartitionsResponse;
using runtime::Task;

namespace {

// Kafka's rules for where a page may begin.
bool is_valid(const DescribeTopicPartitionsRequest& request) {
  if (!request.cursor) return true;
  if (request.cursor->partition_index < 0) return false;
  return request.topics.empty() || std::ranges::any_of(request.topics, [&](const auto& topic) {
           return topic.name == request.cursor->topic_name;
         });
}

}  // namespace

Task<Result<Response>> handle_describe_topic_partitions(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<DescribeTopicPartitionsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  DescribeTopicPartitionsResponse response;
  if (!is_valid(*decoded)) {
    for (const auto& topic : decoded->topics) {
      auto& out = response.topics.emplace_back();
      out.name = topic.name;
      out.error_code = static_cast<int16_t>(ErrorCode::INVALID_REQUEST);
    }
    co_return respond(request, response);
  }
  const auto view = services.home.view();
  std::vector<std::string> names;
  if (decoded->topics.empty()) {
    for (const auto& [name, topic] : view->image->topics) names.push_back(name);
  } else {
    for (const auto& topic : decoded->topics) names.emplace_back(topic.name);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
  }
  int32_t first_partition = 0;
  if (decoded->cursor) {
    const std::string_view from = decoded->cursor->topic_name;
    names.erase(names.begin(), std::lower_bound(names.begin(), names.end(), from));
    if (!names.empty() && names.front() == from) first_partition = decoded->cursor->partition_index;
  }
  int32_t room = std::min(decoded->response_partition_limit, view->broker.max_request_partition_size_limit);
  room = std::max(room, 1);

  for (const std::string& name : names) {
    if (room <= 0) {
      auto& cursor = response.next_cursor.emplace();
      cursor.topic_name = name;
      cursor.partition_index = 0;
      break;
    }
    auto& out = response.topics.emplace_back();
    out.name = name;
    out.topic_authorized_operations = kTopicOperations;
    const replication::TopicImage* topic = view->image->topic(name);
    const TopicView* known = topic != nullptr ? view->topic(topic->id) : nullptr;
    if (known == nullptr) {
      out.error_code =
          static_cast<int16_t>(replication::validate_topic_name(name) ? ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                                                                      : ErrorCode::INVALID_TOPIC_EXCEPTION);
      continue;
    }
    out.topic_id = topic->id;
    out.is_internal = coordinator::is_internal_topic(name);
    for (int32_t p = first_partition; p < topic->partition_count(); ++p) {
      if (room <= 0) {
        auto& cursor = response.next_cursor.emplace();
        cursor.topic_name = name;
        cursor.partition_index = p;
        break;
      }
      --room;
      const auto& image = *topic->partitions[static_cast<size_t>(p)];
      auto& partition = out.partitions.emplace_back();
      ToldLeader told = told_leader(services, *known, static_cast<size_t>(p));
      partition.error_code = static_cast<int16_t>(told.error);
      partition.partition_index = p;
      partition.leader_id = told.leader.value;
      partition.offline_replicas = std::move(told.offline_replicas);
      partition.leader_epoch = image.leader_epoch.value;
      partition.replica_nodes = numbers_of(image.replicas);
      partition.isr_nodes = numbers_of(image.isr);
      partition.eligible_leader_replicas.emplace(numbers_of(image.elr));
      partition.last_known_elr.emplace(numbers_of(image.last_known_elr));
    }
    first_partition = 0;
    if (response.next_cursor) break;
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
