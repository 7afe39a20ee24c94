// Committed offsets: who they belong to, and how they end.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "members.h"

namespace tidemark::coordinator::testing {

namespace {

constexpr int64_t kDayMs = 24 * 60 * 60 * 1000LL;
const Uuid kOld = Uuid::from_halves(1, 1);
const Uuid kNew = Uuid::from_halves(2, 2);

OffsetCommitRequest simple_commit(const std::string& group, const std::string& topic, int32_t partition,
                                  int64_t offset, Uuid id = {}) {
  OffsetCommitRequest request;
  request.group = group;
  request.topics = {{topic, id, {{PartitionId(partition), Offset(offset), kNoLeaderEpoch, std::nullopt}}}};
  return request;
}

Offset fetched(World& world, const std::string& group, const std::string& topic, int32_t partition,
               Uuid id = {}) {
  OffsetFetchRequest request;
  request.groups = {{group, {{{topic, id, {PartitionId(partition)}}}}}};
  const auto reply = world.ask<OffsetFetchReply>(request);
  CHECK(reply.groups.at(0).error == ErrorCode::NONE);
  return reply.groups.at(0).topics.at(0).partitions.at(0).offset;
}

void keep_alive(World& world, const StableGroup& group, int64_t ms) {
  for (int64_t passed = 0; passed < ms; passed += 9'000) {
    for (const std::string& member : group.members)
      MUST(world.ask<HeartbeatReply>(heartbeat_request(member, group.generation)).error == ErrorCode::NONE);
    world.pass_ms(9'000);
  }
}

GroupSettings short_retention() {
  GroupSettings settings;
  settings.group_initial_rebalance_delay_ms = 0;
  settings.offsets_retention_ms = 60'000;
  settings.offsets_retention_check_interval_ms = 10'000;
  return settings;
}

}  // namespace

TEST_CASE("an offset of another topic of the same name is none") {
  World world;
  CHECK(commit_error(world, simple_commit("g", "orders", 0, 5, kOld)) == ErrorCode::NONE);
  CHECK(fetched(world, "g", "orders", 0) == Offset(5));
  CHECK(fetched(world, "g", "orders", 0, kOld) == Offset(5));
  CHECK(fetched(world, "g", "orders", 0, kNew) == kNoOffset);
  // One that was committed without an id is taken for whatever has the name.
  CHECK(commit_error(world, simple_commit("g", "orders", 1, 6)) == ErrorCode::NONE);
  CHECK(fetched(world, "g", "orders", 1, kNew) == Offset(6));
}

TEST_CASE("a deleted topic takes its own offsets, not those of its successor") {
  World world;
  world.ask<OffsetCommitReply>(simple_commit("g", "orders", 0, 5, kOld));
  world.ask<OffsetCommitReply>(simple_commit("g", "orders", 1, 6, kNew));
  world.ask<OffsetCommitReply>(simple_commit("h", "orders", 0, 7));
  world.ask<OffsetCommitReply>(simple_commit("h", "users", 0, 8, kOld));
  world.delete_topic("orders", kOld);
  CHECK(fetched(world, "g", "orders", 0) == kNoOffset);
  CHECK(fetched(world, "g", "orders", 1) == Offset(6));
  CHECK(fetched(world, "h", "orders", 0) == kNoOffset);
  CHECK(fetched(world, "h", "users", 0) == Offset(8));
}

TEST_CASE("several groups are fetched in one request") {
  World world;
  world.ask<OffsetCommitReply>(simple_commit("g", "orders", 0, 5));
  world.ask<OffsetCommitReply>(simple_commit("h", "orders", 0, 6));
  OffsetFetchRequest request;
  request.require_stable = true;
  request.groups = {{"g", std::nullopt}, {"h", {{{"orders", {}, {PartitionId(0)}}}}}, {"none", std::nullopt}};
  const auto reply = world.ask<OffsetFetchReply>(request);
  REQUIRE(reply.groups.size() == 3);
  CHECK(reply.groups[0].topics.at(0).partitions.at(0).offset == Offset(5));
  CHECK(reply.groups[1].topics.at(0).partitions.at(0).offset == Offset(6));
  CHECK(reply.groups[2].topics.empty());
  CHECK(reply.groups[2].error == ErrorCode::NONE);
}

TEST_CASE("a stable group keeps what it is subscribed to, and the rest for its retention") {
  World world(short_retention());
  const StableGroup group = stable_group(world, 1);
  OffsetCommitRequest commit = commit_request(group.members[0], 1);
  commit.topics.push_back({"users", {}, {{PartitionId(0), Offset(1), {}, {}}}});
  CHECK(commit_error(world, commit) == ErrorCode::NONE);
  keep_alive(world, group, 50'000);
  CHECK(fetched(world, "g", "users", 0) == Offset(1));
  keep_alive(world, group, 30'000);
  CHECK(fetched(world, "g", "users", 0) == kNoOffset);
  CHECK(fetched(world, "g", "orders", 0) == Offset(1));
}

TEST_CASE("an empty group's offsets live for the retention from when it became empty, however old they are") {
  World world(short_retention());
  const StableGroup group = stable_group(world, 1);
  CHECK(commit_error(world, commit_request(group.members[0], 1)) == ErrorCode::NONE);
  keep_alive(world, group, 90'000);
  LeaveRequest leave;
  leave.group = "g";
  leave.members = {{group.members[0], std::nullopt, std::nullopt}};
  world.send(leave);
  world.pass_ms(50'000);
  world.fail_over();  // when it became empty is in its record
  CHECK(fetched(world, "g", "orders", 0) == Offset(1));
  world.pass_ms(20'000);
  CHECK(fetched(world, "g", "orders", 0) == kNoOffset);
  CHECK(world.image().groups().empty());
  CHECK(world.coordinator().groups().empty());
}

TEST_CASE("a group of another kind keeps all of its offsets while it runs") {
  World world(short_retention());
  JoinRequest request = join_request("worker");
  request.member_id_required = false;
  request.protocol_type = "connect";
  const RequestToken join = world.send(request);
  world.pass_ms(0);
  const StableGroup group{{world.answer<JoinReply>(join).member}, 1};
  world.send(sync_request(group.members[0], 1, {{group.members[0], bytes("tasks")}}));
  CHECK(commit_error(world, commit_request(group.members[0], 1)) == ErrorCode::NONE);
  keep_alive(world, group, 120'000);
  CHECK(fetched(world, "g", "orders", 0) == Offset(1));
}

TEST_CASE("a simple group's offsets live for the retention from their commit, each by itself") {
  World world(short_retention());
  world.ask<OffsetCommitReply>(simple_commit("s", "orders", 0, 1));
  world.pass_ms(30'000);
  world.ask<OffsetCommitReply>(simple_commit("s", "orders", 1, 1));
  world.pass_ms(40'000);
  CHECK(fetched(world, "s", "orders", 0) == kNoOffset);
  CHECK(fetched(world, "s", "orders", 1) == Offset(1));
  world.pass_ms(30'000);
  CHECK(world.image().groups().empty());
}

TEST_CASE("an offset stays beyond its retention while its partition holds what would be read next") {
  World world(short_retention());
  OffsetCommitRequest own = simple_commit("own", "orders", 0, 5);
  own.retention_ms = 60'000;
  for (const OffsetCommitRequest& commit :
       {simple_commit("left", "orders", 0, 5), simple_commit("all", "orders", 0, 9), own,
        simple_commit("trimmed", "orders", 0, 3), simple_commit("beyond", "orders", 0, 10),
        simple_commit("unknown", "orders", 1, 5), simple_commit("no data", "orders", 2, 5),
        simple_commit("part", "orders", 0, 5)})
    CHECK(commit_error(world, commit) == ErrorCode::NONE);
  CHECK(commit_error(world, simple_commit("part", "orders", 2, 5)) == ErrorCode::NONE);
  world.set_extent("orders", PartitionId(0), Extent{Offset(4), Offset(9)});
  world.set_extent("orders", PartitionId(1), std::nullopt);
  world.set_extent("orders", PartitionId(2), Extent{Offset(9), Offset(9)});
  world.pass_ms(90'000);
  std::vector<std::string> left;
  for (const auto& [id, group] : world.image().groups()) left.push_back(id);
  CHECK(left == std::vector<std::string>{"all", "left", "part", "unknown"});
  CHECK(fetched(world, "part", "orders", 0) == Offset(5));
  CHECK(fetched(world, "part", "orders", 2) == kNoOffset);
  // Until the data goes.
  world.set_extent("orders", PartitionId(0), Extent{Offset(6), Offset(9)});
  world.set_extent("orders", PartitionId(1), Extent{});
  world.pass_ms(10'000);
  CHECK(world.image().groups().size() == 1);
  CHECK(fetched(world, "all", "orders", 0) == Offset(9));
}

TEST_CASE("with the longest interval there is between checks, none comes") {
  GroupSettings settings = short_retention();
  settings.offsets_retention_check_interval_ms = INT64_MAX;
  World world(settings);
  CHECK(world.coordinator().next_deadline() > world.now().mono + std::chrono::hours(24 * 365));
  CHECK(commit_error(world, simple_commit("g", "orders", 0, 5)) == ErrorCode::NONE);
  world.pass_ms(600'000);
  CHECK(fetched(world, "g", "orders", 0) == Offset(5));
}

TEST_CASE("a retention beyond all time is as good as for ever") {
  World world(short_retention());
  OffsetCommitRequest request = simple_commit("s", "orders", 0, 1);
  request.retention_ms = INT64_MAX;
  CHECK(commit_error(world, request) == ErrorCode::NONE);
  world.pass_ms(kDayMs);
  CHECK(fetched(world, "s", "orders", 0) == Offset(1));
}

TEST_CASE("a group that somebody is about to join is not expired under its hands") {
  World world(short_retention());
  world.pass_ms(5'000);
  const std::string id = member_id(world, "c");
  world.pass_ms(5'000);
  const RequestToken join = world.send(join_request("c", id));
  world.pass_ms(0);
  CHECK(world.answer<JoinReply>(join).error == ErrorCode::NONE);
}

TEST_CASE("an expiry of very many offsets comes in pieces") {
  GroupSettings settings = short_retention();
  settings.offsets_retention_ms = 5 * kDayMs;
  runtime::SeededRandom random(1);
  GroupCoordinator coordinator(settings, random);
  size_t offsets = 0;
  for (int group = 0; group < 300; ++group) {
    for (int partition = 0; partition < 100; ++partition, ++offsets) {
      const Record record = offset_record(fmt::format("g{}", group), "t", PartitionId(partition),
                                          {Offset(1), kNoLeaderEpoch, "", 0, std::nullopt, {}});
      REQUIRE(coordinator.apply(record.key, record.value));
    }
  }
  Now now{runtime::MonoTime(std::chrono::hours(1)), runtime::WallTime(std::chrono::milliseconds(6 * kDayMs))};
  coordinator.begin_loading();
  CHECK(coordinator.promote(now).records.empty());
  now.mono = coordinator.next_deadline();
  int pieces = 0;
  for (; coordinator.next_deadline() <= now.mono; ++pieces) {
    Extents extents;
    for (const auto& [topic, partitions] : coordinator.unused_partitions(now))
      for (const PartitionId partition : partitions) extents[topic].partitions[partition] = {};
    const Decision decision = coordinator.tick(now, extents);
    CHECK(decision.records.size() <= kMaxRecordsPerDecision + 100);
    for (const Record& record : decision.records) REQUIRE(coordinator.apply(record.key, record.value));
  }
  CHECK(pieces == 3);
  CHECK(coordinator.image().offset_count() == 0);
}

TEST_CASE("a member in its first JoinGroup has no generation to commit in") {
  World world(short_retention());
  const StableGroup group = stable_group(world, 1);
  const std::string id = member_id(world, "late");
  const RequestToken join = world.send(join_request("late", id));
  CHECK(commit_error(world, commit_request(id, 1)) == ErrorCode::ILLEGAL_GENERATION);
  CHECK(commit_error(world, commit_request(group.members[0], 1)) == ErrorCode::NONE);
  CHECK(world.reply(join) == nullptr);
}

TEST_CASE("deleted groups leave nothing, and can begin again") {
  World world(short_retention());
  const StableGroup group = stable_group(world, 1);
  CHECK(commit_error(world, commit_request(group.members[0], 1)) == ErrorCode::NONE);
  LeaveRequest leave;
  leave.group = "g";
  leave.members = {{group.members[0], std::nullopt, std::nullopt}};
  world.send(leave);
  const auto reply = world.ask<DeleteGroupsReply>(DeleteGroupsRequest{{"g", "g"}});
  CHECK(reply.results.at(0).error == ErrorCode::NONE);
  CHECK(world.image().groups().empty());
  CHECK(compacted(world.log()).empty());
  CHECK(stable_group(world, 2).generation == 1);
}

}  // namespace tidemark::coordinator::testing
