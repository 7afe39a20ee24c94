#include "tests/simulation/node_member.h"

#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/describe_groups_request.h"
#include "protocol/messages/describe_groups_response.h"
#include "protocol/messages/find_coordinator_request.h"
#include "protocol/messages/find_coordinator_response.h"
#include "protocol/messages/heartbeat_request.h"
#include "protocol/messages/heartbeat_response.h"
#include "protocol/messages/join_group_request.h"
#include "protocol/messages/join_group_response.h"
#include "protocol/messages/leave_group_request.h"
#include "protocol/messages/leave_group_response.h"
#include "protocol/messages/sync_group_request.h"
#include "protocol/messages/sync_group_response.h"

namespace tidemark::simulation {

using namespace std::chrono_literals;
using runtime::Task;

namespace {

constexpr size_t kGroups = 2;
// Healed, a group settles within so long: sessions of those who are gone, and a few rebalances.
constexpr runtime::Duration kSettlingTime = 30s;

ErrorCode code_of(int16_t error) { return static_cast<ErrorCode>(error); }

}  // namespace

NodeMember::NodeMember(NodeRun& run, const std::string& host)
    : NodeClient(run, host), host_(host), group_(fmt::format("group-{}", run.random.below(kGroups))) {
  if (run.workload.static_members && run.random.chance(0.7))
    instance_ = fmt::format("{}{}", kStaticPrefix, host);
}

void NodeMember::forget() {
  if (generation_ >= 0) {
    old_member_ = member_;
    old_generation_ = generation_;
  }
  member_.clear();
  generation_ = -1;
  partitions_.clear();
  assigned_ = is_zombie_ = is_in_log_ = false;
  heard_.reset();
}

void NodeMember::heard(runtime::MonoTime sent, bool is_renewed) {
  if (!assigned_ || is_zombie_) return;
  run_.group(group_).alive(sent, run_.time.mono());
  if (is_renewed) heard_ = {sent, life()};
}

bool NodeMember::must_be_known() const {
  if (!heard_ || may_have_left_ || life() != run_.life || (!instance_.empty() && may_be_replaced()))
    return false;
  const auto [since, in] = *heard_;
  const bool was_in_time = in + 1 == life() && run_.life_ended - since < patience_;
  const runtime::MonoTime from = in == life() ? since : run_.life_began;
  return (in == life() || was_in_time) && run_.time.mono() - from < patience_;
}

int16_t NodeMember::version(int16_t least, int16_t least_of_static, int16_t most) {
  return static_cast<int16_t>(run_.random.between(instance_.empty() ? least : least_of_static, most));
}

void NodeMember::take(const char* what, ErrorCode error) {
  if (error != ErrorCode::NONE)
    run_.note("{}: {} of {} in generation {} is answered with {}", group_, what, member_, generation_,
              error_name(error));
  switch (error) {
    case ErrorCode::NONE: return;
    case ErrorCode::MEMBER_ID_REQUIRED: return;
    case ErrorCode::UNKNOWN_MEMBER_ID:
      if (must_be_known())
        run_.violate(fmt::format("{}: {} of {} is answered with UNKNOWN_MEMBER_ID, and its time is not up",
                                 group_, what, member_));
      return forget();
    case ErrorCode::FENCED_INSTANCE_ID:
      if (instance_.empty() || !may_be_replaced())
        run_.violate(fmt::format("{}: {} of {} is fenced, and nobody took its place", group_, what, member_));
      return forget();
    case ErrorCode::ILLEGAL_GENERATION:
    case ErrorCode::REBALANCE_IN_PROGRESS: assigned_ = false; return;
    case ErrorCode::NOT_COORDINATOR:
    case ErrorCode::COORDINATOR_NOT_AVAILABLE: found_ = false; [[fallthrough]];
    case ErrorCode::COORDINATOR_LOAD_IN_PROGRESS: run_.counters.count("group: no coordinator"); return;
    default: run_.violate(fmt::format("{} of {} is answered with {}", what, group_, error_name(error)));
  }
}

Task<void> NodeMember::operate() {
  if (run_.time.mono() >= run_.workload.silent_from && run_.time.mono() < run_.workload.silent_until) {
    auto sleeping = pause(1s);
    co_await sleeping;
    co_return;
  }
  if (!found_) {
    auto finding = find_coordinator();
    found_ = co_await finding;
    co_return;
  }
  Task<void> task;
  const uint64_t draw = run_.random.below(100);
  if (draw < 4) {
    run_.counters.count("group: member forgets to leave");
    forget();
    co_return;
  }
  if (draw < 6) {
    // For longer than its session may be.
    auto sleeping = pause(4s);
    co_await sleeping;
    co_return;
  }
  if (draw < 9 && !may_be_replaced() && !old_member_.empty() && !instance_.empty()) {
    auto haunting = haunt();
    co_await haunting;
    co_return;
  }
  if (draw < 9 && old_generation_ >= 0 && instance_.empty()) {
    run_.counters.count("group: zombie");
    member_ = old_member_;
    generation_ = old_generation_;
    assigned_ = is_zombie_ = true;
    heard_.reset();
    patience_ = {};  // not known any more
    co_return;
  }
  if (draw < 20) {
    auto committing = commit(false);
    (void)co_await committing;
    co_return;
  }
  if (draw < 21) {
    task = run_.random.chance(0.5) ? delete_offset() : delete_group();
  } else if (draw < 40) {
    task = fetch();
  } else if (!assigned_) {
    task = join();
  } else if (draw < 44) {
    task = leave();
  } else if (draw < 60) {
    task = heartbeat();
  } else {
    auto committing = commit(true);
    (void)co_await committing;
    co_return;
  }
  co_await task;
}

Task<bool> NodeMember::find_coordinator() {
  protocol::CreateTopicsRequest creation;
  creation.timeout_ms = run_.workload.request_timeout_ms;
  auto& topic = creation.topics.emplace_back();
  topic.name = kGroupsTopic;
  topic.num_partitions = kGroupsPartitions;
  topic.replication_factor = 1;
  auto creating = ask<protocol::CreateTopicsResponse>(creation, 5);
  const auto created = co_await creating;
  if (!created) co_return false;
  const ErrorCode code = code_of(created->body.topics.at(0).error_code);
  if (code != ErrorCode::NONE && code != ErrorCode::TOPIC_ALREADY_EXISTS) co_return false;

  protocol::FindCoordinatorRequest request;
  const auto version = static_cast<int16_t>(run_.random.between(0, 6));
  if (version < 4) {
    request.key = group_;
  } else {
    request.coordinator_keys = {group_};
  }
  auto asking = ask<protocol::FindCoordinatorResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return false;
  const auto error =
      code_of(version < 4 ? reply->body.error_code : reply->body.coordinators.at(0).error_code);
  if (error != ErrorCode::NONE && error != ErrorCode::COORDINATOR_NOT_AVAILABLE)
    run_.violate(fmt::format("FindCoordinator is answered with {}", error_name(error)));
  co_return error == ErrorCode::NONE;
}

Task<void> NodeMember::join() {
  protocol::JoinGroupRequest request;
  request.group_id = group_;
  request.session_timeout_ms = insists_ ? 6'000 : one_of({500, 2'000, 6'000});
  request.rebalance_timeout_ms = insists_ ? 1'000 : one_of({300, 2'000});
  request.member_id = member_;
  request.protocol_type = "consumer";
  request.protocols.emplace_back().name = "range";
  auto connecting = connect();
  const bool connected = co_await connecting;
  if (!connected) co_return;
  GroupModel& model = run_.group(group_);
  const int32_t least = model.least_generation(life(), run_.last_full_life >= life());
  const uint64_t incarnation = model.incarnation();
  heard_.reset();
  const bool replaces = !instance_.empty() && member_.empty();
  const uint64_t asked_before = asked_to_replace_in_;
  if (replaces) asked_to_replace_in_ = life();
  // Who joins again and offers the same may be answered without its new timeouts being looked at.
  const auto asked =
      std::chrono::milliseconds(std::min(request.session_timeout_ms, request.rebalance_timeout_ms));
  patience_ = member_.empty() ? asked : std::min<runtime::Duration>(patience_, asked);
  // Before v4 whoever does not hear the answer leaves a member behind that nobody is.
  request.group_instance_id = instance();
  auto asking = ask<protocol::JoinGroupResponse>(request, version(insists_ ? 4 : 1, 5, 9));
  const auto reply = co_await asking;
  if (!reply) {
    if (!reached()) asked_to_replace_in_ = asked_before;
    co_return;
  }
  const auto& body = reply->body;
  const ErrorCode error = code_of(body.error_code);
  if (error == ErrorCode::MEMBER_ID_REQUIRED) member_ = body.member_id;
  take("JoinGroup", error);
  if (error != ErrorCode::NONE) co_return;
  if (replaces) asked_to_replace_in_ = asked_before;
  if (member_ != body.member_id) {
    is_in_log_ = false;
    given_in_ = life();
    may_have_left_ = false;
  }
  member_ = body.member_id;
  generation_ = body.generation_id;
  loaded_in_ = life();
  run_.count("group: joined");
  run_.note("{}: {} joined generation {} led by {}", group_, member_, generation_, body.leader);
  // Where the group went while this waited for its answer, nobody knows of which of the two it is.
  incarnation_ = incarnation;
  if (model.incarnation() == incarnation) {
    run_.judge(model.joined(generation_, member_, std::string(body.leader), least, life(), run_.time.mono()));
    if (generation_ < least && !run_.violation) run_.counters.count("group: began again");
    incarnation_ = model.incarnation();
  }
  std::vector<std::string> members;
  for (const auto& member : body.members) members.emplace_back(member.member_id);
  auto syncing = sync(std::move(members));
  co_await syncing;
}

// The leader's `members` share the partitions out: each gets those of its turn, a byte for each.
Task<void> NodeMember::sync(std::vector<std::string> members) {
  protocol::SyncGroupRequest request;
  request.group_id = group_;
  request.generation_id = generation_;
  request.member_id = member_;
  std::vector<std::vector<std::byte>> shares(members.size());
  for (int32_t p = 0; p < kGroupsPartitions && !members.empty(); ++p)
    shares[static_cast<size_t>(p) % members.size()].push_back(static_cast<std::byte>(p));
  for (size_t i = 0; i < members.size(); ++i) {
    auto& assigned = request.assignments.emplace_back();
    assigned.member_id = members[i];
    assigned.assignment = shares[i];
  }
  request.group_instance_id = instance();
  const runtime::MonoTime sent = run_.time.mono();
  auto asking = ask<protocol::SyncGroupResponse>(request, version(0, 3, 4));
  const auto reply = co_await asking;
  if (!reply) co_return;
  const ErrorCode error = code_of(reply->body.error_code);
  take("SyncGroup", error);
  if (error != ErrorCode::NONE) co_return;
  partitions_.clear();
  for (const std::byte b : reply->body.assignment) partitions_.push_back(std::to_integer<int32_t>(b));
  assigned_ = is_in_log_ = true;
  is_zombie_ = false;
  heard(sent, false);  // as in Kafka 4, a stable group only repeats its answer: the session goes on as it was
  run_.count("group: synced");
  run_.judge(run_.group(group_).synced(generation_, member_, partitions_, life(), incarnation_));
}

Task<void> NodeMember::heartbeat() {
  protocol::HeartbeatRequest request;
  request.group_id = group_;
  request.generation_id = generation_;
  request.member_id = member_;
  request.group_instance_id = instance();
  const runtime::MonoTime sent = run_.time.mono();
  auto asking = ask<protocol::HeartbeatResponse>(request, version(0, 3, 4));
  const auto reply = co_await asking;
  if (!reply) co_return;
  const ErrorCode error = code_of(reply->body.error_code);
  take("Heartbeat", error);
  // While it loads, a coordinator believes whoever says so.
  if (error == ErrorCode::NONE && loaded_in_ == life()) heard(sent, true);
}

Task<void> NodeMember::leave() {
  protocol::LeaveGroupRequest request;
  request.group_id = group_;
  heard_.reset();
  may_have_left_ = true;  // also if its answer does not come, and much later
  const int16_t version = this->version(0, 3, 5);
  if (version < 3) {
    request.member_id = member_;
  } else {
    auto& leaving = request.members.emplace_back();
    leaving.member_id = member_;
    leaving.group_instance_id = instance();
  }
  auto asking = ask<protocol::LeaveGroupResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return;
  ErrorCode error = code_of(reply->body.error_code);
  if (version >= 3 && error == ErrorCode::NONE) error = code_of(reply->body.members.at(0).error_code);
  take("LeaveGroup", error);
  may_have_left_ = error == ErrorCode::NONE;
  if (error != ErrorCode::NONE) co_return;
  run_.count("group: left");
  forget();
}

Task<bool> NodeMember::is_described_as_settled() {
  protocol::DescribeGroupsRequest request;
  request.groups = {group_};
  auto asking = ask<protocol::DescribeGroupsResponse>(request, version(0, 0, 6));
  const auto reply = co_await asking;
  if (!reply) co_return false;
  const auto& described = reply->body.groups.at(0);
  const auto& standings = run_.group(group_).standings;
  size_t known = 0;
  for (const auto& member : described.members)
    for (const auto& [host, standing] : standings) known += standing.member == member.member_id ? 1 : 0;
  co_return described.group_state == "Stable" && described.members.size() == standings.size() &&
      known == standings.size() && !run_.group(group_).unsettled(kGroupsPartitions);
}

Task<void> NodeMember::insist() {
  insists_ = true;
  if (is_zombie_) forget();
  GroupModel& model = run_.group(group_);
  GroupModel::Standing& standing = model.standings[host_];
  const runtime::MonoTime deadline = run_.time.mono() + kSettlingTime;
  disconnect();
  bool committed = false;
  while (!run_.violation && !model.settled) {
    if (!found_) {
      auto finding = find_coordinator();
      found_ = co_await finding;
    } else if (!assigned_) {
      auto joining = join();
      co_await joining;
    } else if (!committed) {
      auto committing = commit(true);
      committed = co_await committing;
    } else {
      auto beating = heartbeat();
      co_await beating;
    }
    standing = assigned_ ? GroupModel::Standing{member_, generation_, partitions_} : GroupModel::Standing{};
    Verdict unsettled = model.unsettled(kGroupsPartitions);
    if (!unsettled && committed) {
      auto looking = is_described_as_settled();
      const bool is_settled = co_await looking;
      if (is_settled) model.settled = true;
    }
    if (run_.time.mono() > deadline && !model.settled)
      run_.violate(fmt::format("healed, and not settled in time: {}", unsettled.value_or(group_)));
    auto resting = pause(50ms);
    co_await resting;
  }
  auto fetching = fetch();
  co_await fetching;
  run_.counters.count("group: healed and settled");
}

}  // namespace tidemark::simulation
