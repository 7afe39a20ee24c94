#include "tests/bench/load/group.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "protocol/messages/find_coordinator_request.h"
#include "protocol/messages/find_coordinator_response.h"
#include "protocol/messages/join_group_request.h"
#include "protocol/messages/join_group_response.h"
#include "protocol/messages/offset_commit_request.h"
#include "protocol/messages/offset_commit_response.h"
#include "protocol/messages/sync_group_request.h"
#include "protocol/messages/sync_group_response.h"
#include "tests/bench/load/codec.h"

namespace tidemark::bench {
namespace {

using namespace protocol;

constexpr int16_t kFindCoordinatorVersion = 1;
constexpr int16_t kJoinGroupVersion = 3;
constexpr int16_t kSyncGroupVersion = 1;
constexpr int16_t kOffsetCommitVersion = 5;
constexpr int32_t kSessionMs = 45'000;  // longer than a run: no heartbeats
constexpr int kAttempts = 600;          // a tenth of a second apart

// The first use of groups makes the broker create their topic, and load it.
template <class Response, class Request>
std::vector<std::byte> ask(Wire& wire, const Request& request, int16_t version) {
  const Frame frame = encode(request, version);
  for (int attempt = 0;; ++attempt) {
    auto answer = wire.call(frame);
    const auto error = static_cast<ErrorCode>(decode<Response>(answer, version).error_code);
    if (error == ErrorCode::NONE) return answer;
    if (attempt == kAttempts)
      throw std::runtime_error(fmt::format("{}: {}", Request::kName, error_name(error)));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

}  // namespace

Member join_group(Wire& wire, const std::string& group, const std::string& topic) {
  FindCoordinatorRequest find;
  find.key = group;
  ask<FindCoordinatorResponse>(wire, find, kFindCoordinatorVersion);

  const std::vector<std::byte> name(reinterpret_cast<const std::byte*>(topic.data()),
                                    reinterpret_cast<const std::byte*>(topic.data() + topic.size()));
  JoinGroupRequest join;
  join.group_id = group;
  join.session_timeout_ms = kSessionMs;
  join.rebalance_timeout_ms = kSessionMs;
  join.protocol_type = "bench-load";
  auto& protocol = join.protocols.emplace_back();
  protocol.name = "all";
  protocol.metadata = name;  // between members: the broker does not read it
  const auto joined = ask<JoinGroupResponse>(wire, join, kJoinGroupVersion);
  const auto answer = decode<JoinGroupResponse>(joined, kJoinGroupVersion);
  Member member{.group = group, .id = std::string(answer.member_id), .generation = answer.generation_id};

  SyncGroupRequest sync;
  sync.group_id = group;
  sync.generation_id = member.generation;
  sync.member_id = member.id;
  auto& assignment = sync.assignments.emplace_back();
  assignment.member_id = member.id;
  assignment.assignment = name;
  ask<SyncGroupResponse>(wire, sync, kSyncGroupVersion);
  return member;
}

Frame commit_frame(const Member& member, const std::string& topic, std::span<const int64_t> offsets) {
  OffsetCommitRequest request;
  request.group_id = member.group;
  request.generation_id_or_member_epoch = member.generation;
  request.member_id = member.id;
  auto& of_topic = request.topics.emplace_back();
  of_topic.name = topic;
  for (size_t i = 0; i < offsets.size(); ++i) {
    auto& partition = of_topic.partitions.emplace_back();
    partition.partition_index = static_cast<int32_t>(i);
    partition.committed_offset = offsets[i];
  }
  return encode(request, kOffsetCommitVersion);
}

ErrorCode commit_error(std::span<const std::byte> answer) {
  const auto response = decode<OffsetCommitResponse>(answer, kOffsetCommitVersion);
  for (const auto& topic : response.topics) {
    for (const auto& partition : topic.partitions) {
      if (partition.error_code != 0) return static_cast<ErrorCode>(partition.error_code);
    }
  }
  return response.topics.empty() ? ErrorCode::UNKNOWN_SERVER_ERROR : ErrorCode::NONE;
}

}  // namespace tidemark::bench
