// OffsetForLeaderEpoch (key 23), v2-4: where a leader epoch ends in this log (KIP-101, KIP-279, KIP-320).
#include "broker/api/handlers.h"
#include "protocol/messages/offset_for_leader_epoch_request.h"
#include "protocol/messages/offset_for_leader_epoch_response.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

struct Answer {
  ErrorCode error = ErrorCode::NONE;
  storage::EpochEnd end;
};

Task<Answer> look(Shard& shard, TopicIdPartition id, LeaderEpoch wanted, LeaderEpoch current) {
  Answer answer;
  const auto partition = shard.partition(id);
  if (!partition) {
    answer.error = ErrorCode::NOT_LEADER_OR_FOLLOWER;
  } else if (partition->log().offline()) {
    answer.error = partition->log().offline()->code();
  } else {
    answer.error = partition->check_epoch(current);
    if (answer.error == ErrorCode::NONE)
      answer.end = partition->log().epochs().end_offset_for(wanted, partition->log().end());
  }
  co_return answer;
}

}  // namespace

Task<Result<Response>> handle_offset_for_leader_epoch(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::OffsetForLeaderEpochRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const auto view = services.home.view();
  protocol::OffsetForLeaderEpochResponse response;
  for (const auto& wanted : decoded->topics) {
    auto& topic_response = response.topics.emplace_back();
    topic_response.topic = wanted.topic;
    const TopicView* topic = view->topic(wanted.topic);
    for (const auto& p : wanted.partitions) {
      Answer answer;
      Shard* shard = topic == nullptr ? nullptr : services.shard_of(*topic, PartitionId(p.partition));
      if (topic == nullptr || topic->image->partition(PartitionId(p.partition)) == nullptr) {
        answer.error = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
      } else if (shard == nullptr) {
        answer.error = ErrorCode::KAFKA_STORAGE_ERROR;
      } else {
        const TopicIdPartition id{topic->image->id, PartitionId(p.partition)};
        auto make = [shard, id, epoch = LeaderEpoch(p.leader_epoch),
                     current = LeaderEpoch(p.current_leader_epoch)] {
          return look(*shard, id, epoch, current);
        };
        auto calling = shard->call(services.home.loop(), std::move(make));
        answer = co_await calling;
      }
      auto& partition = topic_response.partitions.emplace_back();
      partition.partition = p.partition;
      partition.error_code = static_cast<int16_t>(answer.error);
      partition.leader_epoch = answer.end.epoch.value;
      partition.end_offset = answer.end.end_offset.value;
    }
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
