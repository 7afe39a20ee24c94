// DescribeProducers (key 61), v0 (KIP-664): who has written idempotently to a partition and is not forgotten
// yet. A partition remembers up to a hundred thousand producers, and may be named again and again: what an
// answer takes is charged to memory for answers, and what finds no room there has an error in its place.
#include "broker/api/ask_shards.h"
#include "broker/api/handlers.h"
#include "broker/api/paid_answer.h"
#include "protocol/messages/describe_producers_request.h"
#include "protocol/messages/describe_producers_response.h"
#include "replication/controller/topic_name.h"

namespace tidemark::broker {

using protocol::DescribeProducersResponse;
using runtime::Task;

namespace {

using Producer = protocol::describe_producers_response_types::ProducerState;

// Of a producer: here, in the message, and encoded.
constexpr uint64_t kProducerBytes = 2 * sizeof(Producer) + 64;

struct Question {
  std::shared_ptr<PaidAnswer> paid;  // of that partition
};
struct Answer {
  ErrorCode error = ErrorCode::NONE;
  std::vector<Producer> producers;
};

Task<Answer> look(replication::Partition& partition, Question question) {
  Answer answer;
  answer.error = partition.check_readable(kNoLeaderEpoch);
  if (answer.error != ErrorCode::NONE) co_return answer;
  const auto& producers = partition.log().producers().producers();
  if (!question.paid->pay(producers.size() * kProducerBytes)) {
    answer.error = ErrorCode::POLICY_VIOLATION;
    co_return answer;
  }
  answer.producers.reserve(producers.size());
  for (const auto& [id, entry] : producers) {
    Producer& producer = answer.producers.emplace_back();
    producer.producer_id = id.value;
    producer.producer_epoch = entry.epoch.value;
    producer.last_sequence = entry.last_sequence();
    producer.last_timestamp = entry.last_timestamp_ms;
    producer.coordinator_epoch = entry.coordinator_epoch;
    if (entry.current_txn_first_offset)
      producer.current_txn_start_offset = entry.current_txn_first_offset->value;
  }
  co_return answer;
}

constexpr std::string_view kNotHere = "This server does not host this topic-partition.";
constexpr std::string_view kTooManyProducers =
    "There is no memory for so much of an answer: ask for fewer partitions at once";

}  // namespace

Task<Result<Response>> handle_describe_producers(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::DescribeProducersRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const auto view = services.home.view();
  const auto all_paid = std::make_shared<std::vector<std::shared_ptr<PaidAnswer>>>();
  const auto paid = all_paid->emplace_back(std::make_shared<PaidAnswer>(services.answer_memory));
  const auto indexes_of = [](const auto& topic) -> const auto& { return topic.partition_indexes; };
  if (!paid->pay_for_partitions(decoded->topics, indexes_of))
    co_return fail(ErrorCode::POLICY_VIOLATION, std::string(kTooManyProducers));
  std::vector<PartitionAsk<Question, Answer>> asks;
  for (const auto& wanted : decoded->topics) {
    const TopicView* topic = view->topic(wanted.name);
    for (const int32_t index : wanted.partition_indexes) {
      auto& ask = asks.emplace_back();
      ask.question.paid = all_paid->emplace_back(std::make_shared<PaidAnswer>(services.answer_memory));
      find_partition(services, topic, PartitionId(index), ask);
    }
  }
  auto asking = ask_partitions(services, asks, &look);
  co_await asking;

  protocol::Arena arena;
  DescribeProducersResponse response;
  auto ask = asks.begin();
  for (const auto& wanted : decoded->topics) {
    auto& topic = response.topics.emplace_back();
    topic.name = wanted.name;
    const auto name = replication::validate_topic_name(wanted.name);
    for (const int32_t index : wanted.partition_indexes) {
      Answer& answer = (ask++)->answer;
      auto& partition = topic.partitions.emplace_back();
      partition.partition_index = index;
      if (!name) {
        partition.error_code = static_cast<int16_t>(name.error().code());
        partition.error_message = arena.copy(name.error().message());
        continue;
      }
      partition.error_code = static_cast<int16_t>(answer.error);
      if (view->topic(wanted.name) == nullptr) partition.error_message = kNotHere;
      if (answer.error == ErrorCode::POLICY_VIOLATION) partition.error_message = kTooManyProducers;
      partition.active_producers = std::move(answer.producers);
    }
  }
  auto encoded = respond(request, response);
  if (encoded) encoded->keep_alive = all_paid;
  co_return encoded;
}

}  // namespace tidemark::broker
