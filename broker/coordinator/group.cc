#include "broker/coordinator/group.h"

#include <algorithm>
#include <utility>

#include "protocol/invariant.h"

namespace tidemark::coordinator {

std::string_view state_name(GroupState state) {
  switch (state) {
    case GroupState::empty: return "Empty";
    case GroupState::preparing_rebalance: return "PreparingRebalance";
    case GroupState::completing_rebalance: return "CompletingRebalance";
    case GroupState::stable: return "Stable";
  }
  return "Unknown";
}

const Bytes* Member::metadata(std::string_view protocol) const {
  const auto found = std::find_if(protocols.begin(), protocols.end(),
                                  [&](const Protocol& offered) { return offered.name == protocol; });
  return found != protocols.end() ? &found->metadata : nullptr;
}

Group::Group(std::string id, const GroupMetadata& metadata)
    : state(metadata.members.empty() ? GroupState::empty : GroupState::stable),
      generation(metadata.generation),
      protocol(metadata.protocol),
      state_timestamp_ms(metadata.state_timestamp_ms),
      id_(std::move(id)) {
  if (!metadata.protocol_type.empty()) protocol_type = metadata.protocol_type;
  for (const MemberMetadata& stored : metadata.members) {
    Member member;
    member.id = stored.id;
    member.instance = stored.instance;
    member.client_id = stored.client_id;
    member.client_host = stored.client_host;
    member.rebalance_timeout_ms = stored.rebalance_timeout_ms;
    member.session_timeout_ms = stored.session_timeout_ms;
    // The record has what the member said for the chosen protocol only.
    member.protocols = {{metadata.protocol.value_or(""), stored.subscription}};
    member.assignment = stored.assignment;
    const auto [place, is_new] = members_.emplace(stored.id, std::move(member));
    if (!is_new) continue;  // bytes of others' making: an id counts once
    count_protocols(place->second, +1);
    if (stored.instance) static_members_.emplace(*stored.instance, stored.id);
  }
  if (!members_.empty()) {
    if (!protocol) protocol = "";
    const bool leader_is_there = metadata.leader && members_.contains(*metadata.leader);
    leader = leader_is_there ? *metadata.leader : members_.begin()->first;
  }
  subscribed = subscriptions();
}

Member* Group::member(std::string_view id) {
  const auto found = members_.find(id);
  return found != members_.end() ? &found->second : nullptr;
}

const Member* Group::member(std::string_view id) const {
  const auto found = members_.find(id);
  return found != members_.end() ? &found->second : nullptr;
}

const std::string* Group::static_member(std::string_view instance) const {
  const auto found = static_members_.find(instance);
  return found != static_members_.end() ? &found->second : nullptr;
}

ErrorCode Group::validate(std::string_view member, const std::optional<std::string>& instance) const {
  if (instance) {
    const std::string* owner = static_member(*instance);
    if (owner == nullptr) return ErrorCode::UNKNOWN_MEMBER_ID;
    if (*owner != member) return ErrorCode::FENCED_INSTANCE_ID;
  }
  return members_.contains(member) ? ErrorCode::NONE : ErrorCode::UNKNOWN_MEMBER_ID;
}

Member& Group::add(Member member, std::string_view type) {
  REQUIRES(!members_.contains(member.id) &&
           (!member.instance || !static_members_.contains(*member.instance)));
  REQUIRES(!member.join && !member.sync);
  if (members_.empty()) protocol_type = type;
  pending.erase(member.id);
  if (member.instance) static_members_.emplace(*member.instance, member.id);
  if (!leader) leader = member.id;
  count_protocols(member, +1);
  std::string id = member.id;
  return members_.emplace(std::move(id), std::move(member)).first->second;
}

Member Group::remove(std::string_view id) {
  const auto found = members_.find(id);
  REQUIRES(found != members_.end());
  Member removed = std::move(found->second);
  members_.erase(found);
  count_protocols(removed, -1);
  if (removed.join) --awaiting_join_;
  if (removed.instance) {
    const auto name = static_members_.find(*removed.instance);
    if (name != static_members_.end() && name->second == removed.id) static_members_.erase(name);
  }
  pending_sync.erase(removed.id);
  if (is_leader(removed.id)) {
    leader.reset();
    if (!members_.empty()) leader = members_.begin()->first;
  }
  return removed;
}

Member& Group::replace_static(std::string_view instance, std::string_view new_id) {
  const auto name = static_members_.find(instance);
  REQUIRES(name != static_members_.end() && !members_.contains(new_id));
  auto node = members_.extract(name->second);
  INVARIANT(!node.empty(), "{}: instance {} is member {}", id_, instance, name->second);
  Member& member = node.mapped();
  REQUIRES(!member.join && !member.sync);
  if (is_leader(member.id)) leader = std::string(new_id);
  // In Kafka the old id stays among those who owe a SyncGroup, which ends in a rebalance when the time for
  // it is up, although nobody is missing.
  if (pending_sync.erase(member.id) > 0) pending_sync.emplace(new_id);
  member.id = new_id;
  name->second = new_id;
  node.key() = std::string(new_id);
  return members_.insert(std::move(node)).position->second;
}

void Group::park_join(Member& member, RequestToken token) {
  REQUIRES(!member.join);
  member.join = token;
  ++awaiting_join_;
}

std::optional<RequestToken> Group::unpark_join(Member& member) {
  if (member.join) --awaiting_join_;
  return std::exchange(member.join, std::nullopt);
}

int32_t Group::rebalance_timeout_ms() const {
  int32_t longest = 0;
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout_ms);
  return longest;
}

GroupMetadata Group::metadata() const {
  GroupMetadata out;
  out.protocol_type = protocol_type.value_or("");
  out.generation = generation;
  out.protocol = protocol;
  out.leader = leader;
  out.state_timestamp_ms = state_timestamp_ms;
  for (const auto& [id, member] : members_) {
    const Bytes* subscription = protocol ? member.metadata(*protocol) : nullptr;
    INVARIANT(subscription != nullptr, "{}: member {} has nothing for protocol {}", id_, id,
              protocol.value_or("(none)"));
    out.members.push_back({member.id, member.instance, member.client_id, member.client_host,
                           member.rebalance_timeout_ms, member.session_timeout_ms, *subscription,
                           member.assignment});
  }
  return out;
}

runtime::MonoTime Group::next_deadline() const {
  runtime::MonoTime next = std::min(join_deadline, sync_deadline);
  for (const auto& [id, deadline] : pending) next = std::min(next, deadline);
  for (const auto& [id, member] : members_) next = std::min(next, member.session_deadline);
  return next;
}

void Group::keep_history(RebalanceHistory before, int32_t named_generation) {
  REQUIRES(!before.is_running());
  history = std::move(before);
  named_generation_ = std::max(named_generation_, named_generation);
}

void Group::check() const {
  const bool has_members = !members_.empty();
  INVARIANT(leader.has_value() == has_members && (!leader || members_.contains(*leader)),
            "{}: leader {} of {} members", id_, leader.value_or("(none)"), members_.size());
  const auto parked = std::count_if(members_.begin(), members_.end(),
                                    [](const auto& entry) { return entry.second.join.has_value(); });
  INVARIANT(static_cast<size_t>(parked) == awaiting_join_, "{}: {} of {} parked", id_, parked,
            awaiting_join_);
  for (const auto& [instance, id] : static_members_)
    INVARIANT(members_.contains(id), "{}: instance {} is {}, no member", id_, instance, id);
  const bool joins = state == GroupState::preparing_rebalance;
  const bool syncs = state == GroupState::completing_rebalance;
  INVARIANT(joins || awaiting_join_ == 0, "{}: {} wait to join in {}", id_, awaiting_join_,
            state_name(state));
  INVARIANT(joins == (join_deadline != runtime::kNever), "{}: a join deadline in {}", id_, state_name(state));
  INVARIANT(!syncs || sync_deadline != runtime::kNever, "{}: no sync deadline", id_);
  if (state == GroupState::empty) {
    INVARIANT(!has_members, "{}: Empty with {} members", id_, members_.size());
  } else if (!joins) {
    INVARIANT(has_members && protocol, "{}: {} without members or protocol", id_, state_name(state));
  }
  for (const auto& [id, member] : members_) {
    INVARIANT(syncs || !member.sync, "{}: {} waits to sync in {}", id_, id, state_name(state));
    INVARIANT(joins || member.metadata(*protocol) != nullptr, "{}: {} does not offer {}", id_, id, *protocol);
  }
  INVARIANT(wake_ <= next_deadline(), "{}: wakes after its deadline", id_);
}

}  // namespace tidemark::coordinator
