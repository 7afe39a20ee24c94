// A whole broker that takes a snapshot of its metadata behind every change.
#include "replication/controller/snapshot.h"
#include "tests/unit/node/one_broker.h"

namespace tidemark::simulation {

namespace {

std::vector<std::string> metadata_files(OneBroker& world, std::string_view suffix) {
  std::vector<std::string> found;
  for (const std::string& path : world.disk.all_files()) {
    if (path.find("__cluster_metadata-0/") != std::string::npos && path.ends_with(suffix))
      found.push_back(path);
  }
  return found;
}

size_t topics(OneBroker& world) {
  protocol::MetadataRequest request;
  request.topics.reset();
  return world.ask<protocol::MetadataResponse>(request, 12).body.topics.size();
}

void settle(OneBroker& world) { world.time.run_until(world.time.mono() + std::chrono::seconds(1)); }

}  // namespace

TEST_CASE("two snapshots are kept, and the log from the older one on") {
  OneBroker world;
  world.options.config.broker.metadata_log_max_record_bytes_between_snapshots = 1;
  world.start();
  for (int i = 0; i < 5; ++i) {
    REQUIRE(world.create_topic("topic-" + std::to_string(i), 3) == ErrorCode::NONE);
    settle(world);
  }
  const auto files = metadata_files(world, ".checkpoint");
  REQUIRE(files.size() == 2);
  CHECK(metadata_files(world, ".part").empty());

  SECTION("the newest is what the next life begins with") {
    world.crash(CrashKind::kill);
    world.start();
    CHECK(topics(world) == 5);
  }
  SECTION("a damaged one costs nothing: the log reaches back to the one before") {
    world.crash(CrashKind::kill);
    REQUIRE(world.disk.flip_bit([&](const std::string& path) { return path == files[1]; }));
    world.start();
    CHECK(topics(world) == 5);
  }
}

TEST_CASE("whenever the power fails around a snapshot, the next life knows every topic") {
  for (const CrashKind kind : {CrashKind::kill, CrashKind::power}) {
    for (int steps = 0; steps < 300; steps += 7) {
      OneBroker world;
      world.options.config.broker.metadata_log_max_record_bytes_between_snapshots = 1;
      world.start();
      for (int i = 0; i < 3; ++i)
        REQUIRE(world.create_topic("topic-" + std::to_string(i), 3) == ErrorCode::NONE);
      for (int i = 0; i < steps; ++i) REQUIRE(world.time.step());
      world.crash(kind);
      world.start();
      REQUIRE(topics(world) == 3);
      REQUIRE(world.create_topic("after", 1) == ErrorCode::NONE);
      world.crash(kind);
      world.start();
      REQUIRE(topics(world) == 4);
    }
  }
}

}  // namespace tidemark::simulation
