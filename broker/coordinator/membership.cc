#include "broker/coordinator/membership.h"

#include <fmt/format.h>

#include <utility>

#include "broker/coordinator/rebalance.h"

namespace tidemark::coordinator {

namespace {

template <class SomeReply>
void refuse(Turn& turn, RequestToken token, ErrorCode error) {
  SomeReply reply;
  reply.error = error;
  turn.reply(token, std::move(reply));
}

bool contradicts(const std::optional<std::string>& said, const std::optional<std::string>& is) {
  return said && is && *said != *is;
}

ErrorCode check_sync(const Group& group, const SyncRequest& request) {
  const ErrorCode error = group.validate(request.member, request.instance);
  if (error != ErrorCode::NONE) return error;
  if (request.generation != group.generation) return ErrorCode::ILLEGAL_GENERATION;
  if (contradicts(request.protocol_type, group.protocol_type) ||
      contradicts(request.protocol, group.protocol)) {
    return ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
  }
  return ErrorCode::NONE;
}

void has_synced(Group& group, std::string_view member) {
  const auto owed = group.pending_sync.find(member);
  if (owed != group.pending_sync.end()) group.pending_sync.erase(owed);
}

void await_assignment(Turn& turn, Group& group, RequestToken token, const SyncRequest& request) {
  Member& member = *group.member(request.member);
  if (const auto older = std::exchange(member.sync, token))
    refuse<SyncReply>(turn, *older, ErrorCode::REBALANCE_IN_PROGRESS);
  has_synced(group, member.id);
  if (group.is_leader(member.id)) complete_sync(turn, group, request.assignments);
}

LeaveReply::Member leave_one(Turn& turn, Group* group, const LeavingMember& leaving) {
  LeaveReply::Member reply{leaving.member, leaving.instance, ErrorCode::UNKNOWN_MEMBER_ID};
  if (group == nullptr) return reply;
  std::string id = leaving.member;
  if (id.empty()) {
    // An administrator names static members by their instance alone.
    const std::string* owner = leaving.instance ? group->static_member(*leaving.instance) : nullptr;
    if (owner == nullptr) return reply;
    id = *owner;
  } else if (group->pending.erase(id) > 0) {
    reply.error = ErrorCode::NONE;
    return reply;
  } else {
    reply.error = group->validate(id, leaving.instance);
    if (reply.error != ErrorCode::NONE) return reply;
  }
  reply.error = ErrorCode::NONE;
  group->history.left(id);
  remove_member(turn, *group, id, ErrorCode::UNKNOWN_MEMBER_ID);
  return reply;
}

std::string leaving_reason(const LeaveRequest& request, const LeaveReply& reply) {
  size_t left = 0;
  std::string first;
  for (size_t i = 0; i < reply.members.size(); ++i) {
    if (reply.members[i].error != ErrorCode::NONE) continue;
    const LeavingMember& member = request.members[i];
    if (left++ > 0) continue;
    first = fmt::format("{}; client's reason: {}",
                        member.member.empty() ? member.instance.value_or("") : member.member,
                        member.reason.value_or("not given"));
  }
  return fmt::format("{} left, {}", left, first);
}

}  // namespace

Group* find_group(Groups& groups, std::string_view id) {
  const auto found = groups.find(id);
  return found != groups.end() ? &found->second : nullptr;
}

const Group* find_group(const Groups& groups, std::string_view id) {
  const auto found = groups.find(id);
  return found != groups.end() ? &found->second : nullptr;
}

void sync(Turn& turn, Groups& groups, RequestToken token, const SyncRequest& request) {
  if (request.group.empty()) return refuse<SyncReply>(turn, token, ErrorCode::INVALID_GROUP_ID);
  Group* group = find_group(groups, request.group);
  if (group == nullptr || group->state == GroupState::empty)
    return refuse<SyncReply>(turn, token, ErrorCode::UNKNOWN_MEMBER_ID);
  const ErrorCode error = check_sync(*group, request);
  if (error != ErrorCode::NONE) return refuse<SyncReply>(turn, token, error);
  switch (group->state) {
    case GroupState::empty:
    case GroupState::preparing_rebalance:
      return refuse<SyncReply>(turn, token, ErrorCode::REBALANCE_IN_PROGRESS);
    case GroupState::completing_rebalance: await_assignment(turn, *group, token, request); break;
    case GroupState::stable:
      has_synced(*group, request.member);
      turn.reply(token, SyncReply{ErrorCode::NONE, group->protocol_type, group->protocol,
                                  group->member(request.member)->assignment});
      break;
  }
  // In CompletingRebalance it is the leader whom the deadline still waits for.
  if (group->state == GroupState::stable && group->pending_sync.empty())
    group->sync_deadline = runtime::kNever;
}

void heartbeat(Turn& turn, Groups& groups, RequestToken token, const HeartbeatRequest& request) {
  if (request.group.empty()) return refuse<HeartbeatReply>(turn, token, ErrorCode::INVALID_GROUP_ID);
  Group* group = find_group(groups, request.group);
  if (group == nullptr) return refuse<HeartbeatReply>(turn, token, ErrorCode::UNKNOWN_MEMBER_ID);
  const ErrorCode error = group->validate(request.member, request.instance);
  if (error != ErrorCode::NONE) return refuse<HeartbeatReply>(turn, token, error);
  if (request.generation != group->generation)
    return refuse<HeartbeatReply>(turn, token, ErrorCode::ILLEGAL_GENERATION);
  extend_session(turn, *group, *group->member(request.member));
  const bool rebalances = group->state == GroupState::preparing_rebalance;
  refuse<HeartbeatReply>(turn, token, rebalances ? ErrorCode::REBALANCE_IN_PROGRESS : ErrorCode::NONE);
}

void leave(Turn& turn, Groups& groups, RequestToken token, const LeaveRequest& request) {
  if (request.group.empty()) return refuse<LeaveReply>(turn, token, ErrorCode::INVALID_GROUP_ID);
  Group* group = find_group(groups, request.group);
  const size_t members = group != nullptr ? group->members().size() : 0;
  LeaveReply reply;
  for (const LeavingMember& leaving : request.members)
    reply.members.push_back(leave_one(turn, group, leaving));
  if (group != nullptr && group->members().size() < members) {
    after_removal(turn, *group, RebalanceCause::leave, leaving_reason(request, reply));
  } else if (group != nullptr) {
    // Who had an id but had not joined with it took no part; at most the others waited for it.
    maybe_complete_join(turn, *group);
  }
  turn.reply(token, std::move(reply));
}

}  // namespace tidemark::coordinator
