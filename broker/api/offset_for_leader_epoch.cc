// OffsetForLeaderEpoch (key 23), v2-4: where a leader epoch ends in this log (KIP-101, KIP-279, KIP-320).
#include "broker/api/ask_shards.h"
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

struct Question {
  LeaderEpoch wanted = kNoLeaderEpoch;
  LeaderEpoch current = kNoLeaderEpoch;
};

Task<Answer> look(replication::Partition& partition, Question question) {
  Answer answer;
  answer.error = partition.check_readable(question.current);
  if (answer.error == ErrorCode::NONE)
    answer.end = partition.epochs().end_offset_for(question.wanted, partition.log().end());
  co_return answer;
}

}  // namespace

Task<Result<Response>> handle_offset_for_leader_epoch(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::OffsetForLeaderEpochRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const auto view = services.home.view();
  std::vector<PartitionAsk<Question, Answer>> asks;
  for (const auto& wanted : decoded->topics) {
    const TopicView* topic = view->topic(wanted.topic);
    for (const auto& p : wanted.partitions) {
      auto& ask = asks.emplace_back();
      ask.question = {LeaderEpoch(p.leader_epoch), LeaderEpoch(p.current_leader_epoch)};
      find_partition(services, topic, PartitionId(p.partition), ask);
    }
  }
  auto asking = ask_partitions(services, asks, &look);
  co_await asking;

  protocol::OffsetForLeaderEpochResponse response;
  auto ask = asks.begin();
  for (const auto& wanted : decoded->topics) {
    auto& topic_response = response.topics.emplace_back();
    topic_response.topic = wanted.topic;
    for (const auto& p : wanted.partitions) {
      const Answer& answer = (ask++)->answer;
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
