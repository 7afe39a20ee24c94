// Readiness depends on the age of the journals (durability.md, rule 15).
#include "tests/unit/node/one_broker.h"

namespace tidemark::simulation {

namespace {

size_t lines(const OneBroker& world, std::string_view what) {
  return static_cast<size_t>(std::count_if(world.log.begin(), world.log.end(), [what](const auto& line) {
    return line.find(what) != std::string::npos;
  }));
}

void wait(OneBroker& world, runtime::Duration time) { world.time.run_until(world.time.mono() + time); }
std::string stalled(OneBroker& world) { return world.broker->node().stalled(world.time.mono()); }

}  // namespace

TEST_CASE("a node whose journal is stalled says so once, is not ready, and is ready again when it is over") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 1) == ErrorCode::NONE);
  REQUIRE(world.produce("tide", 0, 10) == ErrorCode::NONE);
  wait(world, std::chrono::seconds(10));
  CHECK(stalled(world).empty());
  world.disk.faults.slowness = OneBroker::kHangs;
  CHECK(world.produce("tide", 0, 10) == ErrorCode::REQUEST_TIMED_OUT);
  world.disk.heal();
  wait(world, std::chrono::seconds(2));
  CHECK(stalled(world).starts_with("journal 0 has been stalled for "));
  CHECK(lines(world, "not ready journal=0") == 1);
  CHECK(lines(world, "journal=0 seconds=5 waits_for=\"a sync\"") == 1);
  CHECK(lines(world, "the journal goes on journal=0") == 0);
  wait(world, std::chrono::seconds(400));
  CHECK(world.produce("tide", 0, 10) == ErrorCode::NONE);
  wait(world, std::chrono::seconds(2));
  CHECK(stalled(world).empty());
  CHECK(lines(world, "not ready journal=0") == 1);
  CHECK(lines(world, "the journal goes on journal=0") == 1);
}

TEST_CASE("a write of a segment that hangs is a stall too: it holds up what comes to the journal") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 1) == ErrorCode::NONE);
  wait(world, std::chrono::seconds(10));
  world.disk.faults.slowness = OneBroker::kHangs;
  // Its disk space is to be reserved first.
  CHECK(world.produce("tide", 0, 10) == ErrorCode::REQUEST_TIMED_OUT);
  wait(world, std::chrono::seconds(2));
  CHECK(stalled(world).starts_with("journal 0 has been stalled for "));
  CHECK(lines(world, "journal=0 seconds=5 waits_for=\"a segment's write\"") == 1);
}

TEST_CASE("the metadata log's journal is watched too") {
  OneBroker world;
  world.start();
  wait(world, std::chrono::seconds(10));
  world.disk.faults.slowness = OneBroker::kHangs;
  world.begin_create_topic("tide");
  wait(world, std::chrono::seconds(7));
  CHECK(lines(world, "this node is not ready journal=metadata") == 1);
}

TEST_CASE("a disk that is slow all the time is one stall, not one for each sync") {
  broker::JournalWatch watch;
  using std::chrono::seconds;
  runtime::MonoTime now(seconds(100));
  const auto look = [&](seconds age) { return watch.look(age, now += seconds(1)); };
  CHECK(!look(seconds(5)));
  CHECK(watch.stalled_since() == runtime::kNever);
  CHECK(look(seconds(6)));
  CHECK(now - watch.stalled_since() == seconds(6));
  for (const int age : {7, 8, 4, 5, 6, 7, 8, 0, 0, 1, 2, 3, 4, 5, 6}) CHECK(!look(seconds(age)));
  for (const int age : {2, 1, 0, 2}) CHECK(!look(seconds(age)));
  CHECK(look(seconds(0)));
  CHECK(watch.stalled_since() == runtime::kNever);
}

}  // namespace tidemark::simulation
