// Fetch sessions: what a poll costs, what it tells, and in which order.
#include "broker/api/fetch_session.h"

#include <catch2/catch.hpp>

#include <numeric>

#include "tests/unit/storage/hostile_world.h"

namespace tidemark::broker {
namespace {

using replication::Partition;

// A shard with partitions of one record each, and a session's part there.
struct World : storage::HostileWorld {
  explicit World(int partitions) {
    options.journal.max_bytes = 16 << 20;
    start();
    for (int i = 0; i < partitions; ++i) {
      auto log = create("topic-" + std::to_string(i));
      const TopicIdPartition id{log->state().topic_id, PartitionId(0)};
      ids.push_back(id);
      shard.add_partition(std::make_shared<Partition>(id, "topic-" + std::to_string(i), log, loop));
      REQUIRE(run(partition(static_cast<uint64_t>(i)).lead(LeaderEpoch(1), {})));
    }
    settle();
  }
  ~World() {
    for (const auto& id : ids) shard.remove_partition(id);
    settle();
  }
  Partition& partition(uint64_t i) { return *shard.partition(ids[i]); }
  void produce(uint64_t i, int records = 1, size_t bytes = 100) {
    append(partition(i).log(), records, bytes);
    settle();
  }
  WatchChange want(uint64_t i, Offset from, int32_t max_bytes = 1 << 20) {
    WatchChange change;
    change.wish = i;
    change.rank = ++rank;
    change.read = PartitionRead{0, ids[i], from, max_bytes, LeaderEpoch(1), kNoLeaderEpoch};
    return change;
  }
  WatchChange forget(uint64_t i) {
    WatchChange change;
    change.wish = i;
    change.forget = true;
    return change;
  }
  std::vector<PartitionReadResult> poll(std::vector<WatchChange> changes = {}, int64_t enough = INT64_MAX) {
    return run(WatchedPartitions::poll(watched, shard, std::move(changes), enough, wake));
  }
  static std::vector<size_t> wishes(const std::vector<PartitionReadResult>& results) {
    std::vector<size_t> out;
    for (const auto& result : results) out.push_back(result.index);
    return out;
  }

  Shard shard{0, loop, 1};
  std::vector<TopicIdPartition> ids;
  std::shared_ptr<WatchedPartitions> watched = std::make_shared<WatchedPartitions>();
  std::shared_ptr<runtime::Job> wake;
  uint64_t rank = 0;
};

using Wishes = std::vector<size_t>;

}  // namespace

TEST_CASE("a poll looks at what changed since the last one, and at nothing else") {
  World world(50);
  std::vector<WatchChange> all;
  for (uint64_t i = 0; i < 50; ++i) all.push_back(world.want(i, Offset(0)));
  CHECK(world.poll(std::move(all)).size() == 50);
  CHECK(world.poll().empty());
  world.produce(7);
  world.produce(3);
  const auto results = world.poll();
  CHECK(World::wishes(results) == Wishes{3, 7});
  CHECK(results[0].high_watermark == Offset(1));
  CHECK(results[0].range.bytes > 0);
}

TEST_CASE("a partition stays dirty while it has data that was not taken") {
  World world(3);
  world.produce(1, 5);
  CHECK(world.poll({world.want(0, Offset(0)), world.want(1, Offset(0)), world.want(2, Offset(0))}).size() ==
        3);
  CHECK(World::wishes(world.poll()) == Wishes{1});
  CHECK(World::wishes(world.poll()) == Wishes{1});
  CHECK(world.poll({world.want(1, Offset(5))}).front().range.bytes == 0);
  CHECK(world.poll().empty());
}

TEST_CASE("the start, the epoch and the end of a partition are changes too") {
  World world(3);
  world.produce(0, 5);
  world.poll({world.want(0, Offset(5)), world.want(1, Offset(0)), world.want(2, Offset(0))});
  CHECK(world.poll().empty());

  REQUIRE(world.run(world.partition(0).log().trim(Offset(2))));
  world.settle();
  auto results = world.poll();
  REQUIRE(World::wishes(results) == Wishes{0});
  CHECK(results[0].log_start == Offset(2));

  REQUIRE(world.run(world.partition(1).lead(LeaderEpoch(2), {})));
  results = world.poll();
  REQUIRE(World::wishes(results) == Wishes{1});
  CHECK(results[0].error == ErrorCode::FENCED_LEADER_EPOCH);
  CHECK(World::wishes(world.poll()) == Wishes{1});  // an error is told until the client does something
  WatchChange newer = world.want(1, Offset(0));
  newer.read.current_leader_epoch = LeaderEpoch(2);
  CHECK(world.poll({newer}).front().error == ErrorCode::NONE);
  CHECK(world.poll().empty());

  const auto partition = world.shard.partition(world.ids[2]);
  world.shard.remove_partition(world.ids[2]);
  auto erasing = world.store->erase(partition->shared_log());
  REQUIRE(world.run(std::move(erasing)));
  world.settle();
  results = world.poll();
  REQUIRE(World::wishes(results) == Wishes{2});
  CHECK(results[0].error == ErrorCode::NOT_LEADER_OR_FOLLOWER);
}

TEST_CASE(
    "partitions are read in their order until there are enough bytes, and those that were not stay dirty") {
  World world(4);
  for (uint64_t i = 0; i < 4; ++i) world.produce(i, 1, 1000);
  std::vector<WatchChange> all;
  for (uint64_t i = 0; i < 4; ++i) all.push_back(world.want(i, Offset(0)));
  CHECK(World::wishes(world.poll(std::move(all), 1500)) == Wishes{0, 1});
  // Those go behind the others, as the session says; the client has not moved on.
  CHECK(World::wishes(world.poll({world.want(0, Offset(0)), world.want(1, Offset(0))}, 1500)) ==
        Wishes{2, 3});
  CHECK(World::wishes(world.poll({world.want(2, Offset(0)), world.want(3, Offset(0))}, 1500)) ==
        Wishes{0, 1});
}

TEST_CASE("what is forgotten says no more, and a dropped session is no longer told") {
  World world(2);
  world.poll({world.want(0, Offset(0)), world.want(1, Offset(0))});
  CHECK(world.poll({world.forget(0)}).empty());
  CHECK(world.watched->size() == 1);
  world.produce(0);
  world.produce(1);
  CHECK(World::wishes(world.poll()) == Wishes{1});
  world.watched.reset();
  world.produce(1);  // its watcher is gone
}

TEST_CASE("a parked fetch is woken once by the first change, also of a partition that was dirty") {
  World world(2);
  int woken = 0;
  world.produce(0);
  world.wake = std::make_shared<runtime::Job>([&] { ++woken; });
  world.poll({world.want(0, Offset(0)), world.want(1, Offset(0))});
  CHECK(woken == 0);
  world.produce(0);
  CHECK(woken == 1);
  world.produce(1);
  CHECK(woken == 1);
  world.wake = std::make_shared<runtime::Job>([&] { ++woken; });
  world.poll();
  world.wake.reset();  // the fetch has ended
  world.produce(1);
  CHECK(woken == 1);
}

namespace {

protocol::FetchRequest request(const std::vector<int32_t>& partitions, int64_t offset = 0) {
  protocol::FetchRequest request;
  protocol::FetchRequest::FetchTopic topic;
  topic.topic = "t";
  for (const int32_t p : partitions) {
    protocol::FetchRequest::FetchPartition partition;
    partition.partition = p;
    partition.fetch_offset = offset;
    topic.partitions.push_back(partition);
  }
  request.topics.push_back(topic);
  return request;
}

}  // namespace

TEST_CASE("a session tells its shards what the client changed, and what had data goes behind the others") {
  runtime::SeededRandom random(1);
  FetchSessions sessions(0, 2, 10, std::make_shared<runtime::ByteBudget>(1 << 20), random);
  const auto session = sessions.create(request({0, 1, 2}), false, runtime::MonoTime{});
  REQUIRE(session);
  const auto unplaced = session->take_unplaced();
  REQUIRE(unplaced.size() == 3);
  session->place(session->wish(unplaced[0]), 0, {});
  session->place(session->wish(unplaced[1]), 1, {});
  session->unplace(session->wish(unplaced[2]));
  CHECK(session->take_unplaced() == std::vector{unplaced[2]});
  CHECK(session->take_changes(session->parts()[0]).size() == 1);
  CHECK(session->take_changes(session->parts()[1]).size() == 1);
  CHECK(session->take_changes(session->parts()[1]).empty());

  CHECK(session->update(request({1}, 17)));
  session->move_to_end(session->wish(unplaced[1]));  // once, whatever happened to it
  const auto changes = session->take_changes(session->parts()[1]);
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].read.fetch_offset == Offset(17));
  CHECK(changes[0].rank > session->wish(unplaced[2]).rank);
  CHECK(session->take_changes(session->parts()[0]).empty());

  auto forgetting = request({0});
  protocol::FetchRequest::ForgottenTopic forgotten;
  forgotten.topic = "t";
  forgotten.partitions = {0};
  forgetting.forgotten_topics_data.push_back(forgotten);
  CHECK(session->update(forgetting));
  const auto last = session->take_changes(session->parts()[0]);
  REQUIRE(last.size() == 1);  // what was touched and then forgotten is only forgotten
  CHECK(last[0].forget);
  CHECK(session->size() == 2);
}

TEST_CASE("sessions have no more than their memory, and idle ones give theirs to new ones") {
  runtime::SeededRandom random(1);
  const auto memory = std::make_shared<runtime::ByteBudget>(48 << 10);
  FetchSessions sessions(0, 2, 10, memory, random);
  std::vector<int32_t> many(60);
  std::iota(many.begin(), many.end(), 0);
  const runtime::MonoTime start{};
  auto first = sessions.create(request(many), false, start);
  REQUIRE(first);
  const uint64_t one = memory->used();
  CHECK(one > 60 * sizeof(FetchWish));
  CHECK(one < memory->limit());
  CHECK_FALSE(sessions.create(request(many), false, start));  // and nothing is kept of the attempt
  CHECK(sessions.size() == 1);
  CHECK(memory->used() == one);

  // What it adds to itself counts too, and what it forgets does no more.
  std::vector<int32_t> more(60);
  std::iota(more.begin(), more.end(), 60);
  CHECK(first->update(request({0, 1}, 5)));
  CHECK(memory->used() == one);
  CHECK_FALSE(first->update(request(more)));
  sessions.erase(first->id());
  first.reset();
  CHECK(memory->used() == 0);

  first = sessions.create(request(many), false, start);
  REQUIRE(first);
  protocol::FetchRequest forgetting;
  protocol::FetchRequest::ForgottenTopic forgotten;
  forgotten.topic = "t";
  forgotten.partitions = {3, 4, 5};
  forgetting.forgotten_topics_data.push_back(forgotten);
  CHECK(first->update(forgetting));
  CHECK(memory->used() == one / 60 * 57);
  first.reset();

  REQUIRE(sessions.create(request(many), false, start + std::chrono::minutes(3)));
  CHECK(sessions.size() == 1);
  CHECK(sessions.evictions() == 1);
  CHECK(memory->used() == one);
}

}  // namespace tidemark::broker
