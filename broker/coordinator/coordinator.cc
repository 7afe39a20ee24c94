#include "broker/coordinator/coordinator.h"

#include <chrono>
#include <vector>

#include "broker/coordinator/inspection.h"
#include "broker/coordinator/offsets.h"
#include "broker/coordinator/rebalance.h"
#include "protocol/invariant.h"

namespace tidemark::coordinator {

namespace {

// Signs of life: they move deadlines, and nothing else of a group. Too many come to look at the whole group
// each time.
bool only_moves_deadlines(const Request& request) {
  return std::holds_alternative<HeartbeatRequest>(request) ||
         std::holds_alternative<OffsetCommitRequest>(request);
}

// The group whose soft state a request may change; empty: none.
std::string_view group_of(const Request& request) {
  return std::visit(
      [](const auto& r) -> std::string_view {
        if constexpr (requires { r.group; }) {
          return r.group;
        } else {
          return {};
        }
      },
      request);
}

}  // namespace

void GroupCoordinator::begin_loading() {
  REQUIRES(standing_ == Standing::follower);
  standing_ = Standing::loading;
}

Decision GroupCoordinator::promote(Now now) {
  REQUIRES(standing_ == Standing::loading && groups_.empty());
  standing_ = Standing::leader;
  Turn turn = this->turn(now);
  for (const auto& [id, image] : image_.groups()) {
    if (!image.metadata) continue;
    Group& group = groups_.emplace(id, Group(id, *image.metadata)).first->second;
    coordinator::promote(turn, group);
    settle(group);
  }
  next_expiry_ = turn.after_ms(settings_.offsets_retention_check_interval_ms);
  return std::move(turn.decision);
}

Decision GroupCoordinator::demote() {
  Turn turn = this->turn({});
  for (auto& [id, group] : groups_) end_group(turn, group, ErrorCode::NOT_COORDINATOR);
  groups_.clear();
  alarms_.clear();
  alarms_by_time_.clear();
  next_expiry_ = runtime::kNever;
  expiry_from_.clear();
  standing_ = Standing::follower;
  return std::move(turn.decision);
}

Decision GroupCoordinator::handle(RequestToken token, const Request& request, Now now) {
  Turn turn = this->turn(now);
  switch (standing_) {
    case Standing::follower: turn.reply(token, refusal(request, ErrorCode::NOT_COORDINATOR)); break;
    case Standing::loading:
      // A member that only says that it lives is believed: else it would look for another coordinator.
      turn.reply(token, std::holds_alternative<HeartbeatRequest>(request)
                            ? ReplyBody(HeartbeatReply())
                            : refusal(request, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
      break;
    case Standing::leader: answer(turn, token, request); break;
  }
  return std::move(turn.decision);
}

void GroupCoordinator::answer(Turn& turn, RequestToken token, const Request& request) {
  struct Visitor {
    Turn& turn;
    Groups& groups;
    RequestToken token;
    void operator()(const JoinRequest& r) { join(turn, groups, token, r); }
    void operator()(const SyncRequest& r) { sync(turn, groups, token, r); }
    void operator()(const HeartbeatRequest& r) { heartbeat(turn, groups, token, r); }
    void operator()(const LeaveRequest& r) { leave(turn, groups, token, r); }
    void operator()(const OffsetCommitRequest& r) { commit_offsets(turn, groups, token, r); }
    void operator()(const OffsetFetchRequest& r) { fetch_offsets(turn, token, r); }
    void operator()(const OffsetDeleteRequest& r) { delete_offsets(turn, groups, token, r); }
    void operator()(const ListGroupsRequest& r) { list_groups(turn, groups, token, r); }
    void operator()(const DescribeGroupsRequest& r) { describe_groups(turn, groups, token, r); }
    void operator()(const DeleteGroupsRequest& r) { delete_groups(turn, groups, token, r); }
  };
  std::visit(Visitor{turn, groups_, token}, request);
  Group* group = find_group(groups_, group_of(request));
  if (group == nullptr) return;
  only_moves_deadlines(request) ? raise_alarm(*group) : settle(*group);
}

Decision GroupCoordinator::tick(Now now, const Extents& extents) {
  Turn turn = this->turn(now);
  if (standing_ != Standing::leader) return {};
  const bool expires = is_expiry_due(turn);
  tick_groups(turn);
  if (expires) tick_expiry(turn, extents);
  return std::move(turn.decision);
}

Partitions GroupCoordinator::unused_partitions(Now now) const {
  const Turn turn = this->turn(now);
  if (!is_expiry_due(turn)) return {};
  return coordinator::unused_partitions(turn, groups_, expiry_from_);
}

void GroupCoordinator::tick_groups(Turn& turn) {
  while (!alarms_by_time_.empty() && alarms_by_time_.begin()->first <= turn.now.mono) {
    // The rest is due at once, in the next tick.
    if (turn.decision.records.size() >= kMaxRecordsPerDecision) return;
    const std::string id = alarms_by_time_.begin()->second;
    set_alarm(id, runtime::kNever);
    Group* group = find_group(groups_, id);
    INVARIANT(group != nullptr, "an alarm for {}, which does not run", id);
    expire(turn, *group);
    // What an expiry has made due already (a rebalance that has no time to wait) is done in the next tick.
    const bool is_due_again = group->wake() <= turn.now.mono;
    settle(*group);
    if (is_due_again) return;
  }
}

bool GroupCoordinator::is_expiry_due(const Turn& turn) const {
  if (next_expiry_ > turn.now.mono) return false;
  return alarms_by_time_.empty() || alarms_by_time_.begin()->first > turn.now.mono;
}

void GroupCoordinator::tick_expiry(Turn& turn, const Extents& extents) {
  expiry_from_ = expire_offsets(turn, groups_, extents, expiry_from_);
  if (expiry_from_.empty()) next_expiry_ = turn.after_ms(settings_.offsets_retention_check_interval_ms);
}

runtime::MonoTime GroupCoordinator::next_deadline() const {
  if (alarms_by_time_.empty()) return next_expiry_;
  return std::min(next_expiry_, alarms_by_time_.begin()->first);
}

Decision GroupCoordinator::topic_deleted(std::string_view topic, const Uuid& id, Now now) {
  Turn turn = this->turn(now);
  if (standing_ == Standing::leader) forget_topic(turn, topic, id);
  return std::move(turn.decision);
}

Decision GroupCoordinator::refused(Decision decision, ErrorCode error, Now now) {
  Turn turn = this->turn(now);
  for (Reply& reply : decision.replies) {
    set_error(reply.body, error);
    turn.reply(reply.token, std::move(reply.body));
  }
  std::set<std::string> groups;
  for (const Record& record : decision.records) {
    auto change = decode_record(record.key, std::nullopt);
    INVARIANT(change && *change, "a record of ours that cannot be decoded");
    if (const auto* group = std::get_if<GroupChange>(&**change)) groups.insert(group->group);
  }
  for (const std::string& group : groups) restart_group(turn, group, error);
  return std::move(turn.decision);
}

Result<void> GroupCoordinator::apply(std::span<const std::byte> key,
                                     std::optional<std::span<const std::byte>> value) {
  TRY_ASSIGN(std::optional<Change> change, decode_record(key, value));
  if (!change) return {};
  const auto* buried = std::get_if<GroupChange>(&*change);
  if (standing_ == Standing::leader && buried != nullptr && !buried->metadata) {
    // Only groups without members are buried, so nothing is parked in it.
    if (const auto group = groups_.find(buried->group); group != groups_.end()) {
      INVARIANT(group->second.members().empty(), "{} is buried with members", buried->group);
      set_alarm(buried->group, runtime::kNever);
      groups_.erase(group);
    }
  }
  image_.apply(*std::move(change));
  return {};
}

void GroupCoordinator::settle(const Group& group) {
  group.check();
  raise_alarm(group);
}

void GroupCoordinator::raise_alarm(const Group& group) {
  const auto alarm = alarms_.find(group.id());
  if (alarm == alarms_.end() || group.wake() < alarm->second) set_alarm(group.id(), group.wake());
}

void GroupCoordinator::set_alarm(const std::string& group, runtime::MonoTime deadline) {
  if (const auto old = alarms_.find(group); old != alarms_.end()) {
    alarms_by_time_.erase({old->second, group});
    alarms_.erase(old);
  }
  if (deadline == runtime::kNever) return;
  alarms_.emplace(group, deadline);
  alarms_by_time_.emplace(deadline, group);
}

void GroupCoordinator::end_group(Turn& turn, Group& group, ErrorCode error) {
  std::vector<std::string> ids;
  for (const auto& [id, member] : group.members()) ids.push_back(id);
  for (const std::string& id : ids) remove_member(turn, group, id, error);
}

void GroupCoordinator::restart_group(Turn& turn, const std::string& id, ErrorCode error) {
  Group* group = find_group(groups_, id);
  if (group == nullptr) return;
  end_group(turn, *group, error);
  set_alarm(id, runtime::kNever);
  const int32_t named = group->next_generation() - 1;
  if (group->history.is_running()) finish_rebalance(turn, *group, RebalanceOutcome::superseded);
  RebalanceHistory history = std::move(group->history);
  groups_.erase(id);
  const GroupImage* image = image_.group(id);
  if (image == nullptr || !image->metadata) return;
  Group& restarted = groups_.emplace(id, Group(id, *image->metadata)).first->second;
  restarted.keep_history(std::move(history), named);
  coordinator::promote(turn, restarted);
  settle(restarted);
}

}  // namespace tidemark::coordinator
