// The metadata's snapshot files on the simulated disk: whatever a crash leaves, a start finds one that is
// whole.
#include "broker/metadata_snapshots.h"

#include <catch2/catch.hpp>

#include "protocol/runtime/random.h"
#include "replication/controller/controller.h"
#include "replication/controller/features.h"
#include "tests/simulation/sim_file_system.h"

namespace tidemark::broker {
namespace {

using replication::Controller;
using replication::SnapshotId;

const std::string kFolder = "/data/__cluster_metadata-0";

// A controller whose image grows, and the disk that its snapshots are on.
struct World {
  explicit World(uint64_t seed) : disk(seed, counters) {
    REQUIRE(files.create_dir(kFolder));
    REQUIRE(files.sync_dir("/data"));
    REQUIRE(files.sync_dir("/"));
  }
  std::shared_ptr<const replication::MetadataImage> next() {
    const replication::NewTopic topic = [&] {
      replication::NewTopic t;
      t.name = "topic-" + std::to_string(topics++);
      t.partitions = 30;
      return t;
    }();
    if (topics == 1) {
      append(controller.begin_term());
      replication::BrokerRegistration broker;
      broker.cluster_id = "cluster";
      broker.broker = BrokerId(1);
      broker.incarnation_id = random.uuid();
      broker.log_dirs = {random.uuid()};
      for (const auto& feature : replication::kSupportedFeatures)
        if (feature.public_to_clients)
          broker.features[std::string(feature.name)] = {feature.min, feature.max};
      broker.unfenced = true;
      append(controller.register_broker(broker).records);
    }
    auto created = controller.create_topics(std::span(&topic, 1), false);
    REQUIRE(created.response.front().error.ok());
    append(std::move(created.records));
    return controller.image();
  }
  void append(replication::RecordList records) {
    REQUIRE(controller.apply(controller.next_offset(), LeaderEpoch(1), records));
  }
  Result<void> write(const replication::MetadataImage& image) {
    TRY_ASSIGN(const auto bytes, replication::encode_snapshot(image, 1));
    return snapshots.write(replication::snapshot_id(image), bytes);
  }
  MetadataSnapshots::Found load() {
    auto found = MetadataSnapshots(files, kFolder).load("cluster");
    INFO((found ? "" : found.error().message()));
    REQUIRE(found.has_value());
    return std::move(*found);
  }
  std::vector<std::string> names() {
    std::vector<std::string> result;
    const auto entries = files.list(kFolder);
    REQUIRE(entries);
    for (const auto& entry : *entries) result.push_back(entry.name);
    return result;
  }

  simulation::FaultCounters counters;
  simulation::SimDisk disk;
  simulation::SimFileSystem files{disk};
  runtime::SeededRandom random{1};
  Controller controller{"cluster", BrokerId(1), {}, random};
  MetadataSnapshots snapshots{files, kFolder};
  int topics = 0;
};

void flip(World& world, const SnapshotId& id) {
  const std::string name = replication::snapshot_name(id);
  REQUIRE(world.disk.flip_bit([&](const std::string& path) { return path.ends_with(name); }));
}

}  // namespace

TEST_CASE("a crash at any step of a snapshot leaves the one before it, or the new one whole") {
  const bool power = GENERATE(true, false);
  size_t crashes = 0, kept_old = 0, got_new = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    for (uint64_t step = 1;; ++step) {
      World world(seed);
      const auto first = world.next(), second = world.next(), third = world.next();
      REQUIRE(world.write(*first));
      REQUIRE(world.write(*second));
      const std::array kept{replication::snapshot_id(*second), replication::snapshot_id(*third)};
      world.disk.crash_at(step);
      bool written = false, crashed = false;
      try {
        // Not inside REQUIRE, which would catch the crash.
        written = world.write(*third).has_value();
        const bool removed = world.snapshots.remove_others(kept).has_value();
        REQUIRE((written && removed));
      } catch (const simulation::SimCrash&) {
        crashed = true;
      }
      if (crashed) {
        power ? world.disk.crash_power() : world.disk.crash_process();
      } else {
        world.disk.crash_at(0);
      }
      const auto found = world.load();
      CHECK(found.refused.empty());
      REQUIRE(found.newest);
      const bool is_new = found.newest->id == kept[1];
      if (written) REQUIRE(is_new);
      REQUIRE((is_new || found.newest->id == kept[0]));
      CHECK(found.newest->image->topics.size() == (is_new ? 3 : 2));
      const auto names = world.names();
      for (const std::string& name : names) CHECK(replication::parse_snapshot_name(name));
      if (!crashed) break;
      ++crashes;
      ++(is_new ? got_new : kept_old);
    }
  }
  CHECK(crashes > 100);
  CHECK(kept_old > 0);
  CHECK(got_new > 0);
}

TEST_CASE("a damaged snapshot is refused by name, and the one before it is read") {
  World world(1);
  const auto first = world.next(), second = world.next();
  REQUIRE(world.write(*first));
  REQUIRE(world.write(*second));
  flip(world, replication::snapshot_id(*second));
  auto found = world.load();
  REQUIRE(found.refused.size() == 1);
  CHECK(found.refused.front().find(replication::snapshot_name(replication::snapshot_id(*second))) !=
        std::string::npos);
  REQUIRE(found.newest);
  CHECK(found.newest->id == replication::snapshot_id(*first));
  flip(world, replication::snapshot_id(*first));
  found = world.load();
  CHECK(found.refused.size() == 2);
  CHECK(!found.newest);
}

TEST_CASE("a snapshot that cannot be written leaves nothing behind") {
  World world(1);
  const auto first = world.next(), second = world.next();
  REQUIRE(world.write(*first));
  SECTION("because its sync fails") { world.disk.faults.sync_fails = 1; }
  SECTION("because its write fails") { world.disk.faults.write_fails = 1; }
  CHECK(!world.write(*second));
  world.disk.faults = {};
  CHECK(world.names() == std::vector{replication::snapshot_name(replication::snapshot_id(*first))});
}

}  // namespace tidemark::broker
