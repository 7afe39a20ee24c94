// Topics whose write.caching is another one than their folders say: a start finds them, and must not wait for
// what only comes behind it.
#include "tests/unit/node/one_broker.h"

namespace tidemark::simulation {
namespace {

void set_caching(OneBroker& world, bool caching) {
  world.options.config.properties["write.caching"] = caching ? "true" : "false";
  world.options.config.broker =
      config::resolve_broker_config({nullptr, nullptr, &world.options.config.properties});
}

}  // namespace

TEST_CASE("a start with another write.caching than before switches every log, and does not wait for it") {
  for (const size_t shards : {1, 2}) {
    for (const bool before : {false, true}) {
      INFO(shards << " shards, write.caching " << before << " before");
      OneBroker world;
      world.options.shards = shards;
      set_caching(world, before);
      world.start();
      REQUIRE(world.create_topic("tide", 4) == ErrorCode::NONE);
      for (int32_t p = 0; p < 4; ++p) REQUIRE(world.produce("tide", p, 100) == ErrorCode::NONE);
      // There and back again, before the first switch is through.
      for (const bool after : {!before, before, !before}) {
        world.crash(CrashKind::kill);
        set_caching(world, after);
        world.start();
        for (int32_t p = 0; p < 4; ++p) CHECK(world.produce("tide", p, 100) == ErrorCode::NONE);
      }
      world.time.run_until(world.time.mono() + std::chrono::seconds(5));
      for (int32_t p = 0; p < 4; ++p) CHECK(world.produce("tide", p, 100) == ErrorCode::NONE);
    }
  }
}

TEST_CASE("a log with write.caching that is to be deleted does not hold up a start") {
  for (int steps = 0; steps < 120; steps += 3) {
    INFO("killed " << steps << " events into the deletion");
    OneBroker world;
    set_caching(world, true);
    world.start();
    REQUIRE(world.create_topic("tide", 2) == ErrorCode::NONE);
    for (int32_t p = 0; p < 2; ++p) REQUIRE(world.produce("tide", p, 100) == ErrorCode::NONE);
    world.begin_delete_topic("tide");
    for (int i = 0; i < steps; ++i) world.time.step();
    world.crash(CrashKind::kill);
    set_caching(world, false);
    world.start();
    CHECK(world.create_topic("ebb", 1) == ErrorCode::NONE);
  }
}

}  // namespace tidemark::simulation
