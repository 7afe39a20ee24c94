#include "protocol/messages/heartbeat_request.h"
#include "protocol/messages/heartbeat_response.h"
#include "protocol/messages/join_group_request.h"
#include "protocol/messages/join_group_response.h"
#include "protocol/messages/leave_group_request.h"
#include "protocol/messages/leave_group_response.h"
#include "protocol/messages/offset_commit_request.h"
#include "protocol/messages/offset_commit_response.h"
#include "protocol/messages/sync_group_request.h"
#include "protocol/messages/sync_group_response.h"
#include "tests/simulation/node_member.h"

namespace tidemark::simulation {

using runtime::Task;

namespace {

ErrorCode haunting_code(int16_t error) { return static_cast<ErrorCode>(error); }

}  // namespace

void NodeMember::take_haunting(const char* what, ErrorCode error) {
  run_.note("{}: {} of {}, which {} has replaced, is answered with {}", group_, what, old_member_, member_,
            error_name(error));
  switch (error) {
    case ErrorCode::FENCED_INSTANCE_ID: return run_.count("group: static zombie fenced");
    case ErrorCode::UNKNOWN_MEMBER_ID:
    case ErrorCode::ILLEGAL_GENERATION:
    case ErrorCode::GROUP_ID_NOT_FOUND:
      // Right where the instance's name is nobody's by now.
      if (!must_be_known()) return;
      break;
    case ErrorCode::NOT_COORDINATOR:
    case ErrorCode::COORDINATOR_NOT_AVAILABLE:
    case ErrorCode::COORDINATOR_LOAD_IN_PROGRESS: return;
    default: break;
  }
  run_.violate(fmt::format("{}: {} of {} is answered with {}, and {} has its instance's name", group_, what,
                           old_member_, error_name(error), member_));
}

// Its commit is of a value that the group's model never hears of: whoever is answered with it is wrong.
Task<void> NodeMember::haunt() {
  auto connecting = connect();
  const bool connected = co_await connecting;
  if (!connected) co_return;
  const int32_t generation = run_.random.chance(0.5) ? old_generation_ : generation_;
  const uint64_t draw = run_.random.below(10);
  if (draw < 6) {
    protocol::OffsetCommitRequest request;
    request.group_id = group_;
    request.generation_id_or_member_epoch = generation;
    request.member_id = old_member_;
    request.group_instance_id = instance();
    auto& topic = request.topics.emplace_back();
    topic.name = kGroupsTopic;
    topic.partitions.emplace_back().committed_offset = static_cast<int64_t>(++run_.identities);
    auto asking = ask<protocol::OffsetCommitResponse>(request, version(7, 7, 9));
    const auto reply = co_await asking;
    if (reply)
      take_haunting("OffsetCommit", haunting_code(reply->body.topics.at(0).partitions.at(0).error_code));
  } else if (draw < 7) {
    protocol::JoinGroupRequest request;
    request.group_id = group_;
    request.session_timeout_ms = request.rebalance_timeout_ms = 2'000;
    request.member_id = old_member_;
    request.group_instance_id = instance();
    request.protocol_type = "consumer";
    request.protocols.emplace_back().name = "range";
    auto asking = ask<protocol::JoinGroupResponse>(request, version(5, 5, 9));
    const auto reply = co_await asking;
    if (reply) take_haunting("JoinGroup", haunting_code(reply->body.error_code));
  } else if (draw < 8) {
    protocol::SyncGroupRequest request;
    request.group_id = group_;
    request.generation_id = generation;
    request.member_id = old_member_;
    request.group_instance_id = instance();
    auto asking = ask<protocol::SyncGroupResponse>(request, version(3, 3, 4));
    const auto reply = co_await asking;
    if (reply) take_haunting("SyncGroup", haunting_code(reply->body.error_code));
  } else if (draw < 9) {
    protocol::HeartbeatRequest request;
    request.group_id = group_;
    request.generation_id = generation;
    request.member_id = old_member_;
    request.group_instance_id = instance();
    auto asking = ask<protocol::HeartbeatResponse>(request, version(3, 3, 4));
    const auto reply = co_await asking;
    if (reply && loaded_in_ == life()) take_haunting("Heartbeat", haunting_code(reply->body.error_code));
  } else {
    protocol::LeaveGroupRequest request;
    request.group_id = group_;
    auto& leaving = request.members.emplace_back();
    leaving.member_id = old_member_;
    leaving.group_instance_id = instance();
    auto asking = ask<protocol::LeaveGroupResponse>(request, version(3, 3, 5));
    const auto reply = co_await asking;
    if (!reply) co_return;
    ErrorCode error = haunting_code(reply->body.error_code);
    if (error == ErrorCode::NONE) error = haunting_code(reply->body.members.at(0).error_code);
    take_haunting("LeaveGroup", error);
  }
}

}  // namespace tidemark::simulation
