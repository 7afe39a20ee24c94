#include "client/core/consumer.h"

#include "client/core/co_try.h"
#include "protocol/messages/fetch_request.h"
#include "protocol/messages/fetch_response.h"

namespace tidemark::client {
namespace {

using protocol::FetchRequest;
using protocol::FetchResponse;
using runtime::Task;

// Fetch names topics by id from here on, and says who reads in a field of its own from version 15.
constexpr int16_t kFirstVersionWithIds = 13;

FetchRequest build_request(const std::vector<FetchTarget>& targets, const Metadata& metadata,
                           const ConsumerOptions& options) {
  FetchRequest request;
  request.max_wait_ms = options.fetch_max_wait_ms;
  request.min_bytes = options.fetch_min_bytes;
  request.max_bytes = options.fetch_max_bytes;
  request.isolation_level = static_cast<int8_t>(options.isolation);
  for (const FetchTarget& target : targets) {
    if (request.topics.empty() || request.topics.back().topic != target.partition.topic) {
      auto& topic = request.topics.emplace_back();
      topic.topic = target.partition.topic;
      if (const TopicMetadata* known = metadata.find_topic(target.partition.topic))
        topic.topic_id = known->id;
    }
    auto& partition = request.topics.back().partitions.emplace_back();
    partition.partition = target.partition.partition.value;
    partition.fetch_offset = target.offset.value;
    partition.partition_max_bytes = options.max_partition_fetch_bytes;
    if (const PartitionMetadata* known = metadata.find(target.partition))
      partition.current_leader_epoch = known->leader_epoch.value;
  }
  return request;
}

// Errors that the next metadata, or time, will mend.
bool passes(ErrorCode code) {
  switch (code) {
    case ErrorCode::NOT_LEADER_OR_FOLLOWER:
    case ErrorCode::LEADER_NOT_AVAILABLE:
    case ErrorCode::REPLICA_NOT_AVAILABLE:
    case ErrorCode::FENCED_LEADER_EPOCH:
    case ErrorCode::UNKNOWN_LEADER_EPOCH:
    case ErrorCode::KAFKA_STORAGE_ERROR:
    case ErrorCode::OFFSET_NOT_AVAILABLE:
    case ErrorCode::UNKNOWN_TOPIC_ID:
    case ErrorCode::INCONSISTENT_TOPIC_ID:
    case ErrorCode::REQUEST_TIMED_OUT: return true;
    default: return false;
  }
}

}  // namespace

Consumer::Consumer(Cluster& cluster, ConsumerOptions options)
    : cluster_(cluster), options_(options), plan_(options), arrived_(cluster.scheduler()) {}

void Consumer::assign(const TopicPartition& partition, Offset offset) {
  cluster_.remember(partition.topic, false);
  plan_.assign(partition, offset);
}

void Consumer::unassign(const TopicPartition& partition) { plan_.remove(partition); }

Task<Result<std::unique_ptr<PartitionRecords>>> Consumer::poll(runtime::MonoTime deadline) {
  for (;;) {
    start_fetches();
    std::optional<FetchPlan::Ready> ready = plan_.pop();
    if (ready) co_return std::move(ready->records);
    const runtime::MonoTime now = cluster_.scheduler().mono();
    if (now >= deadline) co_return std::unique_ptr<PartitionRecords>();
    auto waiting = arrived_.wait_until(std::min(deadline, plan_.next_event(now)));
    co_await waiting;
  }
}

void Consumer::start_fetches() {
  std::set<TopicPartition> leaderless;
  const auto leader_of = [this](const TopicPartition& tp) { return cluster_.metadata().leader(tp); };
  auto requests = plan_.due(leader_of, cluster_.scheduler().mono(), busy_, leaderless);
  for (auto& [leader, targets] : requests) {
    busy_.insert(leader);
    scope_.spawn(fetch(leader, std::move(targets)));
  }
  if (!leaderless.empty()) refresh_once();
}

void Consumer::refresh_once() {
  if (refreshing_) return;
  refreshing_ = true;
  scope_.spawn(refresh_metadata());
}

Task<void> Consumer::fetch(BrokerId leader, std::vector<FetchTarget> targets) {
  Task<Result<bool>> exchanging = exchange(leader, targets);
  const Result<bool> exchanged = co_await exchanging;
  busy_.erase(leader);
  const runtime::MonoTime later =
      cluster_.scheduler().mono() + std::chrono::milliseconds(options_.retry_backoff_ms);
  if (!exchanged && exchanged.error().kind() == ErrorKind::protocol &&
      !is_retriable(exchanged.error().code()) &&
      exchanged.error().code() != ErrorCode::BROKER_NOT_AVAILABLE) {
    for (const FetchTarget& target : targets) plan_.take_error(target, exchanged.error());
  } else {
    // What no answer named is asked again.
    for (const FetchTarget& target : targets) plan_.retry(target, later);
    if (!exchanged || *exchanged) refresh_once();
  }
  arrived_.notify_all();
}

// True if some partition wants newer metadata. Takes what was answered off `targets`.
Task<Result<bool>> Consumer::exchange(BrokerId leader, std::vector<FetchTarget>& targets) {
  Task<Result<Cluster::Link>> opening = cluster_.broker(leader);
  const Result<Cluster::Link> link = co_await opening;
  if (!link) co_return fail(Error(link.error()));
  Metadata& metadata = cluster_.metadata();
  std::sort(targets.begin(), targets.end(), [](const FetchTarget& a, const FetchTarget& b) {
    return a.partition.topic < b.partition.topic;  // a topic's partitions stand together
  });
  const FetchRequest request = build_request(targets, metadata, options_);
  const bool ids = std::none_of(request.topics.begin(), request.topics.end(),
                                [](const auto& topic) { return topic.topic_id.is_zero(); });
  const int16_t highest = ids ? INT16_MAX : static_cast<int16_t>(kFirstVersionWithIds - 1);
  CO_TRY_ASSIGN(const int16_t version, (*link)->version_of<FetchRequest>(highest));
  Task<Result<Reply<FetchResponse>>> asking =
      (*link)->call<FetchRequest, FetchResponse>(request, version, options_.fetch_max_wait_ms);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  if (reply->body.error_code != 0)
    co_return fail(ErrorCode(reply->body.error_code), "the broker refuses the fetch");

  const runtime::MonoTime later =
      cluster_.scheduler().mono() + std::chrono::milliseconds(options_.retry_backoff_ms);
  bool moved = false;
  for (const auto& topic : reply->body.responses) {
    std::string name(topic.topic);
    for (const auto& asked : request.topics) {
      if (version >= kFirstVersionWithIds && asked.topic_id == topic.topic_id)
        name = std::string(asked.topic);
    }
    for (const auto& data : topic.partitions) {
      const TopicPartition tp{name, PartitionId(data.partition_index)};
      const auto found = std::find_if(targets.begin(), targets.end(),
                                      [&](const FetchTarget& target) { return target.partition == tp; });
      if (found == targets.end()) continue;
      const FetchTarget target = *found;
      targets.erase(found);
      const auto code = ErrorCode(data.error_code);
      if (code == ErrorCode::NONE) {
        FetchedBytes fetched;
        fetched.partition = tp;
        fetched.frame = reply->frame;
        fetched.records = data.records.bytes();
        fetched.wanted = target.offset;
        fetched.high_watermark = Offset(data.high_watermark);
        fetched.log_start = Offset(data.log_start_offset);
        if (data.aborted_transactions) {
          for (const auto& each : *data.aborted_transactions)
            fetched.aborted.push_back({ProducerId(each.producer_id), Offset(each.first_offset)});
        }
        plan_.take_records(target, std::move(fetched));
      } else if (passes(code)) {
        const PartitionMetadata* known = metadata.find(tp);
        metadata.invalidate(tp, known == nullptr ? kNoLeaderEpoch : known->leader_epoch);
        metadata.learn_leader(tp, BrokerId(data.current_leader.leader_id),
                              LeaderEpoch(data.current_leader.leader_epoch));
        plan_.retry(target, later);
        moved = true;
      } else {
        plan_.take_error(target, Error(code, fmt::format("{} at offset {}", tp, target.offset.value)));
      }
    }
  }
  co_return moved;
}

Task<void> Consumer::refresh_metadata() {
  Task<Result<void>> asking = cluster_.refresh_remembered(cluster_.metadata().version());
  const Result<void> asked = co_await asking;
  refresh_failures_ = asked ? 0 : refresh_failures_ + 1;
  Task<void> pause = cluster_.back_off(refresh_failures_);
  co_await pause;
  refreshing_ = false;
  arrived_.notify_all();
}

}  // namespace tidemark::client
