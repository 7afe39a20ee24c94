// Members for tests: requests with everything filled in that a test does not care about, and a stable group
// in one call.
#pragma once

#include <string>
#include <vector>

#include "world.h"

namespace tidemark::coordinator::testing {

inline constexpr int32_t kSessionMs = 10'000;
inline constexpr int32_t kRebalanceMs = 60'000;

[[nodiscard]] inline JoinRequest join_request(std::string client, std::string member = {},
                                              std::vector<std::string> topics = {"orders"}) {
  JoinRequest request;
  request.group = "g";
  request.client_id = std::move(client);
  request.client_host = "/127.0.0.1";
  request.member = std::move(member);
  request.session_timeout_ms = kSessionMs;
  request.rebalance_timeout_ms = kRebalanceMs;
  request.protocol_type = "consumer";
  request.protocols = {{"range", subscription(topics)}};
  return request;
}

[[nodiscard]] inline JoinRequest static_join(std::string instance, std::string member = {},
                                             std::vector<std::string> topics = {"orders"}) {
  JoinRequest request = join_request("static", std::move(member), std::move(topics));
  request.instance = std::move(instance);
  return request;
}

[[nodiscard]] inline SyncRequest sync_request(std::string member, int32_t generation,
                                              std::vector<MemberAssignment> assignments = {}) {
  SyncRequest request;
  request.group = "g";
  request.member = std::move(member);
  request.generation = generation;
  request.assignments = std::move(assignments);
  return request;
}

[[nodiscard]] inline HeartbeatRequest heartbeat_request(std::string member, int32_t generation) {
  HeartbeatRequest request;
  request.group = "g";
  request.member = std::move(member);
  request.generation = generation;
  return request;
}

[[nodiscard]] inline OffsetCommitRequest commit_request(std::string member, int32_t generation,
                                                        int64_t offset = 1) {
  OffsetCommitRequest request;
  request.group = "g";
  request.member = std::move(member);
  request.generation = generation;
  request.topics = {{"orders", {}, {{PartitionId(0), Offset(offset), kNoLeaderEpoch, std::nullopt}}}};
  return request;
}

[[nodiscard]] inline ErrorCode commit_error(World& world, const OffsetCommitRequest& request) {
  return world.ask<OffsetCommitReply>(request).topics.at(0).partitions.at(0).error;
}

// A new dynamic member's first round.
[[nodiscard]] inline std::string member_id(World& world, const std::string& client) {
  const auto reply = world.ask<JoinReply>(join_request(client));
  MUST(reply.error == ErrorCode::MEMBER_ID_REQUIRED);
  return reply.member;
}

// Members that are through a rebalance, with their assignment; the leader first.
struct StableGroup {
  std::vector<std::string> members;
  int32_t generation = 0;
};

// New dynamic members `client`0, `client`1, ... and what comes out.
inline StableGroup stable_group(World& world, size_t size) {
  std::vector<RequestToken> joins;
  std::vector<std::string> ids;
  for (size_t i = 0; i < size; ++i) ids.push_back(member_id(world, "c" + std::to_string(i)));
  for (size_t i = 0; i < size; ++i)
    joins.push_back(world.send(join_request("c" + std::to_string(i), ids[i])));
  for (int i = 0; i < 100 && world.parked() > 0; ++i) world.pass_ms(1'000);
  StableGroup group;
  const JoinReply leader = [&] {
    for (const RequestToken join : joins)
      if (!world.answer<JoinReply>(join).members.empty()) return world.answer<JoinReply>(join);
    FAIL("no leader");
    return JoinReply();
  }();
  group.generation = leader.generation;
  group.members = {leader.member};
  for (const std::string& id : ids)
    if (id != leader.member) group.members.push_back(id);
  std::vector<MemberAssignment> assignments;
  for (const std::string& id : group.members) assignments.push_back({id, bytes("of " + id)});
  for (const std::string& id : group.members)
    world.send(sync_request(id, group.generation,
                            id == leader.member ? assignments : std::vector<MemberAssignment>()));
  MUST(world.parked() == 0);
  MUST(world.group("g").state == GroupState::stable);
  return group;
}

}  // namespace tidemark::coordinator::testing
