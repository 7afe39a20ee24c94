// The coordinator as its shell sees it: standing, deadlines, bounds, and what happens when requests come
// twice or records are not taken.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include <ranges>

#include "broker/coordinator/records.h"
#include "members.h"

namespace tidemark::coordinator::testing {

namespace {

GroupSettings without_delay() {
  GroupSettings settings;
  settings.group_initial_rebalance_delay_ms = 0;
  return settings;
}

// Each kind of request, about group g.
std::vector<Request> every_request() {
  LeaveRequest leave;
  leave.group = "g";
  leave.members = {{"m", std::nullopt, std::nullopt}};
  OffsetFetchRequest fetch;
  fetch.groups = {{"g", std::nullopt}};
  OffsetDeleteRequest delete_offsets{"g", {{"orders", {PartitionId(0)}}}};
  return {join_request("c"),
          sync_request("m", 1),
          heartbeat_request("m", 1),
          leave,
          commit_request("m", 1),
          fetch,
          delete_offsets,
          ListGroupsRequest(),
          DescribeGroupsRequest{{"g"}, true, false},
          DeleteGroupsRequest{{"g"}}};
}

struct ErrorOf {
  ErrorCode operator()(const OffsetCommitReply& r) const { return r.topics.at(0).partitions.at(0).error; }
  ErrorCode operator()(const OffsetFetchReply& r) const { return r.groups.at(0).error; }
  ErrorCode operator()(const DescribeGroupsReply& r) const { return r.groups.at(0).error; }
  ErrorCode operator()(const DeleteGroupsReply& r) const { return r.results.at(0).error; }
  template <class SomeReply>
  ErrorCode operator()(const SomeReply& r) const {
    return r.error;
  }
};
ErrorCode error_of(const ReplyBody& body) { return std::visit(ErrorOf(), body); }

}  // namespace

TEST_CASE("a follower answers everything with NOT_COORDINATOR, and decides nothing") {
  runtime::SeededRandom random(1);
  GroupCoordinator follower({}, random);
  uint64_t token = 1;
  for (const Request& request : every_request()) {
    const Decision decision = follower.handle(RequestToken(token), request, {});
    REQUIRE(decision.replies.size() == 1);
    CHECK(decision.replies[0].token == RequestToken(token++));
    CHECK(error_of(decision.replies[0].body) == ErrorCode::NOT_COORDINATOR);
    CHECK(decision.records.empty());
  }
  CHECK(follower.next_deadline() == runtime::kNever);
  CHECK(follower.tick({}, {}).records.empty());
}

TEST_CASE("while the log is loaded everything is COORDINATOR_LOAD_IN_PROGRESS, but heartbeats are believed") {
  runtime::SeededRandom random(1);
  GroupCoordinator coordinator({}, random);
  coordinator.begin_loading();
  for (const Request& request : every_request()) {
    const Decision decision = coordinator.handle(RequestToken(1), request, {});
    REQUIRE(decision.replies.size() == 1);
    const bool is_heartbeat = std::holds_alternative<HeartbeatRequest>(request);
    CHECK(error_of(decision.replies[0].body) ==
          (is_heartbeat ? ErrorCode::NONE : ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
  }
}

TEST_CASE("on demotion everybody who is parked hears NOT_COORDINATOR, and the image stays") {
  World world(without_delay());
  const StableGroup group = stable_group(world, 2);
  const RequestToken join = world.send(join_request("late", member_id(world, "late")));
  CHECK(world.reply(join) == nullptr);
  const Image before = world.image();
  world.demote();
  CHECK(world.answer<JoinReply>(join).error == ErrorCode::NOT_COORDINATOR);
  CHECK(world.image() == before);
  CHECK(world.coordinator().groups().empty());
  CHECK(world.coordinator().next_deadline() == runtime::kNever);
}

TEST_CASE("a heartbeat leaves next_deadline where it is, and the tick then finds nothing to do") {
  World world(without_delay());
  const StableGroup group = stable_group(world, 1);
  const auto heartbeat = [&] {
    CHECK(world.ask<HeartbeatReply>(heartbeat_request(group.members[0], 1)).error == ErrorCode::NONE);
  };
  const auto deadline = world.coordinator().next_deadline();
  CHECK(deadline <= world.now().mono + std::chrono::milliseconds(kSessionMs));
  world.pass_ms(5'000);
  heartbeat();
  const auto session_end = world.now().mono + std::chrono::milliseconds(kSessionMs);
  CHECK(world.coordinator().next_deadline() == deadline);
  world.pass_ms(9'000);
  CHECK(world.coordinator().next_deadline() == session_end);
  CHECK(world.group("g").members().size() == 1);
  world.pass_ms(1'000);
  CHECK(world.group("g").members().empty());
}

TEST_CASE("a JoinGroup that comes again answers the one before it") {
  World world(without_delay());
  const StableGroup group = stable_group(world, 2);
  const RequestToken first = world.send(join_request("c0", group.members[0]));
  const RequestToken second = world.send(join_request("c0", group.members[0]));
  CHECK(world.answer<JoinReply>(first).error == ErrorCode::REBALANCE_IN_PROGRESS);
  CHECK(world.reply(second) == nullptr);
  world.send(join_request("c1", group.members[1]));
  CHECK(world.answer<JoinReply>(second).error == ErrorCode::NONE);
}

TEST_CASE("a SyncGroup that comes again answers the one before it") {
  World world(without_delay());
  const StableGroup group = stable_group(world, 2);
  world.send(join_request("c0", group.members[0]));
  world.send(join_request("c1", group.members[1]));
  const RequestToken first = world.send(sync_request(group.members[1], 2));
  const RequestToken second = world.send(sync_request(group.members[1], 2));
  CHECK(world.answer<SyncReply>(first).error == ErrorCode::REBALANCE_IN_PROGRESS);
  world.send(sync_request(group.members[0], 2));
  CHECK(world.answer<SyncReply>(second).error == ErrorCode::NONE);
}

TEST_CASE("a member that syncs late, but in time, stays when the time for it is up") {
  World world(without_delay());
  const StableGroup group = stable_group(world, 2);
  world.send(join_request("c0", group.members[0]));
  world.send(join_request("c1", group.members[1]));
  world.send(sync_request(group.members[0], 2));
  const auto pass_alive = [&](int64_t ms) {
    for (int64_t passed = 0; passed < ms; passed += 5'000) {
      for (const std::string& member : group.members) world.ask<HeartbeatReply>(heartbeat_request(member, 2));
      world.pass_ms(5'000);
    }
  };
  pass_alive(30'000);
  CHECK(world.ask<SyncReply>(sync_request(group.members[1], 2)).error == ErrorCode::NONE);
  pass_alive(60'000);
  CHECK(world.group("g").state == GroupState::stable);
  CHECK(world.group("g").members().size() == 2);
}

TEST_CASE("a member that never syncs loses its place when the time for it is up, however much it lives") {
  World world(without_delay());
  const StableGroup group = stable_group(world, 2);
  world.send(join_request("c0", group.members[0]));
  world.send(join_request("c1", group.members[1]));
  world.send(sync_request(group.members[0], 2));
  for (int64_t passed = 0; passed < kRebalanceMs; passed += 5'000) {
    CHECK(world.group("g").state == GroupState::stable);
    for (const std::string& member : group.members) world.ask<HeartbeatReply>(heartbeat_request(member, 2));
    world.pass_ms(5'000);
  }
  CHECK(world.group("g").state == GroupState::preparing_rebalance);
  CHECK(world.ask<HeartbeatReply>(heartbeat_request(group.members[1], 2)).error ==
        ErrorCode::UNKNOWN_MEMBER_ID);
}

TEST_CASE("when only static members are left and none joins, the rebalance begins its time anew") {
  World world(without_delay());
  const auto join = [&](const std::string& instance) {
    JoinRequest request = static_join(instance);
    request.rebalance_timeout_ms = 4'000;
    return world.send(request);
  };
  const RequestToken first = join("s");
  world.pass_ms(0);
  const std::string id = world.answer<JoinReply>(first).member;
  world.send(sync_request(id, 1, {{id, bytes("all")}}));
  join("t");
  LeaveRequest leave;
  leave.group = "g";
  leave.members = {{"", "t", std::nullopt}};
  world.send(leave);
  const auto four_seconds = std::chrono::milliseconds(4'000);
  const auto deadline = world.now().mono + four_seconds;
  CHECK(world.group("g").join_deadline == deadline);
  world.pass_ms(4'000);
  CHECK(world.group("g").state == GroupState::preparing_rebalance);
  CHECK(world.group("g").join_deadline == deadline + four_seconds);
}

TEST_CASE("static members without any time to rejoin do not make the coordinator spin") {
  World world(without_delay());
  JoinRequest request = static_join("s");
  request.rebalance_timeout_ms = 0;
  const RequestToken join = world.send(request);
  world.pass_ms(0);
  const std::string id = world.answer<JoinReply>(join).member;
  CHECK(world.ask<SyncReply>(sync_request(id, 1)).error == ErrorCode::UNKNOWN_MEMBER_ID);
  // It was dropped, for it had no time to sync either; one that the log knows lives by its session.
  GroupMetadata metadata;
  metadata.protocol_type = "consumer";
  metadata.protocol = "range";
  metadata.generation = 1;
  metadata.members = {{"a", "a", "", "", 0, kSessionMs, subscription({"orders"}), {}},
                      {"b", "b", "", "", 0, kSessionMs, subscription({"orders"}), {}}};
  runtime::SeededRandom random(1);
  GroupCoordinator coordinator(without_delay(), random);
  const Record record = group_record("g", metadata);
  REQUIRE(coordinator.apply(record.key, record.value));
  coordinator.begin_loading();
  Now now = world.now();
  coordinator.promote(now);
  LeaveRequest leave;
  leave.group = "g";
  leave.members = {{"", "a", std::nullopt}};
  coordinator.handle(RequestToken(1), leave, now);
  int ticks = 0;
  for (; coordinator.groups().at("g").members().size() == 1; ++ticks) {
    REQUIRE(ticks < 20);
    now.mono = std::max(now.mono, coordinator.next_deadline());
    coordinator.tick(now, {});
  }
  CHECK(ticks >= 10);
}

TEST_CASE("a long client id ends at a character's end in its members' ids") {
  World world;
  std::string client(kMaxClientIdInMemberId - 1, 'c');
  const std::string id = member_id(world, client + "\xC3\xA9tude");
  CHECK(id.starts_with(client + "-"));
}

TEST_CASE("who leaves while it waits for its assignment is answered") {
  World world(without_delay());
  const StableGroup group = stable_group(world, 2);
  world.send(join_request("c0", group.members[0]));
  world.send(join_request("c1", group.members[1]));
  const RequestToken sync = world.send(sync_request(group.members[1], 2));
  LeaveRequest leave;
  leave.group = "g";
  leave.members = {{group.members[1], std::nullopt, std::nullopt}};
  CHECK(world.ask<LeaveReply>(leave).error == ErrorCode::NONE);
  CHECK(world.answer<SyncReply>(sync).error == ErrorCode::UNKNOWN_MEMBER_ID);
}

TEST_CASE("the initial delay goes on while members come, and ends with their rebalance timeout") {
  World world;
  std::vector<RequestToken> joins;
  for (int i = 0; i < 15; ++i) {
    JoinRequest request = join_request(fmt::format("c{}", i));
    request.rebalance_timeout_ms = 20'000;
    request.member_id_required = false;
    joins.push_back(world.send(request));
    world.pass_ms(1'500);
    if (world.reply(joins.front()) != nullptr) break;
  }
  CHECK(world.now().mono - runtime::MonoTime(std::chrono::hours(1)) >= std::chrono::milliseconds(20'000));
  CHECK(world.answer<JoinReply>(joins.front()).members.size() == joins.size());
}

TEST_CASE("a group over capacity shrinks after a failover to a smaller group.max.size") {
  World big(without_delay());
  const StableGroup group = stable_group(big, 3);
  GroupSettings settings = without_delay();
  settings.group_max_size = 2;
  runtime::SeededRandom random(2);
  GroupCoordinator small(settings, random);
  for (const Record& record : big.log()) REQUIRE(small.apply(record.key, record.value));
  small.begin_loading();
  CHECK(small.promote(big.now()).records.empty());
  CHECK(small.groups().at("g").state == GroupState::preparing_rebalance);
  for (uint64_t i = 0; i < 3; ++i) {
    const Decision decision = small.handle(RequestToken(i), join_request("c", group.members[i]), big.now());
    if (i < 2) CHECK(decision.replies.empty());
    // The third one is no member any more, so the other two are all.
    if (i == 2) {
      REQUIRE(decision.replies.size() == 3);
      CHECK(error_of(decision.replies[0].body) == ErrorCode::GROUP_MAX_SIZE_REACHED);
    }
  }
  CHECK(small.groups().at("g").members().size() == 2);
}

TEST_CASE("a static member takes its own place in a full group") {
  GroupSettings settings = without_delay();
  settings.group_max_size = 1;
  World world(settings);
  const RequestToken join = world.send(static_join("s"));
  world.pass_ms(0);
  const std::string id = world.answer<JoinReply>(join).member;
  world.send(sync_request(id, 1, {{id, bytes("all")}}));
  CHECK(world.ask<JoinReply>(static_join("other")).error == ErrorCode::GROUP_MAX_SIZE_REACHED);
  CHECK(world.ask<JoinReply>(static_join("s")).error == ErrorCode::NONE);
}

TEST_CASE("what a member brings is bounded: protocols, instance name, metadata, pending ids") {
  World world(without_delay());
  JoinRequest request = join_request("c");
  request.protocols.clear();
  for (size_t i = 0; i <= kMaxProtocolsOfMember; ++i)
    request.protocols.push_back({fmt::format("p{}", i), {}});
  CHECK(world.ask<JoinReply>(request).error == ErrorCode::INVALID_REQUEST);
  CHECK(world.ask<JoinReply>(static_join(std::string(250, 'i'))).error == ErrorCode::INVALID_REQUEST);
  CHECK(world.image().groups().empty());

  request = join_request(std::string(30'000, 'c'));
  CHECK(world.ask<JoinReply>(request).member.size() < 300);
  request.protocols[0].metadata.resize(kMaxGroupMetadataBytes + 1);
  CHECK(world.ask<JoinReply>(request).error == ErrorCode::GROUP_MAX_SIZE_REACHED);

  while (world.group("g").pending.size() < kMaxPendingMembers)
    MUST(world.ask<JoinReply>(join_request("c")).error == ErrorCode::MEMBER_ID_REQUIRED);
  CHECK(world.ask<JoinReply>(join_request("one-more")).error == ErrorCode::COORDINATOR_NOT_AVAILABLE);
}

TEST_CASE("what a member brings again takes the place of what it had brought") {
  World world(without_delay());
  JoinRequest request = join_request("c");
  request.member_id_required = false;
  request.protocols[0].metadata.resize(kMaxGroupMetadataBytes / 2 + 1);
  const RequestToken join = world.send(request);
  world.pass_ms(0);
  request.member = world.answer<JoinReply>(join).member;
  CHECK(world.ask<JoinReply>(request).error == ErrorCode::NONE);
  JoinRequest other = request;
  other.member.clear();
  CHECK(world.ask<JoinReply>(other).error == ErrorCode::GROUP_MAX_SIZE_REACHED);
  CHECK(world.group("g").members().size() == 1);
}

TEST_CASE("a protocol that is named twice counts once") {
  World world(without_delay());
  JoinRequest request = join_request("c");
  request.member_id_required = false;
  request.protocols = {{"range", subscription({"a"})}, {"range", subscription({"b"})}};
  const RequestToken join = world.send(request);
  world.pass_ms(0);
  CHECK(world.answer<JoinReply>(join).members.at(0).metadata == subscription({"a"}));
}

TEST_CASE("a protocol wins by votes among those that all members offer") {
  World world(without_delay());
  std::vector<RequestToken> joins;
  const std::vector<std::vector<std::string>> offers = {
      {"sticky", "range", "mine"}, {"range", "sticky"}, {"theirs", "range", "sticky"}};
  for (const auto& offer : offers) {
    JoinRequest request = join_request("c");
    request.member_id_required = false;
    request.protocols.clear();
    for (const std::string& name : offer) request.protocols.push_back({name, subscription({"orders"})});
    joins.push_back(world.send(request));
  }
  world.pass_ms(0);
  for (const RequestToken join : joins) CHECK(world.answer<JoinReply>(join).protocol == "range");
}

TEST_CASE("a commit of more offsets than one decision holds is refused whole") {
  World world;
  OffsetCommitRequest request = commit_request("", -1);
  for (size_t i = 0; i < kMaxRecordsPerDecision; ++i)
    request.topics[0].partitions.push_back({PartitionId(static_cast<int32_t>(i)), Offset(1), {}, {}});
  CHECK(commit_error(world, request) == ErrorCode::INVALID_REQUEST);
  CHECK(world.log().empty());
}

TEST_CASE(
    "what the log refuses has not happened: a group falls back to its record, and its history goes on") {
  World world(without_delay());
  const StableGroup group = stable_group(world, 1);
  const GroupMetadata before = *world.image().group("g")->metadata;
  const RequestToken join = world.send(join_request("c1", member_id(world, "c1")));
  world.send(join_request("c0", group.members[0]));
  CHECK(world.answer<JoinReply>(join).generation == 2);
  const RequestToken waiting = world.send(sync_request(world.answer<JoinReply>(join).member, 2));
  world.set_fate(Fate::refused);
  const auto refused = world.ask<SyncReply>(sync_request(group.members[0], 2));
  CHECK(refused.error == ErrorCode::COORDINATOR_NOT_AVAILABLE);
  CHECK(world.answer<SyncReply>(waiting).error == ErrorCode::COORDINATOR_NOT_AVAILABLE);
  CHECK(world.group("g").metadata() == before);
  CHECK(world.group("g").history.rebalances().size() == 2);
  CHECK(world.ask<HeartbeatReply>(heartbeat_request(group.members[0], 2)).error ==
        ErrorCode::ILLEGAL_GENERATION);
}

TEST_CASE("records of unknown kinds change nothing, and damaged ones are errors that change nothing") {
  World world;
  stable_group(world, 1);
  runtime::SeededRandom random(1);
  GroupCoordinator follower({}, random);
  for (const Record& record : world.log()) REQUIRE(follower.apply(record.key, record.value));
  const Bytes newer_kind = {std::byte{0}, std::byte{5}, std::byte{1}};
  CHECK(follower.apply(newer_kind, std::nullopt));
  const Bytes damaged = {std::byte{0}, std::byte{2}, std::byte{0x7F}};
  CHECK_FALSE(follower.apply(damaged, std::nullopt));
  CHECK(follower.image() == world.image());
}

TEST_CASE("the history of rebalances keeps the last ones, and a few names of many") {
  World world(without_delay());
  const StableGroup group = stable_group(world, 30);
  const auto& first = world.group("g").history.rebalances().front();
  CHECK(first.changes.joined.count == 30);
  CHECK(first.changes.joined.first.size() == kMaxNamesKept);
  for (size_t i = 0; i < kMaxRebalancesKept + 5; ++i) {
    JoinRequest request = join_request("c0", group.members[0]);
    request.reason = std::string(i % 2, 'r');
    while (request.reason->size() < 5'000) *request.reason += "\u00e9";  // two bytes
    world.send(request);
    for (size_t m = 1; m < group.members.size(); ++m) world.send(join_request("c", group.members[m]));
    world.send(sync_request(group.members[0], world.group("g").generation));
  }
  const auto& history = world.group("g").history.rebalances();
  CHECK(history.size() == kMaxRebalancesKept);
  for (const Rebalance& rebalance : history | std::views::drop(1)) {
    CHECK(rebalance.reason.size() >= kMaxReasonBytes - 1);
    CHECK(rebalance.reason.size() <= kMaxReasonBytes);
    CHECK(rebalance.reason.ends_with("\u00e9"));  // whole
  }
}

}  // namespace tidemark::coordinator::testing
