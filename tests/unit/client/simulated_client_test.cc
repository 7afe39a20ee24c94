// Producer and Consumer, shells included, on the simulated network under virtual time.
#include <catch2/catch.hpp>

#include "client/core/admin.h"
#include "client/core/consumer.h"
#include "client/core/producer.h"
#include "tests/unit/client/fake_broker.h"

using namespace tidemark;
using namespace tidemark::client;
using namespace tidemark::client::testing;
using namespace std::chrono_literals;
using runtime::Task;

namespace {

ClusterOptions cluster_options() {
  ClusterOptions options;
  options.bootstrap = {{"nobody", 1}, {"broker", 9092}};
  options.connection.request_timeout_ms = 5'000;
  options.connection.connect_timeout_ms = 2'000;
  return options;
}

struct World {
  explicit World(uint64_t seed, int32_t partitions = 1, const ClusterOptions& options = cluster_options())
      : time(seed),
        network(time, seed, counters),
        broker_loop(time),
        client_loop(time),
        broker(network, broker_loop, partitions),
        random(seed),
        connector(network.connector("client", client_loop)),
        cluster(client_loop, *connector, random, options) {}

  // Runs the world until the task has ended, for ten virtual minutes at most.
  template <class T>
  T run(Task<T> task) {
    std::optional<T> value;
    runtime::TaskScope scope;
    auto body = [](Task<T> t, std::optional<T>& out) -> Task<void> { out.emplace(co_await t); };
    scope.spawn(body(std::move(task), value));
    const runtime::MonoTime end = time.mono() + 600s;
    while (!value && time.mono() < end && time.step()) {
    }
    REQUIRE(value);
    return std::move(*value);
  }

  void pass(runtime::Duration duration) { time.run_until(time.mono() + duration); }

  simulation::VirtualTime time;
  simulation::FaultCounters counters;
  simulation::SimNetwork network;
  simulation::VirtualScheduler broker_loop;
  simulation::VirtualScheduler client_loop;
  FakeBroker broker;
  runtime::SeededRandom random;
  std::unique_ptr<runtime::Connector> connector;
  Cluster cluster;
};

struct Report {
  uint64_t delivered = 0;
  uint64_t failed = 0;
  uint64_t unsure = 0;
};

Task<Report> produce(World& world, int count, ProducerOptions options) {
  Report report;
  Producer producer(world.cluster, options, [&](const Delivery& delivery) {
    uint64_t& counter = delivery.base_offset                                ? report.delivered
                        : delivery.base_offset.error().possibly_persisted() ? report.unsure
                                                                            : report.failed;
    counter += delivery.records.size();
  });
  for (int i = 0; i < count; ++i) {
    const std::string value = std::to_string(i);
    OutgoingRecord record;
    record.topic = "tide";
    record.partition = PartitionId(0);
    record.value = std::as_bytes(std::span(value));
    Task<Result<RecordNumber>> sending = producer.send(record);
    const Result<RecordNumber> sent = co_await sending;
    if (!sent) ++report.failed;
    if (i % 10 == 9) {
      Task<void> pause = runtime::sleep_for(world.client_loop, 5ms);
      co_await pause;
    }
  }
  Task<void> flushing = producer.flush();
  co_await flushing;
  co_return report;
}

Task<std::vector<std::string>> consume(World& world, Offset from, size_t count,
                                       ConsumerOptions options = {}) {
  Consumer consumer(world.cluster, options);
  consumer.assign({"tide", PartitionId(0)}, from);
  std::vector<std::string> values;
  while (values.size() < count) {
    auto polling = consumer.poll(runtime::kNever);
    auto polled = co_await polling;
    if (!polled) {
      values.push_back(std::string(error_name(polled.error().code())));
      co_return values;
    }
    for (auto record = (*polled)->next(); record && *record; record = (*polled)->next())
      values.emplace_back(reinterpret_cast<const char*>((*record)->value->data()), (*record)->value->size());
  }
  co_return values;
}

void check_all_in_order(const World& world, int count) {
  const auto records = world.broker.records(0);
  REQUIRE(records.size() == static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) REQUIRE(records[static_cast<size_t>(i)].value == std::to_string(i));
}

}  // namespace

TEST_CASE("what is produced is read back, over a bootstrap address that nobody answers at") {
  World world(1);
  const Report report = world.run(produce(world, 100, {}));
  CHECK(report.delivered == 100);
  check_all_in_order(world, 100);
  const auto values = world.run(consume(world, Offset(40), 60));
  REQUIRE(values.size() == 60);
  CHECK(values.front() == "40");
  CHECK(values.back() == "99");
  CHECK(world.broker.versions[0] == 13);
  CHECK(world.broker.versions[1] == 17);
  CHECK(world.broker.requests[22] == 1);
}

TEST_CASE("a broker with an old ApiVersions is spoken to all the same") {
  World world(2);
  world.broker.newest_api_versions = 0;
  CHECK(world.run(produce(world, 5, {})).delivered == 5);
  CHECK(world.broker.requests[18] >= 2);
  CHECK(world.broker.versions[18] == 0);
}

TEST_CASE("a consumer tells how long each fetch took that brought records") {
  World world(33);
  CHECK(world.run(produce(world, 20, {})).delivered == 20);
  std::vector<FetchTiming> fetches;
  Consumer consumer(world.cluster, {}, {}, [&](const FetchTiming& fetch) { fetches.push_back(fetch); });
  consumer.assign({"tide", PartitionId(0)}, Offset(0));
  CHECK(world.run(consumer.poll(runtime::kNever)).value() != nullptr);
  REQUIRE(fetches.size() == 1);
  CHECK(fetches[0].leader == BrokerId(1));
  CHECK(fetches[0].record_bytes > 20);
  CHECK(fetches[0].took >= 2 * world.network.faults.least_delay);
  CHECK(fetches[0].took < 100ms);
  // At the end of the log fetches go on, and bring nothing.
  const int asked = world.broker.requests[1];
  CHECK(world.run(consumer.poll(world.time.mono() + 5s)).value() == nullptr);
  CHECK(world.broker.requests[1] > asked);
  CHECK(fetches.size() == 1);
}

TEST_CASE("a leader that denies it is asked for again") {
  World world(3);
  world.broker.answers_not_leader = 3;
  CHECK(world.run(produce(world, 50, {})).delivered == 50);
  check_all_in_order(world, 50);
  CHECK(world.broker.requests[3] >= 2);
}

TEST_CASE("metadata is asked for again when it is as old as metadata.max.age.ms") {
  World world(31);
  CHECK(world.run(produce(world, 1, {})).delivered == 1);
  const int asked = world.broker.requests[3];
  world.broker.add_partition();
  world.pass(299s);
  CHECK(world.broker.requests[3] == asked);
  CHECK(world.cluster.metadata().find_topic("tide")->partitions.size() == 1);
  world.pass(2s);
  CHECK(world.broker.requests[3] == asked + 1);
  CHECK_FALSE(world.broker.last_metadata_may_create);
  CHECK(world.cluster.metadata().find_topic("tide")->partitions.size() == 2);

  // One that fails is tried again soon, not an age later.
  world.broker.add_partition();
  world.network.faults.resets = 1;
  world.pass(305s);
  CHECK(world.cluster.metadata().find_topic("tide")->partitions.size() == 2);
  world.network.faults.resets = 0;
  world.pass(10s);
  CHECK(world.cluster.metadata().find_topic("tide")->partitions.size() == 3);
}

TEST_CASE("metadata that may have no age at all is asked for no faster than the back-off") {
  ClusterOptions options = cluster_options();
  options.metadata_max_age_ms = 0;
  World world(32, 1, options);
  CHECK(world.run(produce(world, 1, {})).delivered == 1);
  const int asked = world.broker.requests[3];
  world.pass(10s);
  CHECK(world.broker.requests[3] - asked > 20);
  CHECK(world.broker.requests[3] - asked <= 100);
}

TEST_CASE("an answer that is lost makes no duplicate of an idempotent producer's record") {
  World world(4);
  world.broker.drops_answers = 4;
  CHECK(world.run(produce(world, 100, {})).delivered == 100);
  check_all_in_order(world, 100);
}

TEST_CASE("connections that break at every turn lose nothing and repeat nothing") {
  int connections = 0;
  for (uint64_t seed = 10; seed < 30; ++seed) {
    World world(seed);
    world.network.faults.resets = 0.06;
    world.network.faults.silences = 0.01;
    world.network.faults.stalls = 0.01;
    const Report report = world.run(produce(world, 300, {}));
    INFO("seed " << seed);
    CHECK(report.delivered == 300);
    check_all_in_order(world, 300);
    world.network.faults.resets = 0;
    world.network.faults.silences = 0;
    CHECK(world.run(consume(world, Offset(0), 300)).size() == 300);
    connections += world.broker.requests[18];
  }
  CHECK(connections > 40);  // one a seed would mean that nothing broke
}

TEST_CASE("without acknowledgements everything that was written counts as delivered") {
  World world(5);
  ProducerOptions options;
  options.acks = Acks::none;
  // The fake broker answers produce requests whatever they ask: an answer that nobody waits for ends the
  // connection, as it would at a real client.
  CHECK(world.run(produce(world, 5, options)).delivered == 5);
  CHECK(world.broker.requests[22] == 0);
}

TEST_CASE("an offset beyond the end is an error that names it") {
  World world(6);
  CHECK(world.run(produce(world, 3, {})).delivered == 3);
  const auto values = world.run(consume(world, Offset(99), 1));
  CHECK(values == std::vector<std::string>{"OFFSET_OUT_OF_RANGE"});
}

TEST_CASE("an offset that is not in the log any more is followed by the policy's") {
  for (const auto& [policy, expected] :
       {std::pair{OffsetReset::earliest, std::vector<std::string>{"20", "21"}},
        {OffsetReset::latest, std::vector<std::string>{}},
        {OffsetReset::none, std::vector<std::string>{"OFFSET_OUT_OF_RANGE"}}}) {
    World world(7);
    CHECK(world.run(produce(world, 22, {})).delivered == 22);
    world.broker.trim(0, 20);
    ConsumerOptions options;
    options.offset_reset = policy;
    if (policy != OffsetReset::latest) {
      CHECK(world.run(consume(world, Offset(3), expected.size(), options)) == expected);
      continue;
    }
    // From the end: only what comes now.
    auto late = [](World& w, ConsumerOptions o) -> Task<std::string> {
      Consumer consumer(w.cluster, o);
      consumer.assign({"tide", PartitionId(0)}, Offset(3));
      auto first = consumer.poll(w.time.mono() + 2s);
      const auto nothing = co_await first;
      if (!nothing || *nothing) co_return "something was there";
      auto producing = produce(w, 1, {});
      (void)co_await producing;
      auto second = consumer.poll(runtime::kNever);
      auto polled = co_await second;
      if (!polled) co_return std::string(error_name(polled.error().code()));
      const auto record = (*polled)->next();
      co_return fmt::format("offset {}", (*record)->offset.value);
    };
    CHECK(world.run(late(world, options)) == "offset 22");
  }
}

TEST_CASE("a partition is read from a time on, and from the end where no record is that young") {
  World world(8);
  CHECK(world.run(produce(world, 10, {})).delivered == 10);
  world.broker.trim(0, 4);
  auto reading = [](World& w, int64_t time) -> Task<std::string> {
    Consumer consumer(w.cluster, {});
    consumer.assign_at({"tide", PartitionId(0)}, time);
    auto polling = consumer.poll(w.time.mono() + 2s);
    auto polled = co_await polling;
    if (!polled) co_return std::string(error_name(polled.error().code()));
    if (!*polled) co_return "nothing";
    const auto record = (*polled)->next();
    co_return fmt::format("offset {}", (*record)->offset.value);
  };
  CHECK(world.run(reading(world, kEarliest)) == "offset 4");
  CHECK(world.run(reading(world, kLatest)) == "nothing");
  CHECK(world.run(reading(world, 4'000'000'000'000)) == "nothing");
}

namespace {

// Reads partition 0 of three up to `count` records while it is being written; what is idle stays idle.
Task<std::vector<std::string>> follow(World& world, size_t count, int forget_every) {
  Consumer consumer(world.cluster, {});
  for (int32_t p = 0; p < 3; ++p) consumer.assign({"tide", PartitionId(p)}, Offset(0));
  std::vector<std::string> values;
  for (int round = 0; values.size() < count; ++round) {
    auto producing = produce(world, 1, {});
    (void)co_await producing;
    if (forget_every > 0 && round % forget_every == 0) world.broker.forget_sessions();
    auto polling = consumer.poll(runtime::kNever);
    auto polled = co_await polling;
    if (!polled) {
      values.push_back(std::string(error_name(polled.error().code())));
      co_return values;
    }
    for (auto record = (*polled)->next(); record && *record; record = (*polled)->next())
      values.push_back(std::to_string((*record)->offset.value));
  }
  co_return values;
}

std::vector<std::string> numbers_below(int count) {
  std::vector<std::string> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

}  // namespace

TEST_CASE("a fetch names only what changed, as long as the broker remembers the rest") {
  for (const int forget_every : {0, 3}) {
    World world(9, 3);
    CHECK(world.run(follow(world, 20, forget_every)) == numbers_below(20));
    const auto& fetched = world.broker.fetched;
    REQUIRE(fetched.size() > 20);
    CHECK(fetched.front() == 3);
    const auto whole = std::count(fetched.begin() + 1, fetched.end(), size_t{3});
    if (forget_every == 0) {
      CHECK(whole == 0);
    } else {
      CHECK(whole >= 2);
    }
  }
  World world(10, 3);
  world.broker.keeps_sessions = false;
  CHECK(world.run(follow(world, 20, 0)) == numbers_below(20));
  CHECK(std::count(world.broker.fetched.begin(), world.broker.fetched.end(), size_t{3}) > 10);
}

TEST_CASE("a fetch refused for want of leadership goes on after newer metadata") {
  World world(11, 3);
  world.broker.refuses_fetches = 3;
  const int asked = world.broker.requests[3];
  CHECK(world.run(follow(world, 5, 0)) == numbers_below(5));
  CHECK(world.broker.requests[3] > asked + 1);
}

namespace {

struct Following {
  std::vector<std::string> read;  // values, and errors by name
  std::vector<LogTruncation> truncations;
};

// Reads the 20 records that are there, lets the broker begin an epoch at `end`, writes three more and reads
// on, until `then` more have come.
Task<Following> follow_through_epoch(World& world, ConsumerOptions options, int64_t end, size_t then) {
  Following seen;
  Consumer consumer(world.cluster, options,
                    [&](const LogTruncation& truncation) { seen.truncations.push_back(truncation); });
  consumer.assign({"tide", PartitionId(0)}, Offset(0));
  while (seen.read.size() < 20 + then) {
    auto polling = consumer.poll(runtime::kNever);
    auto polled = co_await polling;
    if (!polled) {
      seen.read.emplace_back(error_name(polled.error().code()));
      continue;
    }
    for (auto record = (*polled)->next(); record && *record; record = (*polled)->next())
      seen.read.emplace_back(reinterpret_cast<const char*>((*record)->value->data()),
                             (*record)->value->size());
    if (seen.read.size() != 20) continue;
    world.broker.begin_epoch(0, end);
    auto producing = produce(world, 3, {});
    (void)co_await producing;
  }
  co_return seen;
}

std::vector<std::string> read_then(std::initializer_list<const char*> more) {
  std::vector<std::string> all = numbers_below(20);
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

Report produce_ones(World& world, int count) {
  ProducerOptions options;
  options.batch_bytes = 1;  // a batch a record, so that the log can be cut anywhere
  return world.run(produce(world, count, options));
}

}  // namespace

TEST_CASE("a new leader epoch that cut nothing off is read on without a word") {
  World world(20);
  REQUIRE(produce_ones(world, 20).delivered == 20);
  const Following seen = world.run(follow_through_epoch(world, {}, INT64_MAX, 3));
  CHECK(seen.read == read_then({"0", "1", "2"}));
  CHECK(seen.truncations.empty());
  CHECK(world.broker.requests[23] == 1);
  CHECK(world.broker.versions[23] == 4);
}

TEST_CASE("a truncated log is read on from where it diverged, if the policy says so") {
  World world(21);
  REQUIRE(produce_ones(world, 20).delivered == 20);
  ConsumerOptions options;
  options.offset_reset = OffsetReset::latest;
  const Following seen = world.run(follow_through_epoch(world, options, 15, 3));
  CHECK(seen.read == read_then({"0", "1", "2"}));
  REQUIRE(seen.truncations.size() == 1);
  CHECK(seen.truncations[0].position == FetchPosition{Offset(20), LeaderEpoch(0)});
  CHECK(seen.truncations[0].diverged == FetchPosition{Offset(15), LeaderEpoch(0)});
}

TEST_CASE("without a policy a truncated log is an error until the reader says where to go on") {
  World world(22);
  REQUIRE(produce_ones(world, 20).delivered == 20);
  const Following seen = world.run(follow_through_epoch(world, {}, 15, 2));
  CHECK(seen.read == read_then({"OFFSET_OUT_OF_RANGE", "OFFSET_OUT_OF_RANGE"}));
  CHECK(seen.truncations.size() == 2);
}

TEST_CASE("a truncation that newer records have grown over is noticed all the same") {
  for (const bool compares : {true, false}) {
    World world(23);
    world.broker.newest_epoch_ends = compares ? 4 : -1;
    REQUIRE(produce_ones(world, 20).delivered == 20);
    ConsumerOptions options;
    options.offset_reset = OffsetReset::earliest;
    // 18 and three more: the position, 20, is in the log again, with another record before it.
    const Following seen = world.run(follow_through_epoch(world, options, 18, compares ? 3 : 1));
    CHECK(seen.read == (compares ? read_then({"0", "1", "2"}) : read_then({"2"})));
    CHECK(seen.truncations.size() == (compares ? 1 : 0));
  }
}

TEST_CASE("a position of an earlier time is compared when it is assigned with its epoch") {
  World world(24);
  REQUIRE(produce_ones(world, 5).delivered == 5);
  auto reading = [](World& w, LeaderEpoch epoch) -> Task<std::string> {
    Consumer consumer(w.cluster, {});
    consumer.assign({"tide", PartitionId(0)}, Offset(3), epoch);
    auto polling = consumer.poll(runtime::kNever);
    auto polled = co_await polling;
    if (!polled) co_return std::string(polled.error().message());
    const auto record = (*polled)->next();
    co_return fmt::format("offset {} of epoch {}", (*record)->offset.value, (*polled)->leader_epoch().value);
  };
  CHECK(world.run(reading(world, LeaderEpoch(0))) == "offset 3 of epoch 0");
  CHECK_THAT(world.run(reading(world, LeaderEpoch(1))), Catch::Contains("the log was truncated"));
}

TEST_CASE("leader epochs that broker and client do not share yet are settled by newer metadata") {
  World world(25);
  REQUIRE(produce_ones(world, 20).delivered == 20);
  world.broker.unknown_epochs = 2;
  CHECK(world.run(consume(world, Offset(0), 20)) == numbers_below(20));
  const int asked = world.broker.requests[3];
  world.broker.begin_epoch(0);  // what the client knows is fenced now
  CHECK(world.run(consume(world, Offset(0), 20)) == numbers_below(20));
  CHECK(world.broker.requests[3] > asked);
  // ListOffsets says its epoch too.
  world.broker.begin_epoch(0);
  world.broker.unknown_epochs = 1;
  auto looking = [](World& w) -> Task<int64_t> {
    Admin admin(w.cluster);
    auto asking = admin.list_offsets({{{"tide", PartitionId(0)}, kLatest}}, Isolation::read_uncommitted);
    const auto answer = co_await asking;
    co_return answer ? answer->begin()->second->offset.value : -1;
  };
  CHECK(world.run(looking(world)) == 20);
  CHECK(world.broker.requests[2] == 2);
}

TEST_CASE(
    "a consumer that closes ends its session, and waits for a silent broker no longer than it is told") {
  for (const bool silent : {false, true}) {
    World world(26);
    REQUIRE(produce_ones(world, 5).delivered == 5);
    auto closing = [](World& w, bool falls_silent) -> Task<runtime::MonoTime::duration> {
      Consumer consumer(w.cluster, {});
      consumer.assign({"tide", PartitionId(0)}, Offset(0));
      auto polling = consumer.poll(runtime::kNever);
      (void)co_await polling;
      CHECK(w.broker.open_sessions() == 1);
      w.network.faults.silences = falls_silent ? 1 : 0;
      const runtime::MonoTime began = w.time.mono();
      auto ending = consumer.close(began + 1s);
      co_await ending;
      co_return w.time.mono() - began;
    };
    const auto took = world.run(closing(world, silent));
    CHECK(took < 1500ms);
    CHECK(world.broker.open_sessions() == (silent ? 1 : 0));
  }
}
