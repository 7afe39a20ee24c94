#include "client/core/consumer.h"

#include "client/core/admin.h"
#include "client/core/co_try.h"
#include "protocol/messages/fetch_request.h"
#include "protocol/messages/fetch_response.h"
#include "protocol/messages/offset_for_leader_epoch_request.h"
#include "protocol/messages/offset_for_leader_epoch_response.h"

namespace tidemark::client {
namespace {

using protocol::FetchRequest;
using protocol::FetchResponse;
using protocol::OffsetForLeaderEpochRequest;
using protocol::OffsetForLeaderEpochResponse;
using runtime::Task;

// Before, OffsetForLeaderEpoch wants rights over the whole cluster.
constexpr int16_t kFirstVersionForConsumers = 3;
// For requests that nobody waits to be answered.
constexpr std::chrono::milliseconds kWriteTime(100);

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

auto find_target(std::vector<FetchTarget>& targets, std::string_view topic, int32_t partition) {
  return std::find_if(targets.begin(), targets.end(), [&](const FetchTarget& target) {
    return target.partition.partition.value == partition && target.partition.topic == topic;
  });
}

// So that a topic's partitions stand together.
void sort_by_topic(std::vector<FetchTarget>& targets) {
  std::stable_sort(targets.begin(), targets.end(), [](const FetchTarget& a, const FetchTarget& b) {
    return a.partition.topic < b.partition.topic;
  });
}

OffsetForLeaderEpochRequest ends_request(const std::vector<FetchTarget>& targets) {
  OffsetForLeaderEpochRequest request;
  request.replica_id = -1;
  for (const FetchTarget& target : targets) {
    if (request.topics.empty() || request.topics.back().topic != target.partition.topic)
      request.topics.emplace_back().topic = target.partition.topic;
    auto& partition = request.topics.back().partitions.emplace_back();
    partition.partition = target.partition.partition.value;
    partition.current_leader_epoch = target.leader_epoch.value;
    partition.leader_epoch = target.position.epoch.value;
  }
  return request;
}

}  // namespace

Consumer::Consumer(Cluster& cluster, ConsumerOptions options, OnTruncation on_truncation, OnFetch on_fetch)
    : cluster_(cluster),
      options_(options),
      on_truncation_(std::move(on_truncation)),
      on_fetch_(std::move(on_fetch)),
      plan_(options),
      arrived_(cluster.scheduler()),
      refresher_(cluster, arrived_) {}

void Consumer::assign(const TopicPartition& partition, Offset offset, LeaderEpoch epoch) {
  cluster_.remember(partition.topic, false);
  plan_.assign(partition, {offset, epoch});
}

void Consumer::assign_at(const TopicPartition& partition, int64_t time_ms) {
  cluster_.remember(partition.topic, false);
  scope_.spawn(look_up(plan_.assign_later(partition), time_ms));
}

void Consumer::unassign(const TopicPartition& partition) { plan_.remove(partition); }

runtime::MonoTime Consumer::later() const {
  return cluster_.scheduler().mono() + std::chrono::milliseconds(options_.retry_backoff_ms);
}

Task<Result<std::unique_ptr<PartitionRecords>>> Consumer::poll(runtime::MonoTime deadline) {
  for (;;) {
    auto ready = take();
    if (ready) co_return std::move(*ready);
    if (cluster_.scheduler().mono() >= deadline) co_return std::unique_ptr<PartitionRecords>();
    auto waiting = arrived_.wait_until(std::min(deadline, next_event()));
    co_await waiting;
  }
}

std::optional<Result<std::unique_ptr<PartitionRecords>>> Consumer::take() {
  start_fetches();
  std::optional<FetchPlan::Ready> ready = plan_.pop();
  if (!ready) return std::nullopt;
  return std::move(ready->records);
}

runtime::MonoTime Consumer::next_event() const { return plan_.next_event(cluster_.scheduler().mono()); }

void Consumer::start_fetches() {
  const auto leader_at = [this](const TopicPartition& tp) { return cluster_.metadata().leader_at(tp); };
  // Twice, since where a leader cannot be asked, comparing is done at once, and nobody will wake poll() for
  // it.
  for (int pass = 0; pass < 2; ++pass) {
    const uint64_t seen = std::exchange(leaders_version_, cluster_.metadata().leaders_version());
    FetchPlan::Due due = plan_.due(leader_at, seen != leaders_version_, cluster_.scheduler().mono(), busy_);
    for (auto& [leader, targets] : due.fetches) {
      busy_.insert(leader);
      scope_.spawn(fetch(leader, std::move(targets)));
    }
    for (auto& [leader, targets] : due.comparisons) scope_.spawn(compare(leader, std::move(targets)));
    if (!due.leaderless.empty()) refresher_.request();
    if (due.comparisons.empty()) break;
  }
}

Task<void> Consumer::compare(BrokerId leader, std::vector<FetchTarget> targets) {
  Task<Result<void>> asking = ask_ends(leader, targets);
  const Result<void> asked = co_await asking;
  // What was not answered is asked again, perhaps of another leader.
  for (const FetchTarget& target : targets) plan_.retry(target, later());
  if (!asked || !targets.empty()) refresher_.request();
  arrived_.notify_all();
}

// Takes what was answered off `targets`.
Task<Result<void>> Consumer::ask_ends(BrokerId leader, std::vector<FetchTarget>& targets) {
  Task<Result<Cluster::Link>> opening = cluster_.broker(leader);
  const Result<Cluster::Link> link = co_await opening;
  if (!link) co_return fail(Error(link.error()));
  const Result<int16_t> version = (*link)->version_of<OffsetForLeaderEpochRequest>();
  if (!version || *version < kFirstVersionForConsumers) {
    for (const FetchTarget& target : targets) take_end(target, std::nullopt);
    targets.clear();
    co_return Result<void>();
  }
  sort_by_topic(targets);
  const OffsetForLeaderEpochRequest request = ends_request(targets);
  Task<Result<Reply<OffsetForLeaderEpochResponse>>> asking =
      (*link)->call<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>(request, *version);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  for (const auto& topic : reply->body.topics) {
    for (const auto& end : topic.partitions) {
      const auto found = find_target(targets, topic.topic, end.partition);
      if (found == targets.end()) continue;
      const auto code = ErrorCode(end.error_code);
      if (passes(code) || code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) {
        cluster_.metadata().invalidate(found->partition, found->leader_epoch);
        continue;
      }
      const FetchTarget target = *found;
      targets.erase(found);
      if (code == ErrorCode::NONE) {
        take_end(target, FetchPosition{Offset(end.end_offset), LeaderEpoch(end.leader_epoch)});
      } else {
        plan_.take_error(target, Error(code, fmt::format("{}", target.partition)));
      }
    }
  }
  co_return Result<void>();
}

void Consumer::take_end(const FetchTarget& target, std::optional<FetchPosition> end) {
  const std::optional<LogTruncation> truncation = plan_.take_end(target, end);
  if (!truncation) return;
  if (on_truncation_) on_truncation_(*truncation);
  if (options_.offset_reset == OffsetReset::none) {
    plan_.take_error(target, Error(ErrorCode::OFFSET_OUT_OF_RANGE, truncation->to_string()));
  } else if (truncation->diverged) {
    plan_.place(target, *truncation->diverged);
  } else {
    reset(target);
  }
}

void Consumer::reset(const FetchTarget& target) {
  plan_.seek(target);
  scope_.spawn(look_up(target, options_.offset_reset == OffsetReset::earliest ? kEarliest : kLatest));
}

Task<void> Consumer::close(runtime::MonoTime deadline) {
  std::vector<Cluster::Link> told;
  for (auto& [leader, session] : sessions_) {
    const Cluster::Link link = cluster_.open_link(leader);
    if (!link) continue;
    ++ending_;
    told.push_back(link);
    scope_.spawn(end_session(link, session));
  }
  const runtime::MonoTime written = cluster_.scheduler().mono() + kWriteTime;
  for (const Cluster::Link& link : told) {
    Task<void> writing = link->drain(written);
    co_await writing;
  }
  while (ending_ > 0 && cluster_.scheduler().mono() < deadline) {
    auto waiting = arrived_.wait_until(deadline);
    (void)co_await waiting;
  }
}

Task<void> Consumer::end_session(Cluster::Link link, FetchSession& session) {
  FetchRequest request;
  request.max_wait_ms = 0;
  if (session.write_end(request)) {
    Task<Result<Reply<FetchResponse>>> asking =
        link->call<FetchRequest, FetchResponse>(request, session.version());
    // Whatever the answer: nothing depends on it.
    (void)co_await asking;
  }
  --ending_;
  arrived_.notify_all();
}

Task<void> Consumer::fetch(BrokerId leader, std::vector<FetchTarget> targets) {
  Task<Result<bool>> exchanging = exchange(leader, targets);
  const Result<bool> exchanged = co_await exchanging;
  busy_.erase(leader);
  if (!exchanged) sessions_[leader].lost();
  if (!exchanged && exchanged.error().kind() == ErrorKind::protocol &&
      !is_retriable(exchanged.error().code()) &&
      exchanged.error().code() != ErrorCode::BROKER_NOT_AVAILABLE) {
    for (const FetchTarget& target : targets) plan_.take_error(target, exchanged.error());
  } else {
    // What no answer named is asked again.
    for (const FetchTarget& target : targets) plan_.retry(target, later());
    if (!exchanged || *exchanged) refresher_.request();
  }
  arrived_.notify_all();
}

std::vector<FetchSession::Item> Consumer::items_of(const std::vector<FetchTarget>& targets) {
  const Metadata& metadata = cluster_.metadata();
  std::vector<FetchSession::Item> items;
  for (const FetchTarget& target : targets) {
    FetchSession::Wish wish;
    wish.offset = target.position.offset;
    wish.leader_epoch = target.leader_epoch;
    wish.max_bytes = options_.max_partition_fetch_bytes;
    if (const TopicMetadata* known = metadata.find_topic(target.partition.topic)) wish.topic_id = known->id;
    items.push_back({target.partition, wish});
  }
  return items;
}

// True if some partition wants newer metadata. Takes what was answered off `targets`.
Task<Result<bool>> Consumer::exchange(BrokerId leader, std::vector<FetchTarget>& targets) {
  Task<Result<Cluster::Link>> opening = cluster_.broker(leader);
  const Result<Cluster::Link> link = co_await opening;
  if (!link) co_return fail(Error(link.error()));
  sort_by_topic(targets);
  const std::vector<FetchSession::Item> items = items_of(targets);
  const bool ids =
      std::none_of(items.begin(), items.end(), [](const auto& item) { return item.wish.topic_id.is_zero(); });
  const int16_t highest = ids ? INT16_MAX : static_cast<int16_t>(kFirstFetchWithIds - 1);
  CO_TRY_ASSIGN(const int16_t version, (*link)->version_of<FetchRequest>(highest));
  FetchRequest request;
  request.max_wait_ms = options_.fetch_max_wait_ms;
  request.min_bytes = options_.fetch_min_bytes;
  request.max_bytes = options_.fetch_max_bytes;
  request.isolation_level = static_cast<int8_t>(options_.isolation);
  FetchSession& session = sessions_[leader];
  session.write(items, version, request);
  const bool incremental = session.incremental();
  const runtime::MonoTime asked_at = cluster_.scheduler().mono();
  Task<Result<Reply<FetchResponse>>> asking =
      (*link)->call<FetchRequest, FetchResponse>(request, version, options_.fetch_max_wait_ms);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  const auto error = ErrorCode(reply->body.error_code);
  if (!session.accept(error, reply->body.session_id)) {
    // Everything is named in the next request; at once, unless this one did already.
    for (const FetchTarget& target : targets)
      plan_.retry(target, incremental ? cluster_.scheduler().mono() : later());
    targets.clear();
    co_return error == ErrorCode::INCONSISTENT_TOPIC_ID || error == ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR;
  }
  if (error != ErrorCode::NONE) co_return fail(error, "the broker refuses the fetch");

  bool moved = false;
  if (on_fetch_) {
    size_t record_bytes = 0;
    for (const auto& topic : reply->body.responses) {
      for (const auto& data : topic.partitions) record_bytes += data.records.bytes().size();
    }
    if (record_bytes > 0) on_fetch_({leader, cluster_.scheduler().mono() - asked_at, record_bytes});
  }
  for (const auto& topic : reply->body.responses) {
    std::string name(topic.topic);
    if (version >= kFirstFetchWithIds) {
      const auto asked = std::find_if(items.begin(), items.end(), [&](const FetchSession::Item& item) {
        return item.wish.topic_id == topic.topic_id;
      });
      if (asked == items.end()) continue;
      name = asked->partition.topic;
    }
    for (const auto& data : topic.partitions) {
      const auto found = find_target(targets, name, data.partition_index);
      if (found == targets.end()) continue;
      const FetchTarget target = *found;
      targets.erase(found);
      take_answer(target, data, *reply, moved);
    }
  }
  if (incremental) {
    // These have nothing new: the broker has waited for that as long as it may.
    for (const FetchTarget& target : targets) plan_.retry(target, cluster_.scheduler().mono());
    targets.clear();
  }
  co_return moved;
}

void Consumer::take_answer(FetchTarget target, const FetchResponse::PartitionData& data,
                           const Reply<FetchResponse>& reply, bool& moved) {
  const TopicPartition& tp = target.partition;
  const auto code = ErrorCode(data.error_code);
  if (code == ErrorCode::NONE) {
    FetchedBytes fetched;
    fetched.partition = tp;
    fetched.frame = reply.frame;
    fetched.records = data.records.bytes();
    fetched.wanted = target.position.offset;
    fetched.high_watermark = Offset(data.high_watermark);
    fetched.log_start = Offset(data.log_start_offset);
    if (data.aborted_transactions) {
      for (const auto& each : *data.aborted_transactions)
        fetched.aborted.push_back({ProducerId(each.producer_id), Offset(each.first_offset)});
    }
    plan_.take_records(target, std::move(fetched));
  } else if (passes(code)) {
    cluster_.metadata().leader_denied(tp, BrokerId(data.current_leader.leader_id),
                                      LeaderEpoch(data.current_leader.leader_epoch));
    plan_.retry(target, later());
    moved = true;
  } else if (code == ErrorCode::OFFSET_OUT_OF_RANGE && options_.offset_reset != OffsetReset::none) {
    reset(target);
  } else {
    plan_.take_error(target, Error(code, fmt::format("{} at offset {}", tp, target.position.offset.value)));
  }
}

// The target stays as asked until then. A stale one changes nothing.
Task<void> Consumer::look_up(FetchTarget target, int64_t time_ms) {
  Admin admin(cluster_);
  Error error(ErrorCode::UNKNOWN_SERVER_ERROR, fmt::format("{}: no offset was answered", target.partition));
  for (const int64_t time : {time_ms, kLatest}) {
    std::map<TopicPartition, int64_t> times{{target.partition, time}};
    auto asking = admin.list_offsets(std::move(times), options_.isolation);
    const auto answers = co_await asking;
    if (!answers) {
      error = answers.error();
      break;
    }
    const auto found = answers->find(target.partition);
    if (found == answers->end()) break;
    if (!found->second) {
      error = found->second.error();
      break;
    }
    // No record is that young: what comes next is.
    if (found->second->offset == kNoOffset) continue;
    const FetchPosition at{found->second->offset};
    if (plan_.place(target, at) && on_placed) on_placed(target.partition, at);
    arrived_.notify_all();
    co_return;
  }
  plan_.take_error(target, std::move(error));
  arrived_.notify_all();
}

}  // namespace tidemark::client
