#include "client/cli/record_times.h"

#include "protocol/batch/header.h"
#include "protocol/messages/fetch_request.h"
#include "protocol/messages/fetch_response.h"

namespace tidemark::cli {
namespace {

using runtime::Task;

using Offsets = std::map<TopicPartition, Offset>;
using Times = std::map<TopicPartition, int64_t>;

constexpr int16_t kLastVersionWithNames = 12;  // of Fetch
// Only the batch's header matters, but a batch comes whole. One that is larger comes in an answer of its own.
constexpr int32_t kBytesOfPartition = 64 << 10;
constexpr int32_t kBytesOfAnswer = 4 << 20;

std::optional<int64_t> time_of(std::span<const std::byte> records) {
  const auto header = protocol::parse_batch_header(records);
  if (!header) return std::nullopt;
  const bool is_common = header->timestamp_type() == protocol::TimestampType::log_append_time;
  return is_common || header->has_delete_horizon() ? header->max_timestamp : header->base_timestamp;
}

protocol::FetchRequest request_for(const Offsets& offsets) {
  protocol::FetchRequest request;
  request.max_wait_ms = 0;
  request.min_bytes = 0;
  request.max_bytes = kBytesOfAnswer;
  request.session_epoch = -1;
  for (const auto& [tp, offset] : offsets) {
    if (request.topics.empty() || request.topics.back().topic != tp.topic)
      request.topics.emplace_back().topic = tp.topic;
    auto& wanted = request.topics.back().partitions.emplace_back();
    wanted.partition = tp.partition.value;
    wanted.fetch_offset = offset.value;
    wanted.partition_max_bytes = kBytesOfPartition;
  }
  return request;
}

// Takes what the leader has told off `open`, those that lie before its log's start to `early`.
Task<bool> ask(Session& session, BrokerId leader, Offsets& open, std::set<TopicPartition>& early,
               Times& times) {
  Task<Result<client::Cluster::Link>> opening = session.cluster.broker(leader);
  const Result<client::Cluster::Link> link = co_await opening;
  if (!link) co_return false;
  const auto version = (*link)->version_of<protocol::FetchRequest>(kLastVersionWithNames);
  if (!version) co_return false;
  const protocol::FetchRequest request = request_for(open);
  auto asking = (*link)->call<protocol::FetchRequest, protocol::FetchResponse>(request, *version);
  const auto reply = co_await asking;
  if (!reply || reply->body.error_code != 0) co_return false;
  const size_t before = open.size();
  for (const auto& topic : reply->body.responses) {
    for (const auto& data : topic.partitions) {
      const TopicPartition tp{std::string(topic.topic), PartitionId(data.partition_index)};
      const auto code = ErrorCode(data.error_code);
      const auto time = code == ErrorCode::NONE ? time_of(data.records.bytes()) : std::nullopt;
      if (code == ErrorCode::NONE && !time) continue;  // not enough room for it: next time
      if (time && *time >= 0) times.emplace(tp, *time);
      if (code == ErrorCode::OFFSET_OUT_OF_RANGE) early.insert(tp);
      open.erase(tp);
    }
  }
  co_return open.size() < before;
}

Task<void> ask_all(Session& session, Offsets offsets, std::set<TopicPartition>& early, Times& times) {
  std::map<BrokerId, Offsets> by_leader;
  for (const auto& [tp, offset] : offsets) {
    const BrokerId leader = session.cluster.metadata().leader(tp);
    if (leader != kNoBroker) by_leader[leader].emplace(tp, offset);
  }
  for (auto& [leader, open] : by_leader) {
    bool goes_on = true;
    while (goes_on && !open.empty()) {
      auto asking = ask(session, leader, open, early, times);
      goes_on = co_await asking;
    }
  }
}

}  // namespace

Task<Times> record_times(Session& session, Offsets offsets) {
  Times times;
  std::set<TopicPartition> early;
  auto asking = ask_all(session, std::move(offsets), early, times);
  co_await asking;
  if (early.empty()) co_return times;
  std::map<TopicPartition, int64_t> wanted;
  for (const TopicPartition& tp : early) wanted.emplace(tp, client::kEarliest);
  auto listing = session.admin.list_offsets(wanted, client::Isolation::read_uncommitted);
  const auto starts = co_await listing;
  Offsets again;
  if (starts) {
    for (const auto& [tp, start] : *starts) {
      if (start) again.emplace(tp, start->offset);
    }
  }
  early.clear();
  auto asking_again = ask_all(session, std::move(again), early, times);
  co_await asking_again;
  co_return times;
}

}  // namespace tidemark::cli
