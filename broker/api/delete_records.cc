// DeleteRecords (key 21), v0-2: moves a partition's log start (KIP-107). Offset -1: up to the high watermark.
#include "broker/api/handlers.h"
#include "protocol/messages/delete_records_request.h"
#include "protocol/messages/delete_records_response.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

struct Answer {
  ErrorCode error = ErrorCode::NONE;
  Offset low_watermark = kNoOffset;
};

Task<Answer> trim(Shard& shard, TopicIdPartition id, Offset before) {
  Answer answer;
  const auto partition = shard.partition(id);
  if (!partition) {
    answer.error = ErrorCode::NOT_LEADER_OR_FOLLOWER;
    co_return answer;
  }
  if (before == kNoOffset) before = partition->high_watermark();
  if (before < Offset(0) || before > partition->high_watermark()) {
    answer.error = ErrorCode::OFFSET_OUT_OF_RANGE;
    co_return answer;
  }
  // At or below the start there is nothing to do, and that is a success.
  if (before > partition->log().start()) {
    auto trimming = partition->log().trim(before);
    auto trimmed = co_await trimming;
    if (!trimmed) {
      answer.error = trimmed.error().code();
      co_return answer;
    }
  }
  answer.low_watermark = partition->log().start();
  co_return answer;
}

}  // namespace

Task<Result<Response>> handle_delete_records(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::DeleteRecordsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const auto view = services.home.view();
  protocol::DeleteRecordsResponse response;
  for (const auto& wanted : decoded->topics) {
    auto& topic_response = response.topics.emplace_back();
    topic_response.name = wanted.name;
    const TopicView* topic = view->topic(wanted.name);
    for (const auto& p : wanted.partitions) {
      Answer answer;
      Shard* shard = topic == nullptr ? nullptr : services.shard_of(*topic, PartitionId(p.partition_index));
      if (topic == nullptr || topic->image->partition(PartitionId(p.partition_index)) == nullptr) {
        answer.error = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
      } else if (!topic->config.cleanup_delete) {
        answer.error = ErrorCode::POLICY_VIOLATION;  // a compacted topic is not cut from its front
      } else if (shard == nullptr) {
        answer.error = ErrorCode::KAFKA_STORAGE_ERROR;
      } else {
        const TopicIdPartition id{topic->image->id, PartitionId(p.partition_index)};
        auto make = [shard, id, before = Offset(p.offset)] { return trim(*shard, id, before); };
        auto calling = shard->call(services.home.loop(), std::move(make));
        answer = co_await calling;
      }
      auto& partition = topic_response.partitions.emplace_back();
      partition.partition_index = p.partition_index;
      partition.error_code = static_cast<int16_t>(answer.error);
      partition.low_watermark = answer.low_watermark.value;
    }
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
