#include "tests/simulation/node_member.h"

#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/find_coordinator_request.h"
#include "protocol/messages/find_coordinator_response.h"
#include "protocol/messages/heartbeat_request.h"
#include "protocol/messages/heartbeat_response.h"
#include "protocol/messages/join_group_request.h"
#include "protocol/messages/join_group_response.h"
#include "protocol/messages/leave_group_request.h"
#include "protocol/messages/leave_group_response.h"
#include "protocol/messages/offset_commit_request.h"
#include "protocol/messages/offset_commit_response.h"
#include "protocol/messages/offset_fetch_request.h"
#include "protocol/messages/offset_fetch_response.h"
#include "protocol/messages/sync_group_request.h"
#include "protocol/messages/sync_group_response.h"

namespace tidemark::simulation {

using namespace std::chrono_literals;
using runtime::Task;

namespace {

constexpr size_t kGroups = 2;
constexpr const char* kSimpleGroup = "nobody-joins";
constexpr int32_t kRarePartition = 2;

ErrorCode code_of(int16_t error) { return static_cast<ErrorCode>(error); }

}  // namespace

NodeMember::NodeMember(NodeRun& run, const std::string& host)
    : NodeClient(run, host), group_(fmt::format("group-{}", run.random.below(kGroups))) {}

void NodeMember::forget() {
  if (generation_ >= 0) {
    old_member_ = member_;
    old_generation_ = generation_;
  }
  member_.clear();
  generation_ = -1;
  assigned_ = is_zombie_ = false;
  heard_.reset();
}

void NodeMember::heard(runtime::MonoTime sent, bool is_stable) {
  if (!assigned_ || is_zombie_) return;
  run_.group(group_).alive(sent, run_.time.mono());
  if (is_stable) heard_ = {sent, life()};
}

void NodeMember::judge_unknown(const char* what) {
  if (!heard_ || life() != heard_->second + 1 || life() != run_.life) return;
  const bool was_in_time = run_.life_ended - heard_->first < patience_;
  const bool is_in_time = run_.time.mono() - run_.life_began < patience_;
  if (was_in_time && is_in_time)
    run_.violate(
        fmt::format("{}: {} of {} is answered with UNKNOWN_MEMBER_ID after a restart, and its time is not up",
                    group_, what, member_));
}

void NodeMember::take(const char* what, ErrorCode error) {
  if (error != ErrorCode::NONE)
    run_.note("{}: {} of {} in generation {} is answered with {}", group_, what, member_, generation_,
              error_name(error));
  switch (error) {
    case ErrorCode::NONE: return;
    case ErrorCode::MEMBER_ID_REQUIRED: return;
    case ErrorCode::UNKNOWN_MEMBER_ID: judge_unknown(what); return forget();
    case ErrorCode::GROUP_ID_NOT_FOUND:
      if (!run_.group(group_).may_have_gone(run_.time.mono()))
        run_.violate(fmt::format("{} of {} is answered as if the group had gone", what, group_));
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
  if (draw < 9 && old_generation_ >= 0) {
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
  if (draw < 40) {
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
  // Who joins again and offers the same may be answered without its new timeouts being looked at.
  const auto asked =
      std::chrono::milliseconds(std::min(request.session_timeout_ms, request.rebalance_timeout_ms));
  patience_ = member_.empty() ? asked : std::min<runtime::Duration>(patience_, asked);
  // Before v4 whoever does not hear the answer leaves a member behind that nobody is.
  const auto version = static_cast<int16_t>(run_.random.between(insists_ ? 4 : 1, 9));
  auto asking = ask<protocol::JoinGroupResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return;
  const auto& body = reply->body;
  const ErrorCode error = code_of(body.error_code);
  if (error == ErrorCode::MEMBER_ID_REQUIRED) member_ = body.member_id;
  take("JoinGroup", error);
  if (error != ErrorCode::NONE) co_return;
  member_ = body.member_id;
  generation_ = body.generation_id;
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
  const auto version = static_cast<int16_t>(run_.random.between(0, 4));
  const runtime::MonoTime sent = run_.time.mono();
  auto asking = ask<protocol::SyncGroupResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return;
  const ErrorCode error = code_of(reply->body.error_code);
  take("SyncGroup", error);
  if (error != ErrorCode::NONE) co_return;
  std::vector<int32_t> partitions;
  for (const std::byte b : reply->body.assignment) partitions.push_back(std::to_integer<int32_t>(b));
  assigned_ = true;
  is_zombie_ = false;
  heard(sent, true);
  run_.count("group: synced");
  run_.judge(run_.group(group_).synced(generation_, member_, partitions, life(), incarnation_));
}

Task<void> NodeMember::heartbeat() {
  protocol::HeartbeatRequest request;
  request.group_id = group_;
  request.generation_id = generation_;
  request.member_id = member_;
  const auto version = static_cast<int16_t>(run_.random.between(0, 4));
  const runtime::MonoTime sent = run_.time.mono();
  auto asking = ask<protocol::HeartbeatResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return;
  const ErrorCode error = code_of(reply->body.error_code);
  take("Heartbeat", error);
  if (error == ErrorCode::NONE) heard(sent, true);
}

Task<void> NodeMember::leave() {
  protocol::LeaveGroupRequest request;
  request.group_id = group_;
  heard_.reset();
  const auto version = static_cast<int16_t>(run_.random.between(0, 5));
  if (version < 3) {
    request.member_id = member_;
  } else {
    request.members.emplace_back().member_id = member_;
  }
  auto asking = ask<protocol::LeaveGroupResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return;
  ErrorCode error = code_of(reply->body.error_code);
  if (version >= 3 && error == ErrorCode::NONE) error = code_of(reply->body.members.at(0).error_code);
  take("LeaveGroup", error);
  if (error != ErrorCode::NONE) co_return;
  run_.count("group: left");
  forget();
}

Task<bool> NodeMember::commit(bool as_member) {
  auto connecting = connect();
  const bool connected = co_await connecting;
  if (!connected) co_return false;
  const std::string group = as_member ? group_ : kSimpleGroup;
  GroupModel& model = run_.group(group);
  PartitionId partition(static_cast<int32_t>(run_.random.below(kGroupsPartitions)));
  // One that is committed so rarely that it would expire, if its group did not live.
  if (partition.value == kRarePartition && run_.workload.offsets_retention.count() > 0 &&
      run_.random.chance(0.95))
    partition = PartitionId(0);
  const auto value = static_cast<int64_t>(++run_.identities);
  protocol::OffsetCommitRequest request;
  request.group_id = group;
  request.generation_id_or_member_epoch = as_member ? generation_ : -1;
  request.member_id = as_member ? std::string_view(member_) : std::string_view();
  auto& topic = request.topics.emplace_back();
  topic.name = kGroupsTopic;
  auto& p = topic.partitions.emplace_back();
  p.partition_index = partition.value;
  p.committed_offset = value;
  const bool fenced =
      as_member && generation_ < model.least_generation(life(), run_.last_full_life >= life());
  const runtime::MonoTime sent = run_.time.mono();
  const GroupModel::Attempt attempt = model.commit_begins(partition, value, life(), sent);
  const auto version = static_cast<int16_t>(run_.random.between(2, 9));
  auto asking = ask<protocol::OffsetCommitResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) {
    if (!reached()) model.commit_refused(partition, attempt);
    run_.counters.count("group: commit unanswered");
    co_return false;
  }
  const ErrorCode error = code_of(reply->body.topics.at(0).partitions.at(0).error_code);
  if (error == ErrorCode::NONE) {
    model.commit_acknowledged(partition, attempt);
    if (as_member) heard(sent, false);
    run_.count("group: committed");
    run_.note("{}: {} committed for {} in generation {}", group, value, partition, generation_);
    if (fenced)
      run_.violate(fmt::format("{}: a commit in generation {} is taken, and there was a later one", group_,
                               generation_));
    co_return true;
  }
  // Not known where the log went offline under it.
  if (error != ErrorCode::NOT_COORDINATOR) model.commit_refused(partition, attempt);
  if (fenced) run_.counters.count("group: fenced commit refused");
  if (as_member) {
    take("OffsetCommit", error);
  } else if (error == ErrorCode::UNKNOWN_MEMBER_ID || error == ErrorCode::ILLEGAL_GENERATION) {
    run_.violate(fmt::format("a simple commit is answered with {}", error_name(error)));
  } else {
    take("OffsetCommit", error);
  }
  co_return false;
}

Task<void> NodeMember::fetch() {
  auto connecting = connect();
  const bool connected = co_await connecting;
  if (!connected) co_return;
  const std::string group = run_.random.chance(0.7) ? group_ : kSimpleGroup;
  GroupModel& model = run_.group(group);
  protocol::OffsetFetchRequest request;
  const auto version = static_cast<int16_t>(run_.random.between(1, 9));
  std::vector<int32_t> all;
  for (int32_t p = 0; p < kGroupsPartitions; ++p) all.push_back(p);
  if (version < 8) {
    request.group_id = group;
    auto& topic = request.topics.emplace().emplace_back();
    topic.name = kGroupsTopic;
    topic.partition_indexes = all;
  } else {
    auto& wanted = request.groups.emplace_back();
    wanted.group_id = group;
    auto& topic = wanted.topics.emplace().emplace_back();
    topic.name = kGroupsTopic;
    topic.partition_indexes = all;
  }
  const uint64_t began = model.fetch_begins();
  auto asking = ask<protocol::OffsetFetchResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return;
  const auto judge = [&](const auto& partitions) {
    for (const auto& p : partitions) {
      if (const ErrorCode error = code_of(p.error_code); error != ErrorCode::NONE) {
        take("OffsetFetch", error);
        continue;
      }
      const uint64_t expired = model.expired();
      run_.judge(
          model.fetched(PartitionId(p.partition_index), p.committed_offset, began, life(), run_.time.mono()));
      run_.counters.count("group: offset expired", model.expired() - expired);
    }
  };
  run_.count("group: asked what is committed");
  if (version >= 8) {
    const auto& answered = reply->body.groups.at(0);
    if (answered.error_code != 0) co_return take("OffsetFetch", code_of(answered.error_code));
    judge(answered.topics.at(0).partitions);
  } else {
    if (reply->body.error_code != 0) co_return take("OffsetFetch", code_of(reply->body.error_code));
    judge(reply->body.topics.at(0).partitions);
  }
}

Task<void> NodeMember::insist() {
  insists_ = true;
  disconnect();
  while (!run_.violation) {
    if (!found_) {
      auto finding = find_coordinator();
      found_ = co_await finding;
    } else if (!assigned_) {
      auto joining = join();
      co_await joining;
    } else {
      auto committing = commit(true);
      const bool committed = co_await committing;
      if (committed) break;
    }
    auto resting = pause(50ms);
    co_await resting;
  }
  auto fetching = fetch();
  co_await fetching;
  run_.counters.count("group: healed and settled");
}

}  // namespace tidemark::simulation
