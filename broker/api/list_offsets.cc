// ListOffsets (key 2), v1-11. Special timestamps: -1 latest, -2 earliest, -3 the record with the greatest
// timestamp (KIP-734, v7), -4 earliest local (KIP-405, v8), -5 latest in remote storage (KIP-1005, v9), -6
// earliest pending upload (KIP-1023, v11). Without tiered storage -4 is -2, and -5 and -6 have no offset. A
// partition that is named twice has one answer, and it is INVALID_REQUEST.
#include <map>

#include "broker/api/ask_shards.h"
#include "broker/api/handlers.h"
#include "protocol/messages/list_offsets_request.h"
#include "protocol/messages/list_offsets_response.h"

namespace tidemark::broker {

using protocol::ListOffsetsRequest;
using protocol::ListOffsetsResponse;
using runtime::Task;

namespace {

constexpr int64_t kLatest = -1;
constexpr int64_t kEarliest = -2;
constexpr int64_t kMaxTimestamp = -3;
constexpr int64_t kEarliestLocal = -4;
constexpr int64_t kLatestTiered = -5;
constexpr int64_t kEarliestPendingUpload = -6;
constexpr int8_t kReadCommitted = 1;

// The version that knows a special timestamp; older ones answer UNSUPPORTED_VERSION.
bool is_supported(int64_t timestamp, int16_t version) {
  switch (timestamp) {
    case kMaxTimestamp: return version >= 7;
    case kEarliestLocal: return version >= 8;
    case kLatestTiered: return version >= 9;
    case kEarliestPendingUpload: return version >= 11;
    default: return timestamp >= kEarliest;
  }
}

struct Answer {
  ErrorCode error = ErrorCode::NONE;
  storage::TimedRecord found;
};

struct Question {
  int64_t timestamp = 0;
  LeaderEpoch current = kNoLeaderEpoch;
  bool committed_only = false;
};

Task<Answer> look(replication::Partition& partition, Question question) {
  Answer answer;
  storage::Log& log = partition.log();
  answer.error = partition.check_readable(question.current);
  if (answer.error != ErrorCode::NONE) co_return answer;
  const int64_t timestamp = question.timestamp;
  const Offset limit = question.committed_only ? partition.last_stable_offset() : partition.high_watermark();
  if (timestamp == kLatest) {
    answer.found = {-1, limit, partition.leader_epoch()};
  } else if (timestamp == kEarliest || timestamp == kEarliestLocal) {
    answer.found = {-1, log.start(),
                    partition.epochs().epoch_for_offset(log.start()).value_or(kNoLeaderEpoch)};
  } else if (timestamp == kMaxTimestamp || timestamp >= 0) {
    auto searching = timestamp >= 0 ? log.find_by_time(timestamp, limit) : log.find_max_timestamp(limit);
    auto found = co_await searching;
    if (!found) {
      answer.error = found.error().code();
    } else if (*found) {
      answer.found = **found;
    }
  }
  co_return answer;
}

}  // namespace

Task<Result<Response>> handle_list_offsets(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<ListOffsetsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const auto view = services.home.view();
  std::map<std::pair<std::string_view, int32_t>, int> times;
  for (const auto& wanted : decoded->topics) {
    for (const auto& p : wanted.partitions) ++times[{wanted.name, p.partition_index}];
  }
  std::vector<PartitionAsk<Question, Answer>> asks;
  for (const auto& wanted : decoded->topics) {
    const TopicView* topic = view->topic(wanted.name);
    for (const auto& p : wanted.partitions) {
      auto& ask = asks.emplace_back();
      ask.question = {p.timestamp, LeaderEpoch(p.current_leader_epoch),
                      decoded->isolation_level == kReadCommitted};
      find_partition(services, topic, PartitionId(p.partition_index), ask);
      if (ask.answer.error != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION &&
          !is_supported(p.timestamp, request.header.request_api_version)) {
        ask.shard = nullptr;
        ask.answer.error = ErrorCode::UNSUPPORTED_VERSION;
      }
      if (times[{wanted.name, p.partition_index}] > 1) {
        ask.shard = nullptr;
        ask.answer.error = ErrorCode::INVALID_REQUEST;
      }
    }
  }
  auto asking = ask_partitions(services, asks, &look);
  co_await asking;

  ListOffsetsResponse response;
  auto ask = asks.begin();
  for (const auto& wanted : decoded->topics) {
    auto& topic_response = response.topics.emplace_back();
    topic_response.name = wanted.name;
    for (const auto& p : wanted.partitions) {
      const Answer& answer = (ask++)->answer;
      if (std::exchange(times[{wanted.name, p.partition_index}], 0) == 0) continue;  // answered above
      auto& partition = topic_response.partitions.emplace_back();
      partition.partition_index = p.partition_index;
      partition.error_code = static_cast<int16_t>(answer.error);
      partition.timestamp = answer.found.timestamp;
      partition.offset = answer.found.offset.value;
      if (request.header.request_api_version >= 4) partition.leader_epoch = answer.found.epoch.value;
    }
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
