// DeleteRecords (key 21), v0-2: moves a partition's log start (KIP-107). Offset -1: up to the high watermark.
#include "broker/api/ask_shards.h"
#include "broker/api/handlers.h"
#include "broker/coordinator/placement.h"
#include "protocol/messages/delete_records_request.h"
#include "protocol/messages/delete_records_response.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

struct Answer {
  ErrorCode error = ErrorCode::NONE;
  Offset low_watermark = kNoOffset;
};

Task<Answer> trim(replication::Partition& partition, Offset before) {
  Answer answer;
  answer.error = partition.check_readable(kNoLeaderEpoch);
  if (answer.error != ErrorCode::NONE) co_return answer;
  if (before == kNoOffset) before = partition.high_watermark();
  if (before < Offset(0) || before > partition.high_watermark()) {
    answer.error = ErrorCode::OFFSET_OUT_OF_RANGE;
    co_return answer;
  }
  // At or below the start there is nothing to do, and that is a success.
  if (before > partition.log().start()) {
    auto trimming = partition.log().trim(before);
    auto trimmed = co_await trimming;
    if (!trimmed) {
      answer.error = trimmed.error().code();
      co_return answer;
    }
  }
  answer.low_watermark = partition.log().start();
  co_return answer;
}

}  // namespace

Task<Result<Response>> handle_delete_records(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::DeleteRecordsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const auto view = services.home.view();
  std::vector<PartitionAsk<Offset, Answer>> asks;
  for (const auto& wanted : decoded->topics) {
    const TopicView* topic = view->topic(wanted.name);
    for (const auto& p : wanted.partitions) {
      auto& ask = asks.emplace_back();
      ask.question = Offset(p.offset);
      find_partition(services, topic, PartitionId(p.partition_index), ask);
      if (coordinator::is_internal_topic(wanted.name)) {
        ask.shard = nullptr;
        ask.answer.error = ErrorCode::INVALID_TOPIC_EXCEPTION;
      } else if (topic != nullptr && ask.answer.error != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION &&
                 topic->config.cleanup_compact && !topic->config.cleanup_delete) {
        ask.shard = nullptr;
        ask.answer.error = ErrorCode::POLICY_VIOLATION;  // a compacted topic is not cut from its front
      }
    }
  }
  auto asking = ask_partitions(services, asks, &trim);
  co_await asking;

  protocol::DeleteRecordsResponse response;
  auto ask = asks.begin();
  for (const auto& wanted : decoded->topics) {
    auto& topic_response = response.topics.emplace_back();
    topic_response.name = wanted.name;
    for (const auto& p : wanted.partitions) {
      const Answer& answer = (ask++)->answer;
      auto& partition = topic_response.partitions.emplace_back();
      partition.partition_index = p.partition_index;
      partition.error_code = static_cast<int16_t>(answer.error);
      partition.low_watermark = answer.low_watermark.value;
    }
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
