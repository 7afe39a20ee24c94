#include "broker/coordinator/rebalance.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "protocol/invariant.h"

namespace tidemark::coordinator {

namespace {

void transition(Turn& turn, Group& group, GroupState state) {
  group.state = state;
  group.state_timestamp_ms = turn.wall_ms();
}

void schedule_join(Turn& turn, Group& group, int32_t delay_ms) {
  group.join_deadline = turn.after_ms(delay_ms);
  group.wake_by(group.join_deadline);
}

void refuse_sync(Turn& turn, Group& group, Member& member, ErrorCode error) {
  if (!member.sync) return;
  SyncReply reply;
  reply.error = error;
  turn.reply(*std::exchange(member.sync, std::nullopt), std::move(reply));
  extend_session(turn, group, member);
}

std::vector<std::string> ids_of(const Group& group) {
  std::vector<std::string> ids;
  ids.reserve(group.members().size());
  for (const auto& [id, member] : group.members()) ids.push_back(id);
  return ids;
}

// Makes a member that has joined the leader, unless the leader has. False: nobody has joined.
bool elect_joined_leader(Group& group) {
  if (group.members().empty()) return false;
  if (group.member(*group.leader)->join) return true;
  for (const auto& [id, member] : group.members()) {
    if (!member.join) continue;
    group.leader = id;
    return true;
  }
  return false;
}

// KIP-345: a static member that does not come in time keeps its place until its session ends.
void drop_absent_members(Turn& turn, Group& group) {
  for (const std::string& id : ids_of(group)) {
    const Member& member = *group.member(id);
    if (member.join || member.instance) continue;
    group.history.timed_out(id);
    remove_member(turn, group, id, ErrorCode::UNKNOWN_MEMBER_ID);
  }
}

void become_empty(Turn& turn, Group& group) {
  group.generation = group.next_generation();
  group.protocol.reset();
  group.subscribed = group.subscriptions();
  transition(turn, group, GroupState::empty);
  group.history.all_joined(group.generation, 0, turn.now);
  finish_rebalance(turn, group, RebalanceOutcome::empty);
  turn.record(group_record(group.id(), group.metadata()));
}

void begin_generation(Turn& turn, Group& group) {
  group.generation = group.next_generation();
  group.protocol = group.select_protocol();
  group.subscribed = group.subscriptions();
  transition(turn, group, GroupState::completing_rebalance);
  group.history.all_joined(group.generation, group.members().size(), turn.now);
  for (const std::string& id : ids_of(group)) {
    Member& member = *group.member(id);
    if (const auto token = group.unpark_join(member)) turn.reply(*token, joined(group, member));
    member.is_new = false;
    extend_session(turn, group, member);
    group.pending_sync.insert(id);
  }
  group.sync_deadline = turn.after_ms(group.rebalance_timeout_ms());
  group.wake_by(group.sync_deadline);
}

void complete_join(Turn& turn, Group& group) {
  REQUIRES(group.state == GroupState::preparing_rebalance);
  group.join_deadline = runtime::kNever;
  group.is_initial_rebalance = false;
  drop_absent_members(turn, group);
  if (!elect_joined_leader(group) && !group.members().empty()) {
    // Only static members, and none of them came: once more from the start.
    schedule_join(turn, group, std::max(group.rebalance_timeout_ms(), kMinJoinWaitMs));
    return;
  }
  group.pending_sync.clear();
  if (group.members().empty()) {
    become_empty(turn, group);
  } else {
    begin_generation(turn, group);
  }
}

// The initial delay is prolonged while members still come, up to their rebalance timeout.
void end_initial_delay(Turn& turn, Group& group) {
  if (!group.new_member_added || group.initial_remaining_ms == 0) return complete_join(turn, group);
  group.new_member_added = false;
  const int32_t passed_ms = group.initial_delay_ms;
  group.initial_delay_ms =
      std::min(turn.settings.group_initial_rebalance_delay_ms, group.initial_remaining_ms);
  group.initial_remaining_ms = std::max(group.initial_remaining_ms - passed_ms, 0);
  schedule_join(turn, group, group.initial_delay_ms);
}

void expire_pending(Turn& turn, Group& group) {
  bool any = false;
  for (auto pending = group.pending.begin(); pending != group.pending.end();) {
    if (pending->second > turn.now.mono) {
      ++pending;
      continue;
    }
    pending = group.pending.erase(pending);
    any = true;
  }
  if (any) maybe_complete_join(turn, group);
}

void expire_sessions(Turn& turn, Group& group) {
  for (const std::string& id : ids_of(group)) {
    Member* member = group.member(id);
    // An earlier expiry may have taken it out with a rebalance.
    if (member == nullptr || member->session_deadline > turn.now.mono) continue;
    member->session_deadline = runtime::kNever;
    // Whoever waits for us needs no heartbeat; its session goes on when it is answered.
    if (!member->is_new && (member->join || member->sync)) continue;
    group.history.timed_out(id);
    remove_member(turn, group, id, ErrorCode::UNKNOWN_MEMBER_ID);
    after_removal(turn, group, RebalanceCause::timeout,
                  fmt::format("member {} was not heard of for its session timeout", id));
  }
}

void expire_sync(Turn& turn, Group& group) {
  group.sync_deadline = runtime::kNever;
  if (group.pending_sync.empty()) return;
  const std::vector<std::string> late(group.pending_sync.begin(), group.pending_sync.end());
  for (const std::string& id : late) {
    group.history.timed_out(id);
    remove_member(turn, group, id, ErrorCode::UNKNOWN_MEMBER_ID);
  }
  prepare_rebalance(turn, group, RebalanceCause::timeout,
                    fmt::format("{} members, {} among them, sent no SyncGroup", late.size(), late.front()));
}

void begin_rebalance(Turn& turn, Group& group, RebalanceCause cause, std::string_view reason) {
  if (group.history.is_running()) finish_rebalance(turn, group, RebalanceOutcome::superseded);
  group.history.begin(cause, reason, turn.now);
  const auto loop = loop_of(group.history.rebalances(), turn.wall_ms());
  const bool is_new = group.loop_told == runtime::MonoTime{};
  if (!loop) {
    group.loop_told = {};
  } else if (is_new || turn.now.mono - group.loop_told >= std::chrono::milliseconds(kLoopToldEveryMs)) {
    group.loop_told = turn.now.mono;
    turn.event(RebalancesInLoop{group.id(), *loop, group.history.rebalances().back().reason});
  }
}

}  // namespace

void finish_rebalance(Turn& turn, Group& group, RebalanceOutcome outcome) {
  turn.event(RebalanceEnded{group.id(), group.history.finish(outcome, turn.now)});
}

void prepare_rebalance_or_complete_join(Turn& turn, Group& group, RebalanceCause cause,
                                        std::string_view reason) {
  if (group.can_rebalance()) {
    prepare_rebalance(turn, group, cause, reason);
  } else {
    maybe_complete_join(turn, group);
  }
}

void prepare_rebalance(Turn& turn, Group& group, RebalanceCause cause, std::string_view reason) {
  REQUIRES(group.can_rebalance());
  const bool is_initial = group.state == GroupState::empty;
  if (group.state == GroupState::completing_rebalance) {
    for (const std::string& id : ids_of(group)) {
      Member& member = *group.member(id);
      member.assignment.clear();
      refuse_sync(turn, group, member, ErrorCode::REBALANCE_IN_PROGRESS);
    }
  }
  group.pending_sync.clear();
  group.sync_deadline = runtime::kNever;
  begin_rebalance(turn, group, cause, reason);
  transition(turn, group, GroupState::preparing_rebalance);
  group.is_initial_rebalance = is_initial;
  if (is_initial) {
    group.new_member_added = false;
    group.initial_delay_ms = turn.settings.group_initial_rebalance_delay_ms;
    group.initial_remaining_ms = std::max(group.rebalance_timeout_ms() - group.initial_delay_ms, 0);
    schedule_join(turn, group, group.initial_delay_ms);
  } else {
    schedule_join(turn, group, group.rebalance_timeout_ms());
    maybe_complete_join(turn, group);
  }
}

void maybe_complete_join(Turn& turn, Group& group) {
  if (group.state != GroupState::preparing_rebalance || group.is_initial_rebalance) return;
  if (group.have_all_joined()) complete_join(turn, group);
}

bool complete_sync(Turn& turn, Group& group, const std::vector<MemberAssignment>& assignments) {
  REQUIRES(group.state == GroupState::completing_rebalance);
  const std::vector<std::string> ids = ids_of(group);
  for (const std::string& id : ids) group.member(id)->assignment.clear();
  for (const MemberAssignment& given : assignments)
    if (Member* member = group.member(given.member)) member->assignment = given.assignment;

  const GroupState before = group.state;
  const int64_t before_ms = group.state_timestamp_ms;
  transition(turn, group, GroupState::stable);
  Record record = group_record(group.id(), group.metadata());
  if (record.size() > turn.settings.max_record_bytes) {
    group.state = before;
    group.state_timestamp_ms = before_ms;
    for (const std::string& id : ids)
      refuse_sync(turn, group, *group.member(id), ErrorCode::UNKNOWN_SERVER_ERROR);
    prepare_rebalance(turn, group, RebalanceCause::other,
                      fmt::format("the assignment of generation {} takes {} bytes, more than the log takes",
                                  group.generation, record.size()));
    return false;
  }
  turn.record(std::move(record));
  finish_rebalance(turn, group, RebalanceOutcome::stable);
  for (const std::string& id : ids) {
    Member& member = *group.member(id);
    if (!member.sync) continue;
    turn.reply(*std::exchange(member.sync, std::nullopt),
               SyncReply{ErrorCode::NONE, group.protocol_type, group.protocol, member.assignment});
    extend_session(turn, group, member);
  }
  return true;
}

void remove_member(Turn& turn, Group& group, std::string_view member, ErrorCode error) {
  const Member removed = group.remove(member);
  if (removed.join) {
    JoinReply reply;
    reply.error = error;
    turn.reply(*removed.join, std::move(reply));
  }
  if (removed.sync) {
    SyncReply reply;
    reply.error = error;
    turn.reply(*removed.sync, std::move(reply));
  }
}

void after_removal(Turn& turn, Group& group, RebalanceCause cause, std::string_view reason) {
  switch (group.state) {
    case GroupState::stable:
    case GroupState::completing_rebalance: return prepare_rebalance(turn, group, cause, reason);
    case GroupState::preparing_rebalance: return maybe_complete_join(turn, group);
    case GroupState::empty: return;
  }
}

void extend_session(Turn& turn, Group& group, Member& member) {
  member.session_deadline =
      turn.after_ms(member.is_new ? kNewMemberJoinTimeoutMs : member.session_timeout_ms);
  group.wake_by(member.session_deadline);
}

void expire(Turn& turn, Group& group) {
  expire_pending(turn, group);
  expire_sessions(turn, group);
  if (group.join_deadline <= turn.now.mono) {
    if (group.is_initial_rebalance) {
      end_initial_delay(turn, group);
    } else {
      complete_join(turn, group);
    }
  }
  if (group.sync_deadline <= turn.now.mono) expire_sync(turn, group);
  group.refresh_wake();
}

void promote(Turn& turn, Group& group) {
  for (const std::string& id : ids_of(group)) extend_session(turn, group, *group.member(id));
  if (group.members().size() > static_cast<size_t>(turn.settings.group_max_size)) {
    prepare_rebalance(turn, group, RebalanceCause::other,
                      fmt::format("{} members, more than group.max.size of {}", group.members().size(),
                                  turn.settings.group_max_size));
  }
}

JoinReply joined(const Group& group, const Member& member) {
  JoinReply reply;
  reply.generation = group.generation;
  reply.protocol_type = group.protocol_type;
  reply.protocol = group.protocol;
  reply.leader = group.leader.value_or("");
  reply.member = member.id;
  if (group.is_leader(member.id)) reply.members = joined_members(group);
  return reply;
}

std::vector<JoinedMember> joined_members(const Group& group) {
  std::vector<JoinedMember> members;
  members.reserve(group.members().size());
  for (const auto& [id, member] : group.members()) {
    const Bytes* metadata = member.metadata(*group.protocol);
    INVARIANT(metadata != nullptr, "{}: {} does not offer {}", group.id(), id, *group.protocol);
    members.push_back({id, member.instance, *metadata});
  }
  return members;
}

}  // namespace tidemark::coordinator
