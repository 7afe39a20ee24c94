// What operators are told: of rebalances and their loops, of offsets that are set from outside, and of those
// that end.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "members.h"

namespace tidemark::coordinator::testing {

namespace {

constexpr int64_t kStart = 1'700'000'000'000;
constexpr int64_t kMinuteMs = 60'000;

GroupSettings quick() {
  GroupSettings settings;
  settings.group_initial_rebalance_delay_ms = 0;
  settings.offsets_retention_ms = 60'000;
  settings.offsets_retention_check_interval_ms = 10'000;
  return settings;
}

// Rebalances that begin at these times and take so long.
std::deque<Rebalance> rebalances(const std::vector<int64_t>& started_ms, int64_t took_ms) {
  std::deque<Rebalance> all;
  for (const int64_t started : started_ms) {
    Rebalance& one = all.emplace_back();
    one.started_ms = kStart + started;
    one.joining_ms = took_ms;
    one.outcome = RebalanceOutcome::stable;
  }
  return all;
}

size_t loop_at(const std::deque<Rebalance>& all, int64_t ms) {
  const auto loop = loop_of(all, kStart + ms);
  return loop ? loop->rebalances : 0;
}

// The leader rejoins: a rebalance of a group of one.
void rebalance(World& world, const std::string& member) {
  const auto joined = world.ask<JoinReply>(join_request("c0", member));
  MUST(joined.error == ErrorCode::NONE);
  MUST(world.ask<SyncReply>(sync_request(member, joined.generation)).error == ErrorCode::NONE);
}

OffsetCommitRequest outside_commit(int64_t offset) { return commit_request("", -1, offset); }

}  // namespace

TEST_CASE("a loop is five rebalances in a row without a minute's rest, within ten minutes") {
  const std::vector<int64_t> times = {0, 30'000, 60'000, 90'000, 120'000};
  CHECK(loop_at(rebalances(times, 1'000), 120'000) == 5);
  CHECK(loop_of(rebalances(times, 1'000), kStart + 120'000)->since_ms == kStart);
  CHECK(loop_at(rebalances({0, 30'000, 60'000, 90'000}, 1'000), 90'000) == 0);
  CHECK(loop_at(rebalances({0, 30'000, 60'000, 90'000, 120'000, 150'000}, 1'000), 150'000) == 6);
  CHECK(loop_at({}, 0) == 0);
}

TEST_CASE("a minute in which nothing rebalances ends a loop, and is no part of the next one") {
  const std::vector<int64_t> times = {0, 30'000, 60'000, 90'000, 120'000};
  CHECK(loop_at(rebalances(times, 1'000), 121'000 + kSettledMs - 1) == 5);
  CHECK(loop_at(rebalances(times, 1'000), 121'000 + kSettledMs) == 0);
  // The rest stands in the middle: three rebalances on either side.
  CHECK(loop_at(rebalances({0, 1'000, 2'000, 63'000, 64'000, 65'000}, 1'000), 66'000) == 0);
  CHECK(loop_at(rebalances({0, 1'000, 2'000, 62'999, 64'000, 65'000}, 1'000), 66'000) == 6);
}

TEST_CASE("slow rebalances are a loop only while five of them fall into ten minutes") {
  // Each takes two minutes and a half, and the next follows at once.
  const std::vector<int64_t> slow = {0, 150'000, 300'000, 450'000, 600'000};
  CHECK(loop_at(rebalances(slow, 150'000), 10 * kMinuteMs) == 5);
  CHECK(loop_at(rebalances(slow, 150'000), 10 * kMinuteMs + 1) == 0);
}

TEST_CASE("a rebalance that is still running has no rest behind it") {
  auto all = rebalances({0, 1'000, 2'000, 3'000, 4'000}, 500);
  all.back().outcome = RebalanceOutcome::running;
  all.back().joining_ms = 0;
  CHECK(loop_at(all, 4'000 + 2 * kSettledMs) == 5);
}

TEST_CASE("every rebalance is told when it ends, with its cause and its outcome") {
  World world(quick());
  const StableGroup group = stable_group(world, 1);
  auto told = world.take_events<RebalanceEnded>();
  REQUIRE(told.size() == 1);
  CHECK(told[0].group == "g");
  CHECK(told[0].rebalance.cause == RebalanceCause::join);
  CHECK(told[0].rebalance.outcome == RebalanceOutcome::stable);
  CHECK(told[0].rebalance.generation == 1);
  CHECK(told[0].rebalance.members == 1);

  rebalance(world, group.members[0]);
  told = world.take_events<RebalanceEnded>();
  REQUIRE(told.size() == 1);
  CHECK(told[0].rebalance.cause == RebalanceCause::rejoin);

  // Silence for a session: the group is left empty.
  world.pass_ms(kSessionMs);
  told = world.take_events<RebalanceEnded>();
  REQUIRE(told.size() == 1);
  CHECK(told[0].rebalance.cause == RebalanceCause::timeout);
  CHECK(told[0].rebalance.outcome == RebalanceOutcome::empty);
  CHECK(told[0].rebalance.changes.timed_out.first == group.members);
}

TEST_CASE("a member that leaves, and a rebalance that another overtakes") {
  World world(quick());
  const StableGroup group = stable_group(world, 2);
  (void)world.take_events();
  world.send(join_request("c0", group.members[0]));
  world.send(join_request("c1", group.members[1]));
  // Both have joined, and before the leader has assigned, one goes.
  LeaveRequest leave;
  leave.group = "g";
  leave.members = {{group.members[1], std::nullopt, "done"}};
  world.send(leave);
  auto told = world.take_events<RebalanceEnded>();
  REQUIRE(told.size() == 1);
  CHECK(told[0].rebalance.outcome == RebalanceOutcome::superseded);
  rebalance(world, group.members[0]);
  told = world.take_events<RebalanceEnded>();
  REQUIRE(told.size() == 1);
  CHECK(told[0].rebalance.cause == RebalanceCause::leave);
  CHECK(told[0].rebalance.outcome == RebalanceOutcome::stable);
  CHECK(told[0].rebalance.changes.left.count == 1);
}

TEST_CASE("a loop is told once, and again only after ten minutes of it") {
  World world(quick());
  const StableGroup group = stable_group(world, 1);
  for (int i = 0; i < 3; ++i) rebalance(world, group.members[0]);
  CHECK(world.take_events<RebalancesInLoop>().empty());
  rebalance(world, group.members[0]);
  auto told = world.take_events<RebalancesInLoop>();
  REQUIRE(told.size() == 1);
  CHECK(told[0].group == "g");
  CHECK(told[0].loop.rebalances == kLoopRebalances);
  CHECK(told[0].reason.find("leads, and rejoined") != std::string::npos);
  const int64_t step_ms = 5'000;
  for (int64_t passed = step_ms; passed < kLoopToldEveryMs; passed += step_ms) {
    world.pass_ms(step_ms);
    rebalance(world, group.members[0]);
  }
  CHECK(world.take_events<RebalancesInLoop>().empty());
  world.pass_ms(step_ms);
  rebalance(world, group.members[0]);
  CHECK(world.take_events<RebalancesInLoop>().size() == 1);
}

TEST_CASE("a group that describes itself tells its rebalances to who asks for them") {
  World world(quick());
  const StableGroup group = stable_group(world, 1);
  for (size_t i = 1; i < kLoopRebalances; ++i) rebalance(world, group.members[0]);
  const auto plain = world.ask<DescribeGroupsReply>(DescribeGroupsRequest{{"g"}, true, false});
  CHECK_FALSE(plain.groups.at(0).rebalances);
  const auto asked = world.ask<DescribeGroupsReply>(DescribeGroupsRequest{{"g", "none"}, true, true});
  REQUIRE(asked.groups.at(0).rebalances);
  CHECK(asked.groups[0].rebalances->recent.size() == kLoopRebalances);
  REQUIRE(asked.groups[0].rebalances->loop);
  CHECK(asked.groups[0].rebalances->loop->rebalances == kLoopRebalances);
  CHECK_FALSE(asked.groups.at(1).rebalances);
  // It is soft state.
  world.fail_over();
  const auto later = world.ask<DescribeGroupsReply>(DescribeGroupsRequest{{"g"}, true, true});
  REQUIRE(later.groups.at(0).rebalances);
  CHECK(later.groups[0].rebalances->recent.empty());
}

TEST_CASE("what the log refuses is not told") {
  World world(quick());
  CHECK(commit_error(world, outside_commit(10)) == ErrorCode::NONE);
  world.set_fate(Fate::refused);
  CHECK(commit_error(world, outside_commit(5)) == ErrorCode::COORDINATOR_NOT_AVAILABLE);
  CHECK(world.take_events().empty());
}

TEST_CASE("a consumer without a group commits as it goes; who moves offsets back resets them") {
  World world(quick());
  CHECK(commit_error(world, outside_commit(10)) == ErrorCode::NONE);
  CHECK(commit_error(world, outside_commit(11)) == ErrorCode::NONE);
  CHECK(world.take_events<OffsetsReset>().empty());
  CHECK(commit_error(world, outside_commit(4)) == ErrorCode::NONE);
  const auto told = world.take_events<OffsetsReset>();
  REQUIRE(told.size() == 1);
  CHECK(told[0].group == "g");
  CHECK(told[0].offsets == 1);
}

TEST_CASE("whoever commits for a group that has had members resets it; its members do not") {
  World world(quick());
  const StableGroup group = stable_group(world, 1);
  CHECK(commit_error(world, commit_request(group.members[0], 1, 5)) == ErrorCode::NONE);
  CHECK(commit_error(world, commit_request(group.members[0], 1, 3)) == ErrorCode::NONE);
  CHECK(world.take_events<OffsetsReset>().empty());
  world.pass_ms(kSessionMs);
  CHECK(commit_error(world, outside_commit(100)) == ErrorCode::NONE);
  CHECK(world.take_events<OffsetsReset>().size() == 1);
}

TEST_CASE("offsets that end are told with the reason, and a group that goes with them") {
  World world(quick());
  OffsetCommitRequest commit = outside_commit(10);
  commit.topics[0].partitions.push_back({PartitionId(1), Offset(7), kNoLeaderEpoch, std::nullopt});
  const auto ended = [&] {
    auto told = world.take_events<OffsetsEnded>();
    REQUIRE(told.size() == 1);
    CHECK(told[0].group == "g");
    return told[0];
  };
  CHECK(commit_error(world, commit) == ErrorCode::NONE);
  world.send(OffsetDeleteRequest{"g", {{"orders", {PartitionId(0), PartitionId(9)}}}});
  OffsetsEnded told = ended();
  CHECK(told.end == OffsetsEnd::deleted);
  CHECK(told.offsets == 1);
  CHECK_FALSE(told.with_group);

  world.delete_topic("orders");
  told = ended();
  CHECK(told.end == OffsetsEnd::topic_deleted);
  CHECK(told.offsets == 1);

  CHECK(commit_error(world, commit) == ErrorCode::NONE);
  world.pass_ms(80'000);
  told = ended();
  CHECK(told.end == OffsetsEnd::expired);
  CHECK(told.offsets == 2);
  CHECK(told.with_group);

  CHECK(commit_error(world, commit) == ErrorCode::NONE);
  world.send(DeleteGroupsRequest{{"g"}});
  told = ended();
  CHECK(told.end == OffsetsEnd::group_deleted);
  CHECK(told.offsets == 2);
  CHECK(told.with_group);
}

TEST_CASE("as in Kafka, a simple group without offsets is there until an expiry finds it") {
  World world(quick());
  const auto is_listed = [&] { return !world.ask<ListGroupsReply>(ListGroupsRequest()).groups.empty(); };
  CHECK(commit_error(world, outside_commit(10)) == ErrorCode::NONE);
  world.send(OffsetDeleteRequest{"g", {{"orders", {PartitionId(0)}}}});
  CHECK(is_listed());
  CHECK(world.ask<DescribeGroupsReply>(DescribeGroupsRequest{{"g"}, true, false}).groups.at(0).state ==
        "Empty");
  CHECK(commit_error(world, commit_request("m", 1)) == ErrorCode::UNKNOWN_MEMBER_ID);
  world.fail_over();  // its log says so too
  CHECK(is_listed());
  world.pass_ms(10'000);
  CHECK_FALSE(is_listed());

  CHECK(commit_error(world, outside_commit(10)) == ErrorCode::NONE);
  world.delete_topic("orders");
  CHECK(is_listed());
  CHECK(world.ask<DeleteGroupsReply>(DeleteGroupsRequest{{"g"}}).results.at(0).error == ErrorCode::NONE);
  CHECK_FALSE(is_listed());
}

TEST_CASE("groups are listed piece by piece, each once") {
  World world(quick());
  const size_t count = kMaxGroupsPerList + 10;
  for (size_t i = 0; i < count; ++i) {
    OffsetCommitRequest commit = outside_commit(1);
    commit.group = i == 0 ? "" : fmt::format("g{:05}", i);
    world.send(commit);
  }
  ListGroupsRequest request;
  const auto first = world.ask<ListGroupsReply>(request);
  CHECK(first.groups.size() == kMaxGroupsPerList);
  REQUIRE(first.next);
  request.after = first.next;
  const auto second = world.ask<ListGroupsReply>(request);
  CHECK(second.groups.size() == 10);
  CHECK_FALSE(second.next);
  CHECK(first.groups.back().group < second.groups.front().group);
  // What is filtered away is looked at too.
  request.states = {"Stable"};
  request.after.reset();
  const auto none = world.ask<ListGroupsReply>(request);
  CHECK(none.groups.empty());
  CHECK(none.next);
}

}  // namespace tidemark::coordinator::testing
