// Switches of write.caching: one history of a log ends before the other begins.
#include "tests/unit/storage/hostile_world.h"

namespace tidemark::storage {

TEST_CASE("a full disk puts a switch of write.caching off, and takes nothing offline") {
  const bool before = GENERATE(false, true);
  const bool restarts = GENERATE(false, true);
  INFO("write.caching " << before << " before, " << (restarts ? "killed meanwhile" : "in one life"));
  HostileWorld world;
  world.settings.write_caching = before;
  world.start();
  world.finish_replay();
  auto log = world.create("tide-0");
  world.append(*log, 1, 100);
  world.settle();

  world.files.no_room_for_write = [](const std::string& path) { return path.ends_with("partition.state"); };
  world.settings.write_caching = !before;
  world.settings.retention_ms = 12'345;
  const auto refused = world.run(log->change_settings(world.settings));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind() == ErrorKind::no_space);
  CHECK_FALSE(log->offline());
  CHECK(log->settings().write_caching == before);
  CHECK(log->settings().retention_ms == 12'345);
  world.append(*log, 1, 100);
  CHECK(world.readable(*log) == 2);

  world.files.no_room_for_write = [](const std::string&) { return false; };
  if (restarts) {
    log = nullptr;
    world.kill();
    world.start();
    world.finish_replay();
    log = world.logs.at("tide-0");
    CHECK(world.readable(*log) == 2);
  }
  world.time.run_until(world.time.mono() + std::chrono::seconds(3));
  CHECK(log->settings().write_caching == !before);
  world.append(*log, 1, 100);
  log = nullptr;
  world.kill();
  world.start();
  CHECK(world.logs.at("tide-0")->settings().write_caching == !before);
  CHECK(world.readable(*world.logs.at("tide-0")) == 3);
}

// Storage seed 759.
TEST_CASE(
    "without a journal, what a checkpoint says is synced is there, though its segment's roll is on its way") {
  HostileWorld world;
  world.settings.write_caching = true;
  world.settings.segment_ms = 1'000;
  world.start();
  world.finish_replay();
  auto log = world.create("tide-0");
  world.append(*log, 1, 300);
  world.journal.hold();  // with the roll
  log->roll_if_old();
  REQUIRE(log->segments().size() == 2);
  // Of what was there before: the second one syncs the folder behind the indexes that the first one saves.
  for (int i = 0; i < 2; ++i) REQUIRE(world.run(world.store->checkpoint()).has_value());
  world.append(*log, 1, 400);
  REQUIRE(log->segments().size() == 2);
  REQUIRE(world.run(world.store->checkpoint()).has_value());
  log = nullptr;
  world.disk.power_cut = simulation::SimDisk::PowerCut{1, true};
  world.cut_power();
  world.start();
  CHECK(world.readable(*world.logs.at("tide-0")) == 2);
}

}  // namespace tidemark::storage
