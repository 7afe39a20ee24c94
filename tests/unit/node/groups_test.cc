// A whole broker that coordinates groups: what its members and their offsets see of crashes, full disks,
// deleted topics and stops.
#include "protocol/messages/delete_topics_request.h"
#include "protocol/messages/delete_topics_response.h"
#include "protocol/messages/find_coordinator_request.h"
#include "protocol/messages/find_coordinator_response.h"
#include "protocol/messages/heartbeat_request.h"
#include "protocol/messages/heartbeat_response.h"
#include "protocol/messages/join_group_request.h"
#include "protocol/messages/join_group_response.h"
#include "protocol/messages/offset_commit_request.h"
#include "protocol/messages/offset_commit_response.h"
#include "protocol/messages/offset_fetch_request.h"
#include "protocol/messages/offset_fetch_response.h"
#include "protocol/messages/sync_group_request.h"
#include "protocol/messages/sync_group_response.h"
#include "tests/unit/node/one_broker.h"

namespace tidemark::simulation {
namespace {

class GroupsWorld : public OneBroker {
 public:
  explicit GroupsWorld(size_t shards = 2) {
    options.shards = shards;
    options.config.properties["group.initial.rebalance.delay.ms"] = "0";
    options.config.properties["offsets.topic.num.partitions"] = "4";
    options.config.broker = config::resolve_broker_config({nullptr, nullptr, &options.config.properties});
  }

  ErrorCode find(std::string_view group) {
    protocol::FindCoordinatorRequest request;
    request.key = group;
    return code(ask<protocol::FindCoordinatorResponse>(request, 3).body.error_code);
  }

  struct Joined {
    ErrorCode error;
    int32_t generation;
    std::string member;
    std::string leader;
  };
  static protocol::JoinGroupRequest joining(std::string_view group, std::string_view member) {
    protocol::JoinGroupRequest request;
    request.group_id = group;
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 20'000;
    request.member_id = member;
    request.protocol_type = "consumer";
    auto& offered = request.protocols.emplace_back();
    offered.name = "range";
    return request;
  }
  Joined join(std::string_view group, std::string_view member = "") {
    const auto reply = ask<protocol::JoinGroupResponse>(joining(group, member), 3);
    return {code(reply.body.error_code), reply.body.generation_id, std::string(reply.body.member_id),
            std::string(reply.body.leader)};
  }
  // Asks on the connection and does not wait.
  void begin_join(std::string_view group, std::optional<ErrorCode>& error) {
    others_.spawn(join_in(connection, std::string(group), error));
  }
  ErrorCode sync(std::string_view group, const Joined& member) {
    protocol::SyncGroupRequest request;
    request.group_id = group;
    request.generation_id = member.generation;
    request.member_id = member.member;
    auto& assigned = request.assignments.emplace_back();
    assigned.member_id = member.member;
    return code(ask<protocol::SyncGroupResponse>(request, 3).body.error_code);
  }
  ErrorCode heartbeat(std::string_view group, const Joined& member) {
    protocol::HeartbeatRequest request;
    request.group_id = group;
    request.generation_id = member.generation;
    request.member_id = member.member;
    return code(ask<protocol::HeartbeatResponse>(request, 3).body.error_code);
  }
  ErrorCode commit(std::string_view group, std::string_view topic, int64_t offset,
                   const Joined& member = {}) {
    protocol::OffsetCommitRequest request;
    request.group_id = group;
    request.generation_id_or_member_epoch = member.member.empty() ? -1 : member.generation;
    request.member_id = member.member;
    auto& wanted = request.topics.emplace_back();
    wanted.name = topic;
    auto& p = wanted.partitions.emplace_back();
    p.partition_index = 0;
    p.committed_offset = offset;
    const auto reply = ask<protocol::OffsetCommitResponse>(request, 7);
    return code(reply.body.topics.at(0).partitions.at(0).error_code);
  }
  // -1: none.
  int64_t committed(std::string_view group, std::string_view topic) {
    protocol::OffsetFetchRequest request;
    request.group_id = group;
    auto& wanted = request.topics.emplace().emplace_back();
    wanted.name = topic;
    wanted.partition_indexes = {0};
    const auto reply = ask<protocol::OffsetFetchResponse>(request, 5);
    REQUIRE(code(reply.body.error_code) == ErrorCode::NONE);
    return reply.body.topics.at(0).partitions.at(0).committed_offset;
  }
  ErrorCode delete_topic(std::string_view name) {
    protocol::DeleteTopicsRequest request;
    request.topic_names = {name};
    request.timeout_ms = 5'000;
    return code(ask<protocol::DeleteTopicsResponse>(request, 5).body.responses.at(0).error_code);
  }

  runtime::TaskScope others_;

 private:
  static ErrorCode code(int16_t error) { return static_cast<ErrorCode>(error); }
  static runtime::Task<void> join_in(std::shared_ptr<client::Connection> connection, std::string group,
                                     std::optional<ErrorCode>& error) {
    const auto request = joining(group, "");
    auto calling = connection->call<protocol::JoinGroupRequest, protocol::JoinGroupResponse>(request, 3);
    const auto reply = co_await calling;
    if (reply) error = code(reply->body.error_code);
  }
};

}  // namespace

TEST_CASE("members and their offsets outlive the process and the power") {
  for (const CrashKind kind : {CrashKind::kill, CrashKind::power}) {
    GroupsWorld world;
    world.start();
    REQUIRE(world.create_topic("tide", 1) == ErrorCode::NONE);
    REQUIRE(world.find("g") == ErrorCode::NONE);
    const auto member = world.join("g");
    REQUIRE(member.error == ErrorCode::NONE);
    CHECK(member.generation == 1);
    CHECK(member.leader == member.member);
    REQUIRE(world.sync("g", member) == ErrorCode::NONE);
    CHECK(world.heartbeat("g", member) == ErrorCode::NONE);
    CHECK(world.commit("g", "tide", 42, member) == ErrorCode::NONE);
    CHECK(world.commit("simple", "tide", 7) == ErrorCode::NONE);

    world.crash(kind);
    world.options.shards = 3;
    world.start();
    CHECK(world.heartbeat("g", member) == ErrorCode::NONE);
    CHECK(world.committed("g", "tide") == 42);
    CHECK(world.committed("simple", "tide") == 7);
    auto stale = member;
    stale.generation = 0;
    CHECK(world.commit("g", "tide", 43, stale) == ErrorCode::ILLEGAL_GENERATION);
    CHECK(world.commit("g", "tide", 44, member) == ErrorCode::NONE);
    CHECK(world.committed("g", "tide") == 44);
  }
}

TEST_CASE("a silent member is dropped, and its group's generation is not given again") {
  GroupsWorld world;
  world.start();
  REQUIRE(world.find("g") == ErrorCode::NONE);
  const auto first = world.join("g");
  REQUIRE(world.sync("g", first) == ErrorCode::NONE);
  world.time.run_until(world.time.mono() + std::chrono::seconds(11));
  CHECK(world.heartbeat("g", first) == ErrorCode::UNKNOWN_MEMBER_ID);
  world.crash(CrashKind::power);
  world.start();
  const auto second = world.join("g");
  CHECK(second.error == ErrorCode::NONE);
  CHECK(second.generation > first.generation);
}

TEST_CASE("a deleted topic takes its offsets along, also where nobody could tell the coordinator") {
  GroupsWorld world;
  world.start();
  REQUIRE(world.create_topic("tide", 1) == ErrorCode::NONE);
  REQUIRE(world.create_topic("ebb", 1) == ErrorCode::NONE);
  REQUIRE(world.find("g") == ErrorCode::NONE);
  REQUIRE(world.commit("g", "tide", 1) == ErrorCode::NONE);
  REQUIRE(world.commit("g", "ebb", 2) == ErrorCode::NONE);
  REQUIRE(world.delete_topic("tide") == ErrorCode::NONE);
  CHECK(world.committed("g", "ebb") == 2);
  REQUIRE(world.create_topic("tide", 1) == ErrorCode::NONE);
  CHECK(world.committed("g", "tide") == -1);

  REQUIRE(world.commit("g", "tide", 3) == ErrorCode::NONE);
  REQUIRE(world.delete_topic("tide") == ErrorCode::NONE);
  world.crash(CrashKind::kill);
  world.start();
  REQUIRE(world.create_topic("tide", 1) == ErrorCode::NONE);
  CHECK(world.committed("g", "tide") == -1);
  CHECK(world.committed("g", "ebb") == 2);
}

TEST_CASE("a full disk refuses commits, and what was committed stays") {
  GroupsWorld world;
  world.start();
  REQUIRE(world.create_topic("tide", 1) == ErrorCode::NONE);
  REQUIRE(world.find("g") == ErrorCode::NONE);
  REQUIRE(world.commit("g", "tide", 0) == ErrorCode::NONE);
  world.disk.quota_bytes = world.disk.used_bytes();
  int64_t acknowledged = 0;
  ErrorCode error = ErrorCode::NONE;
  for (int64_t offset = 1; offset < 3'000 && error == ErrorCode::NONE; ++offset) {
    error = world.commit("g", "tide", offset);
    if (error == ErrorCode::NONE) acknowledged = offset;
  }
  CHECK(error == ErrorCode::COORDINATOR_NOT_AVAILABLE);
  CHECK(world.committed("g", "tide") == acknowledged);
  world.disk.heal();
  world.time.run_until(world.time.mono() + std::chrono::seconds(3));
  CHECK(world.commit("g", "tide", 5'000) == ErrorCode::NONE);
  CHECK(world.committed("g", "tide") == 5'000);
}

TEST_CASE("who waits for a rebalance is answered when the node stops") {
  GroupsWorld world;
  world.start();
  REQUIRE(world.find("g") == ErrorCode::NONE);
  const auto leader = world.join("g");
  REQUIRE(world.sync("g", leader) == ErrorCode::NONE);
  std::optional<ErrorCode> parked;
  world.begin_join("g", parked);  // waits for the leader to join again
  world.time.run_until(world.time.mono() + std::chrono::milliseconds(500));
  CHECK_FALSE(parked.has_value());
  world.broker->stop();
  while (!world.broker->stopped() && !world.broker->stop_failure()) REQUIRE(world.time.step());
  CHECK_FALSE(world.broker->stop_failure().has_value());
  CHECK(parked == ErrorCode::NOT_COORDINATOR);
}

}  // namespace tidemark::simulation
