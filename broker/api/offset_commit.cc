// OffsetCommit (key 8), v2-10: a group remembers how far it has read. Up to v4 with a time to keep it; v6 has
// leader epochs (KIP-320), v7 static members (KIP-345), v9 GROUP_ID_NOT_FOUND, v10 topic ids in place of
// names (KIP-848). Partitions that do not exist are refused here; the others are committed.
#include "broker/api/ask_coordinator.h"
#include "broker/api/group_messages.h"
#include "broker/api/handlers.h"
#include "broker/api/merged_topics.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

constexpr int16_t kFirstVersionWithTopicIds = 10;

using Question = coordinator::OffsetCommitRequest;
using Reply = coordinator::OffsetCommitReply;
using WantedTopic = protocol::offset_commit_request_types::OffsetCommitRequestTopic;

void refuse_all(const WantedTopic& wanted, ErrorCode error, CommitPlan& plan) {
  auto& refused = plan.refused.emplace_back();
  refused.name = wanted.name;
  refused.id = wanted.topic_id;
  for (const auto& p : wanted.partitions)
    refused.partitions.push_back({PartitionId(p.partition_index), error});
}

void plan_topic(const WantedTopic& wanted, const TopicView& topic, CommitPlan& plan) {
  Question::Topic asked{topic.image->name, topic.image->id, {}};
  Reply::Topic refused{topic.image->name, topic.image->id, {}};
  asked.partitions.reserve(wanted.partitions.size());
  for (const auto& p : wanted.partitions) {
    const PartitionId partition(p.partition_index);
    if (topic.image->partition(partition) == nullptr) {
      refused.partitions.push_back({partition, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION});
      continue;
    }
    auto& out = asked.partitions.emplace_back();
    out.partition = partition;
    out.offset = Offset(p.committed_offset);
    out.leader_epoch = LeaderEpoch(p.committed_leader_epoch);
    out.metadata = p.committed_metadata;
  }
  if (!asked.partitions.empty()) plan.question.topics.push_back(std::move(asked));
  if (!refused.partitions.empty()) plan.refused.push_back(std::move(refused));
}

}  // namespace

CommitPlan plan_of(const protocol::OffsetCommitRequest& request, const ClusterView& view, int16_t version) {
  CommitPlan plan;
  plan.question.group = request.group_id;
  plan.question.generation = request.generation_id_or_member_epoch;
  plan.question.member = request.member_id;
  plan.question.instance = request.group_instance_id;
  plan.question.retention_ms = request.retention_time_ms;
  plan.question.knows_group_not_found = version >= 9;
  const bool by_id = version >= kFirstVersionWithTopicIds;
  for (const WantedTopic& wanted : request.topics) {
    const TopicView* topic = by_id ? view.topic(wanted.topic_id) : view.topic(wanted.name);
    if (topic != nullptr) {
      plan_topic(wanted, *topic, plan);
    } else {
      refuse_all(wanted, by_id ? ErrorCode::UNKNOWN_TOPIC_ID : ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, plan);
    }
  }
  return plan;
}

Reply merge(std::vector<Reply::Topic> refused, Reply answered) {
  const auto key_of = [](const Reply::Topic& topic) { return std::pair(topic.name, topic.id); };
  answered.topics = merge_topics(std::move(refused), std::move(answered.topics), key_of);
  return answered;
}

protocol::OffsetCommitResponse response_of(const Reply& reply, int16_t version) {
  protocol::OffsetCommitResponse response;
  response.topics.reserve(reply.topics.size());
  for (const auto& topic : reply.topics) {
    auto& out = response.topics.emplace_back();
    if (version >= kFirstVersionWithTopicIds) {
      out.topic_id = topic.id;
    } else {
      out.name = topic.name;
    }
    write_errors(topic.partitions, out.partitions);
  }
  return response;
}

Task<Result<Response>> handle_offset_commit(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::OffsetCommitRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const int16_t version = request.header.request_api_version;
  const auto view = services.home.view();
  CommitPlan plan = plan_of(*decoded, *view, version);
  Reply answered;
  if (!plan.question.topics.empty()) {
    auto asking =
        ask_coordinator(services, request, std::string(decoded->group_id), std::move(plan.question));
    coordinator::ReplyBody reply = co_await asking;
    answered = std::get<Reply>(std::move(reply));
  }
  const Reply merged = merge(std::move(plan.refused), std::move(answered));
  auto response = response_of(merged, version);
  co_return respond(request, response);
}

}  // namespace tidemark::broker
