// A producer's batches of one partition: order, sequences and retries, driven by hand.
#include <catch2/catch.hpp>

#include "client/core/accumulator.h"

using namespace tidemark;
using namespace tidemark::client;
using namespace std::chrono_literals;

namespace {

const TopicPartition kPartition{"tide", PartitionId(0)};
constexpr runtime::MonoTime kStart{1h};
constexpr ProducerIdentity kIdentity{ProducerId(7), ProducerEpoch(0)};

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

OutgoingRecord record_of(std::string_view value) {
  OutgoingRecord record;
  record.topic = kPartition.topic;
  record.partition = kPartition.partition;
  record.value = bytes_of(value);
  return record;
}

// A queue whose every record is a batch of its own.
struct Queue {
  ProducerOptions options;
  PartitionQueue queue{kPartition, options};
  RecordNumber next = 1;

  void append(std::string_view value = "x") {
    const RecordNumber number = next++;
    queue.append(number, record_of(value), 0, number, kStart);
    queue.close_open_batch();
  }
  Attempt take() {
    REQUIRE(queue.ready_at() != runtime::kNever);
    auto attempt = queue.take(kIdentity);
    REQUIRE(attempt);
    return *attempt;
  }
  void answer(const Attempt& attempt, ErrorCode code, int64_t offset = 0) {
    queue.answered(attempt.batch, code, "", Offset(offset), kStart);
  }
  std::vector<Delivery> deliveries() {
    size_t freed = 0;
    return queue.take_deliveries(freed);
  }
  // Sequence 0 is in the log: from here on several batches may be in flight.
  void introduce() {
    append();
    answer(take(), ErrorCode::NONE);
    deliveries();
  }
};

protocol::BatchHeader header_of(const Attempt& attempt) { return protocol::read_batch_header(attempt.bytes); }

}  // namespace

TEST_CASE("batches carry the producer's identity and consecutive sequences") {
  Queue q;
  q.introduce();
  q.append();
  q.append();
  const Attempt first = q.take();
  const Attempt second = q.take();
  CHECK(header_of(first).producer_id == ProducerId(7));
  CHECK(header_of(first).base_sequence == 1);
  CHECK(header_of(second).base_sequence == 2);
  CHECK(protocol::batch_crc_holds(second.bytes));
  q.answer(first, ErrorCode::NONE, 40);
  q.answer(second, ErrorCode::NONE, 41);
  const auto done = q.deliveries();
  REQUIRE(done.size() == 2);
  CHECK(*done[0].base_offset == Offset(40));
  CHECK(done[1].records == std::vector<RecordNumber>{3});
  CHECK(q.queue.empty());
}

TEST_CASE("the first batch under an identity goes alone, until it is in the log") {
  Queue q;
  for (int i = 0; i < 3; ++i) q.append();
  const Attempt first = q.take();
  CHECK(header_of(first).base_sequence == 0);
  CHECK(q.queue.ready_at() == runtime::kNever);
  q.answer(first, ErrorCode::NOT_LEADER_OR_FOLLOWER);
  const Attempt again = q.take();
  CHECK(header_of(again).base_sequence == 0);
  CHECK(q.queue.ready_at() == runtime::kNever);
  q.answer(again, ErrorCode::NONE);
  const Attempt second = q.take();
  CHECK(header_of(second).base_sequence == 1);
  CHECK(header_of(q.take()).base_sequence == 2);
  // The next epoch is as new to the broker.
  q.append();
  q.append();
  q.answer(second, ErrorCode::INVALID_RECORD);
  q.queue.answered(3, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, "", kNoOffset, kStart);
  const Attempt anew = q.take();
  CHECK(header_of(anew).producer_epoch == ProducerEpoch(1));
  CHECK(q.queue.ready_at() == runtime::kNever);
  q.answer(anew, ErrorCode::NONE);
  CHECK(header_of(q.take()).base_sequence == 1);
  // Without an identity there is nothing to get to know.
  Queue plain;
  plain.append();
  plain.append();
  REQUIRE(plain.queue.take({}));
  CHECK(plain.queue.ready_at() <= kStart);
}

TEST_CASE("at most five batches of a partition are in flight") {
  Queue q;
  q.introduce();
  for (int i = 0; i < 7; ++i) q.append();
  std::vector<Attempt> sent;
  while (q.queue.ready_at() != runtime::kNever) sent.push_back(q.take());
  CHECK(sent.size() == 5);
  q.answer(sent[0], ErrorCode::NONE);
  CHECK(q.queue.ready_at() <= kStart);
}

TEST_CASE("a retried batch keeps its sequence, goes first and goes alone") {
  Queue q;
  q.introduce();
  for (int i = 0; i < 3; ++i) q.append();
  const Attempt first = q.take();
  const Attempt second = q.take();
  q.answer(first, ErrorCode::NOT_LEADER_OR_FOLLOWER);
  CHECK(q.queue.ready_at() == runtime::kNever);  // the second is still in flight
  q.answer(second, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
  CHECK(q.deliveries().empty());
  CHECK(q.queue.ready_at() == kStart + 100ms);  // retry.backoff.ms
  const Attempt again = q.take();
  CHECK(again.batch == first.batch);
  CHECK(header_of(again).base_sequence == 1);
  CHECK(header_of(again).producer_epoch == ProducerEpoch(0));
  CHECK(q.queue.ready_at() == runtime::kNever);
  q.answer(again, ErrorCode::NONE, 0);
  const Attempt then = q.take();
  CHECK(then.batch == second.batch);
  CHECK(header_of(then).base_sequence == 2);
}

TEST_CASE("a duplicate is delivered, though nobody knows where") {
  Queue q;
  q.append();
  q.answer(q.take(), ErrorCode::DUPLICATE_SEQUENCE_NUMBER, 12);
  const auto done = q.deliveries();
  REQUIRE(done.size() == 1);
  CHECK(*done[0].base_offset == kNoOffset);
}

TEST_CASE("after a refused batch the sequences start over in the next epoch") {
  Queue q;
  q.introduce();
  for (int i = 0; i < 3; ++i) q.append();
  const Attempt first = q.take();
  const Attempt second = q.take();
  q.answer(first, ErrorCode::INVALID_RECORD);
  CHECK(q.queue.ready_at() == runtime::kNever);  // not before the second is answered
  q.answer(second, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
  const auto done = q.deliveries();
  REQUIRE(done.size() == 1);
  CHECK(done[0].base_offset.error().code() == ErrorCode::INVALID_RECORD);
  CHECK_FALSE(done[0].base_offset.error().possibly_persisted());
  const Attempt again = q.take();
  CHECK(again.batch == second.batch);
  CHECK(header_of(again).base_sequence == 0);
  CHECK(header_of(again).producer_epoch == ProducerEpoch(1));
  CHECK(protocol::batch_crc_holds(again.bytes));
}

TEST_CASE("a batch that may be in the log is never sent under another sequence") {
  Queue q;
  q.introduce();
  q.append();
  q.append();
  const Attempt first = q.take();
  const Attempt second = q.take();
  q.queue.unanswered(second.batch, Error::closed("cut").mark_possibly_persisted(), kStart);
  q.answer(first, ErrorCode::INVALID_RECORD);
  const auto done = q.deliveries();
  REQUIRE(done.size() == 2);
  CHECK_FALSE(done[0].base_offset.error().possibly_persisted());
  CHECK(done[1].records == std::vector<RecordNumber>{3});
  CHECK(done[1].base_offset.error().possibly_persisted());
  CHECK(q.queue.empty());
}

TEST_CASE("a broker that forgot the producer gets the batch in a new epoch") {
  Queue q;
  q.append();
  q.answer(q.take(), ErrorCode::NONE);
  q.append();
  q.answer(q.take(), ErrorCode::UNKNOWN_PRODUCER_ID);
  const Attempt again = q.take();
  CHECK(header_of(again).base_sequence == 0);
  CHECK(header_of(again).producer_epoch == ProducerEpoch(1));
}

TEST_CASE("a fenced producer waits for another id") {
  Queue q;
  q.append();
  q.answer(q.take(), ErrorCode::INVALID_PRODUCER_EPOCH);
  CHECK(q.queue.wants_new_id());
  CHECK(q.queue.ready_at() == runtime::kNever);
  q.queue.new_id_available();
  const auto again = q.queue.take({ProducerId(8), ProducerEpoch(0)});
  REQUIRE(again);
  CHECK(header_of(*again).producer_id == ProducerId(8));
  CHECK(header_of(*again).base_sequence == 0);
}

TEST_CASE("retries end with the delivery timeout, and the error says whether the record may be there") {
  Queue q;
  q.append();
  q.append();
  const Attempt first = q.take();
  q.queue.unanswered(first.batch, Error::timeout("no answer").mark_possibly_persisted(), kStart + 1s);
  q.queue.expire(kStart + 119s);
  CHECK(q.deliveries().empty());
  q.queue.expire(kStart + 120s);
  const auto done = q.deliveries();
  REQUIRE(done.size() == 2);
  CHECK(done[0].base_offset.error().possibly_persisted());
  CHECK(done[1].base_offset.error().code() == ErrorCode::REQUEST_TIMED_OUT);
  CHECK_FALSE(done[1].base_offset.error().possibly_persisted());
}

TEST_CASE("a plain producer's batches have no identity and are retried all the same") {
  Queue q;
  q.append();
  const auto attempt = q.queue.take({});
  REQUIRE(attempt);
  CHECK(header_of(*attempt).producer_id == kNoProducerId);
  q.answer(*attempt, ErrorCode::NOT_ENOUGH_REPLICAS);
  CHECK(q.queue.ready_at() == kStart + 100ms);
  const auto again = q.queue.take({});
  REQUIRE(again);
  q.answer(*again, ErrorCode::MESSAGE_TOO_LARGE);
  const auto done = q.deliveries();
  REQUIRE(done.size() == 1);
  CHECK(done[0].base_offset.error().code() == ErrorCode::MESSAGE_TOO_LARGE);
}

TEST_CASE("error codes are judged by what they leave in the log") {
  CHECK(judge_produce(ErrorCode::REQUEST_TIMED_OUT).possibly_persisted);
  CHECK(judge_produce(ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND).possibly_persisted);
  CHECK_FALSE(judge_produce(ErrorCode::NOT_ENOUGH_REPLICAS).possibly_persisted);
  CHECK(judge_produce(ErrorCode::NOT_ENOUGH_REPLICAS).verdict == Verdict::retry);
  CHECK(judge_produce(ErrorCode::LEADER_NOT_AVAILABLE).verdict == Verdict::move);
  CHECK(judge_produce(ErrorCode::TOPIC_AUTHORIZATION_FAILED).verdict == Verdict::refused);
  CHECK(judge_produce(ErrorCode::PRODUCER_FENCED).verdict == Verdict::fenced);
}

TEST_CASE("a batch waits for linger.ms, unless it is full or somebody flushes") {
  ProducerOptions options;
  options.linger_ms = 50;
  options.batch_bytes = 200;
  options.acks = Acks::leader;
  Accumulator records(options);
  REQUIRE(records.append(record_of("first"), 0, kStart));
  CHECK(records.next_event() == kStart + 50ms);
  const auto leader_of = [](const TopicPartition&) { return BrokerId(3); };
  std::set<TopicPartition> leaderless;
  CHECK(records.drain(leader_of, kStart + 49ms, leaderless).empty());
  const std::string large(150, 'x');
  REQUIRE(records.append(record_of(large), 0, kStart + 1ms));  // does not fit into the first one's batch
  auto requests = records.drain(leader_of, kStart + 1ms, leaderless);
  REQUIRE(requests[BrokerId(3)].size() == 1);
  CHECK(protocol::read_batch_header(requests[BrokerId(3)][0].bytes).record_count == 1);
  records.close_open_batches();
  CHECK(records.drain(leader_of, kStart + 1ms, leaderless).size() == 1);
  CHECK(leaderless.empty());
}

TEST_CASE("what has no leader is named, and what does not fit is refused") {
  ProducerOptions options;
  options.acks = Acks::leader;
  options.max_request_bytes = 1000;
  options.buffer_bytes = 1500;
  options.linger_ms = 0;
  Accumulator records(options);
  const std::string body(800, 'x');
  const std::string too_large(1000, 'x');
  CHECK(records.append(record_of(too_large), 0, kStart).error().code() == ErrorCode::MESSAGE_TOO_LARGE);
  REQUIRE(records.append(record_of(body), 0, kStart));
  CHECK_FALSE(records.has_room(Accumulator::record_bytes(record_of(body))));
  std::set<TopicPartition> leaderless;
  const auto nobody = [](const TopicPartition&) { return kNoBroker; };
  CHECK(records.drain(nobody, kStart, leaderless).empty());
  CHECK(leaderless == std::set<TopicPartition>{kPartition});
  const auto somebody = [](const TopicPartition&) { return BrokerId(1); };
  auto requests = records.drain(somebody, kStart, leaderless);
  REQUIRE(requests.size() == 1);
  records.answered(requests[BrokerId(1)][0], ErrorCode::NONE, "", Offset(0), kStart);
  CHECK(records.take_deliveries().size() == 1);
  CHECK(records.empty());
  CHECK(records.buffered_bytes() == 0);
}
