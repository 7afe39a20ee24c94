#include "tests/simulation/node_producer.h"

#include <fmt/ranges.h>

#include "protocol/batch/header.h"
#include "protocol/messages/init_producer_id_request.h"
#include "protocol/messages/init_producer_id_response.h"
#include "protocol/messages/produce_request.h"
#include "tests/simulation/sim_batch.h"

namespace tidemark::simulation {

using protocol::ProduceRequest;
using protocol::ProduceResponse;
using runtime::Task;

namespace {

constexpr int16_t kAll = -1;
constexpr std::chrono::milliseconds kMostAhead = std::chrono::hours(1);  // message.timestamp.after.max.ms

}  // namespace

Task<void> NodeProducer::operate() {
  const bool idempotent = run_.workload.idempotent && run_.random.chance(0.5);
  auto producing = idempotent ? produce_idempotent() : produce_plain();
  co_await producing;
}

std::shared_ptr<NodeProducer::Out> NodeProducer::make(const TopicPtr& topic, PartitionId partition,
                                                      bool by_id, Session* session) {
  const NodeWorkload& w = run_.workload;
  SimBatch content;
  content.identity = ++run_.identities;
  content.records = 1 + static_cast<int32_t>(run_.random.below(static_cast<uint64_t>(w.max_records)));
  content.value_bytes = run_.random.below(w.max_value_bytes);
  if (run_.random.chance(0.02)) content.value_bytes *= 8;
  content.timestamp_ms = run_.random.chance(0.2) ? now_ms() - run_.random.between(0, 20'000) : now_ms();
  if (session != nullptr) {
    content.producer = session->id;
    content.producer_epoch = ProducerEpoch(0);
    content.base_sequence = session->next_sequence;
    session->next_sequence += content.records;
  }
  for (int32_t i = 0; i < content.records && w.keys > 0; ++i) {
    content.keys.push_back(static_cast<int32_t>(run_.random.below(static_cast<uint64_t>(w.keys))));
    content.tombstones.push_back(run_.random.chance(0.1));
  }
  auto out = std::make_shared<Out>();
  out->topic = topic;
  out->bytes = content.encode();
  SentBatch batch;
  batch.identity = content.identity;
  batch.topic = topic->name;
  batch.topic_id = topic->id;
  batch.by_id = by_id;
  batch.sent_at = run_.cluster.changes();
  batch.partition = partition;
  batch.records = content.records;
  batch.timestamp_ms = content.timestamp_ms;
  batch.crc = protocol::read_batch_header(out->bytes.bytes).crc;
  batch.producer = content.producer;
  batch.base_sequence = content.base_sequence;
  if (!content.keys.empty())
    run_.note("#{} has keys {}, deleted {}", content.identity, fmt::join(content.keys, " "),
              fmt::join(content.tombstones, " "));
  batch.keys = content.keys;
  batch.tombstones = content.tombstones;
  batch.value_bytes = content.value_bytes;
  out->batch = &run_.cluster.sent(std::move(batch));
  out->was_promised = topic->partition(partition).promised_end();
  out->first_version = version_of(*topic);
  return out;
}

// --- one request

void NodeProducer::judge(Out& out, ErrorCode code, Offset base, int16_t acks, uint64_t version_at_send,
                         uint64_t life, runtime::MonoTime sent) {
  SentBatch& batch = *out.batch;
  TopicModel& topic = *out.topic;
  if (code == ErrorCode::NONE) {
    out.fate = Out::Fate::acked;
    run_.count(acks == kAll ? "node: acknowledged by all" : "node: acknowledged by the leader");
    run_.note("acked #{} at {} of {} acks {}", batch.identity, base, topic.partition(batch.partition).name(),
              acks);
    // By name, it may have gone to another topic than the client knew.
    const NameModel& name = run_.cluster.name(topic.name);
    if (!batch.by_id && (topic.gone || name.busy || name.topic != out.topic)) return;
    run_.judge(topic.partition(batch.partition).served(life));
    if (batch.timestamp_ms > runtime::unix_ms(run_.walls.at(life, run_.time.mono())) + kMostAhead.count())
      run_.violate(fmt::format("batch #{} is of the future, and acknowledged", batch.identity));
    run_.judge(topic.partition(batch.partition).acked(batch, base, life, out.was_promised));
    return;
  }
  run_.note("refused #{} for {}: {}", batch.identity, topic.partition(batch.partition).name(),
            error_name(code));
  if (code == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER && batch.producer != kNoProducerId) {
    out.fate = Out::Fate::lost_place;  // who sent it knows whether that is right
    return;
  }
  // By the clock that it has looked at since it was sent; of that life, which may be over.
  if (code == ErrorCode::INVALID_TIMESTAMP &&
      batch.timestamp_ms > runtime::unix_ms(run_.walls.at(life, sent)) + kMostAhead.count()) {
    run_.counters.count("node: record of the future refused");
    out.fate = Out::Fate::of_the_future;
    return;
  }
  if (!excuses(topic, batch.partition, version_at_send, code)) {
    run_.violate(fmt::format("{}: batch #{} is answered with {}", topic.partition(batch.partition).name(),
                             batch.identity, error_name(code)));
  }
  const bool missing = code == ErrorCode::UNKNOWN_TOPIC_ID || code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
  out.fate = missing ? Out::Fate::refused : Out::Fate::unknown;
  run_.counters.count("node: append refused");
}

Task<void> NodeProducer::send(Outs outs, int16_t acks, int16_t version) {
  ProduceRequest request;
  request.acks = acks;
  request.timeout_ms = run_.workload.request_timeout_ms;
  std::vector<uint64_t> versions;
  for (const auto& out : outs) {
    auto& topic = request.topic_data.emplace_back();
    if (version >= 13) {
      topic.topic_id = out->topic->id;
    } else {
      topic.name = out->topic->name;
    }
    auto& partition = topic.partition_data.emplace_back();
    partition.index = out->batch->partition.value;
    partition.records = protocol::Records(out->bytes.bytes);
    ++out->batch->attempts;
    out->fate = Out::Fate::unknown;
    versions.push_back(version_of(*out->topic));
    run_.note("send #{} to {} acks {} v{}", out->batch->identity,
              out->topic->partition(out->batch->partition).name(), acks, version);
  }
  const auto through = connection();
  if (!through) co_return;
  const uint64_t of_life = life();
  const runtime::MonoTime sent = run_.time.mono();
  if (acks == 0) {
    auto telling = through->tell(request, version);
    (void)co_await telling;
    run_.count("node: sent with acks=0");
    co_return;
  }
  auto calling = through->call<ProduceRequest, ProduceResponse>(request, version);
  auto reply = co_await calling;
  if (!reply) {
    run_.counters.count("node: produce unanswered");
    if (connection() == through) disconnect();
    co_return;
  }
  const auto& responses = reply->body.responses;
  for (size_t i = 0; i < outs.size(); ++i) {
    if (i >= responses.size() || responses[i].partition_responses.size() != 1) {
      run_.violate(fmt::format("a produce response leaves out batch #{}", outs[i]->batch->identity));
      co_return;
    }
    const auto& answer = responses[i].partition_responses[0];
    if (answer.error_message) run_.note("  because: {}", *answer.error_message);
    judge(*outs[i], static_cast<ErrorCode>(answer.error_code), Offset(answer.base_offset), acks, versions[i],
          of_life, sent);
  }
}

Task<void> NodeProducer::send_counted(Outs outs, int16_t acks, int16_t version, size_t* missing,
                                      runtime::Signal* done) {
  auto sending = send(std::move(outs), acks, version);
  co_await sending;
  --*missing;
  done->notify_all();
}

Task<void> NodeProducer::send_pipelined(Outs outs, int16_t acks, int16_t version) {
  auto connecting = connect();
  const bool connected = co_await connecting;
  if (!connected) co_return;
  runtime::Signal done(loop_);
  size_t missing = outs.size();
  for (const auto& out : outs) {
    Outs one{out};
    scope_.spawn(send_counted(std::move(one), acks, version, &missing, &done));
  }
  while (missing > 0) {
    auto waiting = done.wait();
    co_await waiting;
  }
}

// --- plain

Task<void> NodeProducer::produce_plain() {
  const bool by_id = run_.random.chance(0.5);
  Outs outs;
  const size_t count = 1 + run_.random.below(run_.workload.max_pipelined);
  const TopicPtr topic = some_topic(true);
  if (!topic || topic->partitions.empty()) co_return;
  if (topic->gone) run_.counters.count("node: produce to a deleted topic");
  const bool spread = run_.random.chance(0.3);  // one request for several partitions
  const auto some_partition = [&] {
    return PartitionId(static_cast<int32_t>(run_.random.below(topic->partitions.size())));
  };
  const PartitionId first = some_partition();
  for (size_t i = 0; i < count; ++i) {
    const PartitionId partition = spread ? some_partition() : first;
    const bool twice = std::any_of(outs.begin(), outs.end(),
                                   [&](const auto& o) { return o->batch->partition == partition; });
    if (spread && twice) continue;
    outs.push_back(make(topic, partition, by_id, nullptr));
  }
  const int16_t acks = run_.workload.plain_acks ? one_of<int16_t>({kAll, kAll, 1, 0}) : kAll;
  const int16_t version = some_version(by_id);
  for (int attempt = 0; attempt < 3 && !over(); ++attempt) {
    auto connecting = connect();
    const bool connected = co_await connecting;
    if (connected) {
      auto sending = spread ? send(outs, acks, version) : send_pipelined(outs, acks, version);
      co_await sending;
      if (acks == 0) co_return;
    }
    std::erase_if(outs, [](const auto& o) { return o->fate != Out::Fate::unknown; });
    // What had no answer is sent again, or given up.
    if (outs.empty() || run_.random.chance(0.3)) co_return;
    run_.counters.count("node: plain batch sent again");
    auto backing_off = pause(std::chrono::milliseconds(300));
    co_await backing_off;
  }
}

// --- idempotent

Task<bool> NodeProducer::open_session() {
  const TopicPtr topic = some_topic();
  if (!topic || topic->partitions.empty()) co_return false;
  protocol::InitProducerIdRequest request;
  request.transactional_id.reset();
  const auto version = static_cast<int16_t>(run_.random.between(0, 5));
  auto asking = ask<protocol::InitProducerIdResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return false;
  const auto code = static_cast<ErrorCode>(reply->body.error_code);
  if (code != ErrorCode::NONE) {
    if (!storage_may_fail())
      run_.violate(fmt::format("InitProducerId is answered with {}", error_name(code)));
    co_return false;
  }
  run_.judge(run_.cluster.new_producer_id(ProducerId(reply->body.producer_id)));
  run_.count("node: producer id given");
  session_.emplace();
  session_->topic = topic;
  session_->partition = PartitionId(static_cast<int32_t>(run_.random.below(topic->partitions.size())));
  session_->id = ProducerId(reply->body.producer_id);
  co_return true;
}

Task<void> NodeProducer::produce_idempotent() {
  if (session_ && (session_->topic->gone || run_.random.chance(0.05))) session_.reset();
  if (!session_) {
    auto opening = open_session();
    const bool opened = co_await opening;
    if (!opened) co_return;
  }
  const bool by_id = run_.random.chance(0.7);
  const size_t count = 1 + run_.random.below(run_.workload.max_pipelined);
  Outs outs;
  for (size_t i = 0; i < count; ++i)
    outs.push_back(make(session_->topic, session_->partition, by_id, &*session_));
  // Until every one is acknowledged, in their order: so does a producer that must not lose nor double.
  for (int attempt = 0; !outs.empty() && !over(); ++attempt) {
    if (attempt > 0) {
      run_.counters.count("node: idempotent batch sent again");
      auto backing_off = pause(std::chrono::milliseconds(300));
      co_await backing_off;
    }
    if (session_->topic->gone || attempt > 40) break;
    if (session_->topic->partition(session_->partition).may_be_lost(run_.life) && attempt > 2) break;
    auto sending = send_pipelined(outs, kAll, some_version(by_id));
    co_await sending;
    const auto& first = *outs.front();
    if (first.fate == Out::Fate::lost_place && version_of(*first.topic) == first.first_version &&
        !run_.cluster.name(first.topic->name).busy) {
      run_.violate(fmt::format("{}: batch #{}, next in its producer's order, is out of sequence",
                               first.topic->partition(session_->partition).name(), first.batch->identity));
    }
    const bool refused = first.fate == Out::Fate::refused || first.fate == Out::Fate::of_the_future;
    std::erase_if(outs, [](const auto& o) { return o->fate == Out::Fate::acked; });
    if (refused) break;
  }
  if (!outs.empty()) session_.reset();
}

// --- at the end

Task<void> NodeProducer::insist(TopicPtr topic, PartitionId partition) {
  session_.reset();
  Outs outs{make(topic, partition, true, nullptr)};
  while (!outs.empty() && !run_.violation) {
    auto sending = send_pipelined(outs, kAll, 13);
    co_await sending;
    std::erase_if(outs, [](const auto& o) { return o->fate == Out::Fate::acked; });
    if (outs.empty()) break;
    auto backing_off = pause(std::chrono::milliseconds(200));
    co_await backing_off;
  }
}

}  // namespace tidemark::simulation
