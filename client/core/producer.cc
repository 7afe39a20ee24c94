#include "client/core/producer.h"

#include "client/core/co_try.h"
#include "protocol/messages/init_producer_id_request.h"
#include "protocol/messages/init_producer_id_response.h"
#include "protocol/messages/produce_request.h"
#include "protocol/messages/produce_response.h"

namespace tidemark::client {
namespace {

using protocol::ProduceRequest;
using protocol::ProduceResponse;
using runtime::Task;

// Produce names topics by id from here on.
constexpr int16_t kFirstProduceWithIds = 13;
// What the broker's own timeout is given on top, so that its answer comes first.
constexpr int32_t kAnswerGraceMs = 1'000;

// Lists each topic's drafts; `by_id` says whether the request names topics by id.
ProduceRequest build_request(const std::vector<Draft>& drafts, const Metadata& metadata,
                             const ProducerOptions& options) {
  ProduceRequest request;
  request.acks = static_cast<int16_t>(options.acks);
  request.timeout_ms = options.request_timeout_ms;
  for (const Draft& draft : drafts) {
    // Drafts come in the order of their topics.
    if (request.topic_data.empty() || request.topic_data.back().name != draft.partition.topic) {
      auto& topic = request.topic_data.emplace_back();
      topic.name = draft.partition.topic;
      if (const TopicMetadata* known = metadata.find_topic(draft.partition.topic)) topic.topic_id = known->id;
    }
    auto& partition = request.topic_data.back().partition_data.emplace_back();
    partition.index = draft.partition.partition.value;
    partition.records = protocol::Records(draft.bytes);
  }
  return request;
}

bool all_ids_known(const ProduceRequest& request) {
  return std::none_of(request.topic_data.begin(), request.topic_data.end(),
                      [](const auto& topic) { return topic.topic_id.is_zero(); });
}

}  // namespace

Producer::Producer(Cluster& cluster, ProducerOptions options, OnDelivery on_delivery)
    : cluster_(cluster),
      options_(options),
      on_delivery_(std::move(on_delivery)),
      accumulator_(options_),
      partitioner_(cluster.random(), options_.batch_bytes),
      work_(cluster.scheduler()),
      settled_(cluster.scheduler()),
      refresher_(cluster, work_) {
  scope_.spawn(run());
}

Result<std::optional<RecordNumber>> Producer::try_send(OutgoingRecord record) {
  if (fatal_) return fail(Error(*fatal_));
  const TopicMetadata* topic = cluster_.metadata().find_topic(record.topic);
  if (topic == nullptr || topic->error != ErrorCode::NONE || topic->partitions.empty())
    return std::optional<RecordNumber>();
  const size_t bytes = Accumulator::record_bytes(record);
  if (!accumulator_.has_room(bytes)) return std::optional<RecordNumber>();
  const auto count = static_cast<int32_t>(topic->partitions.size());
  if (!record.partition) {
    record.partition = partitioner_.choose(topic->name, record.key, bytes, count);
  } else if (record.partition->value < 0 || record.partition->value >= count) {
    return fail(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                fmt::format("{} has the partitions 0 to {}, not {}", topic->name, count - 1,
                            record.partition->value));
  }
  runtime::Scheduler& scheduler = cluster_.scheduler();
  const int64_t timestamp = record.timestamp_ms.value_or(runtime::unix_ms(scheduler.clock().wall()));
  TRY_ASSIGN(const Accumulator::Appended appended, accumulator_.append(record, timestamp, scheduler.mono()));
  // The sender sleeps until the first batch is due.
  if (appended.look) work_.notify_all();
  return std::optional(appended.record);
}

Task<Result<RecordNumber>> Producer::send(OutgoingRecord record) {
  for (;;) {
    const auto taken = try_send(record);
    if (!taken) co_return fail(Error(taken.error()));
    if (*taken) co_return **taken;
    const TopicMetadata* topic = cluster_.metadata().find_topic(record.topic);
    if (topic == nullptr || topic->error != ErrorCode::NONE || topic->partitions.empty()) {
      Task<Result<const TopicMetadata*>> asking =
          cluster_.topic(std::string(record.topic), true, cluster_.api_deadline());
      const Result<const TopicMetadata*> known = co_await asking;
      if (!known) co_return fail(Error(known.error()));
      continue;
    }
    auto waiting = settled_.wait();
    co_await waiting;
  }
}

Task<void> Producer::flush() {
  accumulator_.close_open_batches();
  work_.notify_all();
  while (!accumulator_.empty()) {
    auto waiting = settled_.wait();
    co_await waiting;
  }
}

Task<void> Producer::run() {
  runtime::Scheduler& scheduler = cluster_.scheduler();
  for (;;) {
    accumulator_.expire(scheduler.mono());
    report();
    if (!fatal_ && accumulator_.wants_identity()) {
      Task<Result<void>> obtaining = obtain_identity();
      const Result<void> obtained = co_await obtaining;
      if (!obtained) fatal_ = obtained.error();
    }
    if (fatal_) {
      accumulator_.fail_waiting(*fatal_);
      report();
    }
    std::set<TopicPartition> leaderless;
    const auto leader_of = [this](const TopicPartition& tp) { return cluster_.metadata().leader(tp); };
    auto requests = accumulator_.drain(leader_of, scheduler.mono(), leaderless);
    for (auto& [leader, drafts] : requests) scope_.spawn(deliver(leader, std::move(drafts)));
    report();
    if (!leaderless.empty()) refresher_.request();
    if (!requests.empty()) continue;
    // A partition without a leader is due at once: then the answer to the refresher is what to wait for.
    const runtime::MonoTime due = accumulator_.next_event();
    const runtime::MonoTime floor = scheduler.mono() + std::chrono::milliseconds(options_.retry_backoff_ms);
    const bool blocked = due <= scheduler.mono();
    auto waiting = work_.wait_until(blocked ? floor : due);
    co_await waiting;
  }
}

Task<Result<void>> Producer::obtain_identity() {
  const runtime::MonoTime give_up = cluster_.api_deadline();
  for (int attempt = 0;; ++attempt) {
    Task<Result<Cluster::Link>> opening = cluster_.any();
    const Result<Cluster::Link> link = co_await opening;
    Error error = link ? Error(ErrorCode::NONE, "") : link.error();
    if (link) {
      CO_TRY_ASSIGN(const int16_t version, (*link)->version_of<protocol::InitProducerIdRequest>());
      protocol::InitProducerIdRequest request;
      request.transactional_id.reset();
      request.transaction_timeout_ms = INT32_MAX;
      Task<Result<Reply<protocol::InitProducerIdResponse>>> asking =
          (*link)->call<protocol::InitProducerIdRequest, protocol::InitProducerIdResponse>(request, version);
      const auto reply = co_await asking;
      if (reply && reply->body.error_code == 0) {
        accumulator_.set_identity(
            {ProducerId(reply->body.producer_id), ProducerEpoch(reply->body.producer_epoch)});
        co_return Result<void>();
      }
      error = reply ? Error(ErrorCode(reply->body.error_code), "no producer id to be had") : reply.error();
    }
    if (!is_retriable(error.code()) || cluster_.scheduler().mono() >= give_up) co_return fail(error);
    Task<void> pause = cluster_.back_off(attempt);
    co_await pause;
  }
}

Task<void> Producer::deliver(BrokerId leader, std::vector<Draft> drafts) {
  Task<Result<void>> exchanging = exchange(leader, drafts);
  const Result<void> exchanged = co_await exchanging;
  if (!exchanged) {
    const runtime::MonoTime now = cluster_.scheduler().mono();
    for (const Draft& draft : drafts) accumulator_.unanswered(draft, exchanged.error(), now);
    // Whoever leads now is reachable for somebody, or soon will be.
    refresher_.request();
  }
  report();
  work_.notify_all();
}

Task<Result<void>> Producer::exchange(BrokerId leader, const std::vector<Draft>& drafts) {
  Task<Result<Cluster::Link>> opening = cluster_.broker(leader);
  const Result<Cluster::Link> link = co_await opening;
  if (!link) co_return fail(Error(link.error()));
  Metadata& metadata = cluster_.metadata();
  const ProduceRequest request = build_request(drafts, metadata, options_);
  const int16_t highest = all_ids_known(request) ? INT16_MAX : static_cast<int16_t>(kFirstProduceWithIds - 1);
  CO_TRY_ASSIGN(const int16_t version, (*link)->version_of<ProduceRequest>(highest));
  if (options_.acks == Acks::none) {
    Task<Result<void>> telling = (*link)->tell(request, version);
    const Result<void> told = co_await telling;
    if (!told) co_return fail(Error(told.error()));
    for (const Draft& draft : drafts)
      accumulator_.answered(draft, ErrorCode::NONE, "", kNoOffset, cluster_.scheduler().mono());
    co_return Result<void>();
  }
  Task<Result<Reply<ProduceResponse>>> asking =
      (*link)->call<ProduceRequest, ProduceResponse>(request, version, kAnswerGraceMs);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));

  const runtime::MonoTime now = cluster_.scheduler().mono();
  bool moved = false;
  std::map<TopicPartition, const Draft*> open;
  for (const Draft& draft : drafts) open[draft.partition] = &draft;
  for (const auto& topic : reply->body.responses) {
    std::string name(topic.name);
    for (const auto& asked : request.topic_data) {
      if (version >= kFirstProduceWithIds && asked.topic_id == topic.topic_id) name = std::string(asked.name);
    }
    for (const auto& partition : topic.partition_responses) {
      const TopicPartition tp{name, PartitionId(partition.index)};
      const auto draft = open.find(tp);
      if (draft == open.end()) continue;
      const auto code = ErrorCode(partition.error_code);
      std::string message = partition.error_message ? std::string(*partition.error_message) : "";
      for (const auto& record : partition.record_errors) {
        if (record.batch_index_error_message)
          message += fmt::format("; {}", *record.batch_index_error_message);
      }
      if (judge_produce(code).verdict == Verdict::move) {
        metadata.leader_denied(tp, BrokerId(partition.current_leader.leader_id),
                               LeaderEpoch(partition.current_leader.leader_epoch));
        moved = true;
      }
      accumulator_.answered(*draft->second, code, std::move(message), Offset(partition.base_offset), now);
      open.erase(draft);
    }
  }
  const Error missing =
      Error(ErrorCode::NETWORK_EXCEPTION, "the answer leaves the partition out").mark_possibly_persisted();
  for (const auto& [tp, draft] : open) accumulator_.unanswered(*draft, missing, now);
  if (moved) refresher_.request();
  co_return Result<void>();
}

void Producer::report() {
  const std::vector<Delivery> deliveries = accumulator_.take_deliveries();
  for (const Delivery& delivery : deliveries) on_delivery_(delivery);
  if (!deliveries.empty()) settled_.notify_all();
}

}  // namespace tidemark::client
