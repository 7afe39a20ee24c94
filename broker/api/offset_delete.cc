// OffsetDelete (key 47), v0: a group forgets offsets of topics that it does not read any more (KIP-496).
// Partitions that do not exist are refused here; the group's own error stands at the top, without topics.
#include "broker/api/ask_coordinator.h"
#include "broker/api/group_messages.h"
#include "broker/api/handlers.h"
#include "broker/api/merged_topics.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

using Reply = coordinator::OffsetDeleteReply;

}  // namespace

OffsetDeletePlan plan_of(const protocol::OffsetDeleteRequest& request, const ClusterView& view) {
  OffsetDeletePlan plan;
  plan.question.group = request.group_id;
  for (const auto& wanted : request.topics) {
    const TopicView* topic = view.topic(wanted.name);
    coordinator::OffsetDeleteRequest::Topic asked{std::string(wanted.name), {}};
    Reply::Topic refused{std::string(wanted.name), {}};
    for (const auto& p : wanted.partitions) {
      const PartitionId partition(p.partition_index);
      if (topic != nullptr && topic->image->partition(partition) != nullptr) {
        asked.partitions.push_back(partition);
      } else {
        refused.partitions.push_back({partition, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION});
      }
    }
    if (!asked.partitions.empty()) plan.question.topics.push_back(std::move(asked));
    if (topic == nullptr || !refused.partitions.empty()) plan.refused.push_back(std::move(refused));
  }
  return plan;
}

Reply merge(std::vector<Reply::Topic> refused, Reply answered) {
  if (answered.error != ErrorCode::NONE) {
    answered.topics.clear();
    return answered;
  }
  const auto key_of = [](const Reply::Topic& topic) { return topic.name; };
  answered.topics = merge_topics(std::move(refused), std::move(answered.topics), key_of);
  return answered;
}

protocol::OffsetDeleteResponse response_of(const Reply& reply) {
  protocol::OffsetDeleteResponse response;
  response.error_code = static_cast<int16_t>(reply.error);
  response.topics.reserve(reply.topics.size());
  for (const auto& topic : reply.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    write_errors(topic.partitions, out.partitions);
  }
  return response;
}

Task<Result<Response>> handle_offset_delete(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::OffsetDeleteRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const auto view = services.home.view();
  OffsetDeletePlan plan = plan_of(*decoded, *view);
  auto asking = ask_coordinator(services, request, std::string(decoded->group_id), std::move(plan.question));
  coordinator::ReplyBody answered = co_await asking;
  const Reply merged = merge(std::move(plan.refused), std::get<Reply>(std::move(answered)));
  auto response = response_of(merged);
  co_return respond(request, response);
}

}  // namespace tidemark::broker
