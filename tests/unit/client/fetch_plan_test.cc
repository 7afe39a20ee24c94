// FetchPlan alone: whom to ask for what, and what a new leader epoch makes of a position (KIP-320).
#include <catch2/catch.hpp>

#include "client/core/fetch_plan.h"
#include "protocol/batch/builder.h"

using namespace tidemark;
using namespace tidemark::client;

namespace {

const TopicPartition kPartition{"tide", PartitionId(0)};
constexpr runtime::MonoTime kNow{};

// `count` records from `base` on, written under `epoch`.
FetchedBytes fetched(int64_t base, int count, int32_t epoch = 0) {
  protocol::BatchBuilder builder({.base_offset = Offset(base)});
  for (int i = 0; i < count; ++i) builder.add(base + i, std::nullopt, std::nullopt);
  auto built = builder.build();
  REQUIRE(built);
  protocol::set_leader_epoch(*built, LeaderEpoch(epoch));
  FetchedBytes out;
  out.partition = kPartition;
  out.frame = std::make_shared<const std::vector<std::byte>>(std::move(*built));
  out.records = *out.frame;
  out.wanted = Offset(base);
  return out;
}

FetchPosition at(int64_t offset, int32_t epoch) { return {Offset(offset), LeaderEpoch(epoch)}; }

struct Plan : FetchPlan {
  explicit Plan(const ConsumerOptions& options = {}) : FetchPlan(options) {}

  PartitionLeader leader{BrokerId(1), LeaderEpoch(0)};
  std::set<BrokerId> busy;

  // Everything that is asked now; `leaders_changed`, so that no change goes unseen.
  Due ask(bool leaders_changed = true) {
    return due([this](const TopicPartition&) { return leader; }, leaders_changed, kNow, busy);
  }
  FetchTarget fetch() {
    Due asked = ask();
    REQUIRE(asked.comparisons.empty());
    REQUIRE(asked.fetches[leader.broker].size() == 1);
    return asked.fetches[leader.broker][0];
  }
  FetchTarget compare() {
    Due asked = ask();
    REQUIRE(asked.fetches.empty());
    REQUIRE(asked.comparisons[leader.broker].size() == 1);
    return asked.comparisons[leader.broker][0];
  }
  bool asks_nothing() {
    const Due asked = ask();
    return asked.fetches.empty() && asked.comparisons.empty();
  }
  // Reads `count` records written under `epoch`.
  void read(int64_t base, int count, int32_t epoch) {
    REQUIRE(take_records(fetch(), fetched(base, count, epoch)));
    REQUIRE(pop().has_value());
  }
};

}  // namespace

TEST_CASE("each leader is asked for what is not buffered, and stale answers change nothing") {
  ConsumerOptions options;
  options.max_buffered_fetches = 1;
  Plan plan(options);
  plan.assign(kPartition, {Offset(0)});
  const FetchTarget first = plan.fetch();
  CHECK(plan.asks_nothing());  // it is being asked
  CHECK(plan.take_records(first, fetched(0, 5)));
  CHECK(plan.asks_nothing());  // and now it has enough
  CHECK(plan.pop().has_value());
  const FetchTarget second = plan.fetch();
  CHECK(second.position == at(5, 0));
  plan.assign(kPartition, {Offset(100)});
  CHECK_FALSE(plan.take_records(second, fetched(5, 5)));
  CHECK_FALSE(plan.pop().has_value());
  plan.busy = {BrokerId(1)};
  CHECK(plan.asks_nothing());
  plan.busy.clear();
  CHECK(plan.fetch().position.offset == Offset(100));
}

TEST_CASE("under a new leader epoch the position is compared before it is read on") {
  Plan plan;
  plan.assign(kPartition, {Offset(0)});
  plan.read(0, 5, 0);
  plan.leader = {BrokerId(2), LeaderEpoch(3)};
  plan.busy = {BrokerId(2)};  // with a fetch, which does not stand in the way
  const FetchTarget target = plan.compare();
  CHECK(target.position == at(5, 0));
  CHECK(target.leader_epoch == LeaderEpoch(3));
  CHECK(plan.asks_nothing());
  plan.busy.clear();
  CHECK_FALSE(plan.take_end(target, at(5, 0)));
  const FetchTarget next = plan.fetch();
  CHECK(next.position == at(5, 0));
  CHECK(next.leader_epoch == LeaderEpoch(3));
}

TEST_CASE("a comparison that failed is made again") {
  Plan plan;
  plan.assign(kPartition, {Offset(0)});
  plan.read(0, 5, 0);
  plan.leader.epoch = LeaderEpoch(1);
  plan.retry(plan.compare(), kNow);
  CHECK(plan.compare().position == at(5, 0));
}

TEST_CASE("an end below the position is a truncation, as is an epoch that the leader does not know") {
  for (const auto& [end, diverged] : {std::pair{at(3, 0), std::optional(at(3, 0))},
                                      {at(4, 1), std::optional(at(4, 1))},
                                      {at(-1, -1), std::optional<FetchPosition>()}}) {
    Plan plan;
    plan.assign(kPartition, {Offset(0)});
    plan.read(0, 5, 2);
    plan.leader.epoch = LeaderEpoch(3);
    const FetchTarget target = plan.compare();
    const auto truncation = plan.take_end(target, end);
    REQUIRE(truncation);
    CHECK(truncation->position == at(5, 2));
    CHECK(truncation->diverged == diverged);
    CHECK(plan.compare().position == at(5, 2));  // until somebody says where to go on
    plan.place(target, at(3, 0));
    CHECK(plan.fetch().position == at(3, 0));
  }
}

TEST_CASE("an older epoch that ends behind the position is none: compaction may have removed the newer") {
  Plan plan;
  plan.assign(kPartition, {Offset(0)});
  plan.read(0, 5, 2);
  plan.leader.epoch = LeaderEpoch(3);
  CHECK_FALSE(plan.take_end(plan.compare(), at(9, 1)));
  CHECK(plan.fetch().position == at(5, 2));
}

TEST_CASE("what was fetched of the old leader and not read is fetched again of the new one") {
  Plan plan;
  plan.assign(kPartition, {Offset(0)});
  plan.read(0, 5, 0);
  REQUIRE(plan.take_records(plan.fetch(), fetched(5, 5, 1)));
  const FetchTarget under_way = plan.fetch();
  CHECK(under_way.position == at(10, 1));
  plan.leader = {BrokerId(2), LeaderEpoch(2)};
  const FetchTarget target = plan.compare();
  CHECK(target.position == at(5, 0));
  CHECK_FALSE(plan.pop().has_value());
  CHECK_FALSE(plan.take_records(under_way, fetched(10, 5, 1)));  // too late
  CHECK_FALSE(plan.take_end(target, at(5, 0)));
  CHECK(plan.fetch().position == at(5, 0));
}

TEST_CASE("the same leader under the same epoch takes nothing back") {
  Plan plan;
  plan.assign(kPartition, {Offset(0)});
  REQUIRE(plan.take_records(plan.fetch(), fetched(0, 5)));
  plan.leader.broker = kNoBroker;  // denied
  CHECK(plan.ask().leaderless.size() == 1);
  plan.leader.broker = BrokerId(1);
  CHECK(plan.fetch().position == at(5, 0));
  CHECK(plan.pop().has_value());
}

TEST_CASE("without an epoch there is nothing to compare") {
  Plan plan;
  plan.assign(kPartition, {Offset(7)});
  plan.leader.epoch = LeaderEpoch(4);
  CHECK(plan.fetch().position.offset == Offset(7));
  // Nor with a broker that tells none, or cannot be asked.
  Plan old;
  old.assign(kPartition, at(7, 4));
  old.leader.epoch = kNoLeaderEpoch;
  CHECK(old.fetch().position == at(7, 4));
  Plan deaf;
  deaf.assign(kPartition, at(7, 4));
  CHECK_FALSE(deaf.take_end(deaf.compare(), std::nullopt));
  CHECK(deaf.fetch().position == at(7, 4));
}

TEST_CASE("a position whose place is being looked up is left alone by new leaders") {
  Plan plan;
  plan.assign(kPartition, {Offset(0)});
  plan.read(0, 5, 0);
  const FetchTarget target = plan.fetch();
  plan.seek(target);
  plan.leader.epoch = LeaderEpoch(1);
  CHECK(plan.asks_nothing());
  plan.place(target, {Offset(2)});
  CHECK(plan.fetch().position.offset == Offset(2));
}

TEST_CASE("a leader that nobody said may have changed is not asked about for buffered partitions") {
  ConsumerOptions options;
  options.max_buffered_fetches = 1;
  Plan plan(options);
  plan.assign(kPartition, {Offset(0)});
  REQUIRE(plan.take_records(plan.fetch(), fetched(0, 5)));
  plan.leader.epoch = LeaderEpoch(1);
  (void)plan.ask(false);
  CHECK(plan.pop().has_value());
}
