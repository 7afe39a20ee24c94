// What a checkpoint may free, and what a restart finds after it: one order of events each, over many power
// cuts.
#include "tests/simulation/sim_batch.h"
#include "tests/unit/storage/hostile_world.h"

using namespace tidemark;
using namespace tidemark::storage;

namespace {

constexpr uint64_t kSeeds = 20;

TEST_CASE("a sync that fails in a checkpoint is not missed because the replay's own succeeds") {
  HostileWorld world;
  world.start();
  world.finish_replay();
  world.append(*world.create("a-0"), 1, 1000);
  world.kill();
  world.start();
  // Linux tells one caller alone.
  int failures = 1;
  world.files.fail_sync = [&](const std::string& path) { return path.ends_with(".log") && failures-- > 0; };
  world.background.hold();
  auto checkpoint = world.begin(world.store->checkpoint());
  world.background.release();  // it has failed, and the shard does not know yet
  REQUIRE(failures == 0);
  Result<bool> finished = false;
  while (finished && !*finished) finished = world.data->finish_replay();
  REQUIRE(finished.has_value());
  CHECK_FALSE(world.run(world.store->end_of_syncs()).has_value());
  CHECK(world.store->offline());
}

TEST_CASE("a flush beside a checkpoint syncs what that has taken over, too") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    HostileWorld world(seed);
    world.settings.write_caching = true;
    world.settings.segment_bytes = 2000;
    world.start();
    world.finish_replay();
    // A checkpoint syncs eight logs in one job.
    for (int i = 0; i < 8; ++i) world.append(*world.create(fmt::format("a-{}", i)), 1, 100);
    auto log = world.create("b-0");
    world.append(*log, 1, 1500);
    world.append(*log, 1, 1500);
    REQUIRE(log->segments().size() == 2);
    world.background.hold();
    auto checkpoint = world.begin(world.store->checkpoint());
    world.settings.flush_messages = 1;
    REQUIRE(world.run(log->change_settings(world.settings)).has_value());
    world.add(*log, 1, 100);
    world.settle();
    world.background.release();
    world.background.hold();  // behind the flush, and before the checkpoint's second job
    REQUIRE(world.run(log->wait_counted(Offset(3))));
    log.reset();
    checkpoint.reset();
    world.cut_power();
    world.start();
    REQUIRE(world.logs.contains("b-0"));
    CHECK(world.logs.at("b-0")->end() == Offset(3));
    CHECK(world.readable(*world.logs.at("b-0")) == 3);
  }
}

}  // namespace

TEST_CASE("a checkpoint that began before a record was synced leaves it to the next one") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    HostileWorld world(seed);
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    world.append(*log, 1, 100);
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    world.journal.hold();
    world.add(*log, 1, 5000);
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    world.journal.release();
    REQUIRE(world.run(log->wait_counted(Offset(2))));
    world.settle();
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    world.settle();
    log.reset();
    world.cut_power();
    world.start();
    CHECK(world.logs.at("a-0")->end() == Offset(2));
    CHECK(world.readable(*world.logs.at("a-0")) == 2);
  }
}

TEST_CASE("a segment that was sealed with records on their way is synced when they have arrived") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    HostileWorld world(seed);
    world.settings.segment_bytes = 8000;
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    world.append(*log, 1, 100);
    world.journal.hold();
    world.add(*log, 1, 5000);  // into the first segment
    world.write.hold();
    auto room = world.begin(log->make_room(5000, 1000));  // rolls
    REQUIRE(log->segments().size() == 2);
    world.write.release();
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    world.journal.release();
    world.settle();
    world.append(*log, 1, 5000);
    for (int i = 0; i < 2; ++i) {
      REQUIRE(world.run(world.store->checkpoint()).has_value());
      world.settle();
    }
    log.reset();
    room.reset();
    world.cut_power();
    world.start();
    CHECK(world.logs.at("a-0")->end() == Offset(3));
    CHECK(world.readable(*world.logs.at("a-0")) == 3);
  }
}

TEST_CASE("a log that is created during a checkpoint keeps its folder") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    HostileWorld world(seed);
    world.start();
    world.finish_replay();
    world.journal.hold();
    auto made = world.begin(world.store->create("a-0", world.random.uuid(), PartitionId(0), world.settings));
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    world.journal.release();
    world.settle();
    REQUIRE(made->has_value());
    auto log = ***made;
    world.append(*log, 1, 100);
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    world.settle();
    log.reset();
    made.reset();
    world.cut_power();
    world.start();
    REQUIRE(world.logs.contains("a-0"));
    CHECK(world.readable(*world.logs.at("a-0")) == 1);
  }
}

TEST_CASE("a log that a killed process had made outlives a power cut in the next life") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    HostileWorld world(seed);
    world.start();
    world.finish_replay();
    world.create("a-0");
    world.settle();
    world.kill();
    world.start();
    world.finish_replay();
    world.append(*world.logs.at("a-0"), 1, 100);
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    world.settle();
    world.cut_power();
    world.start();
    REQUIRE(world.logs.contains("a-0"));
    CHECK(world.readable(*world.logs.at("a-0")) == 1);
  }
}

TEST_CASE(
    "appends behind a bypass survive a checkpoint between its two records, and a power cut at any time") {
  for (const bool checkpoint : {false, true}) {
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      HostileWorld world(seed);
      world.start();
      world.finish_replay();
      auto log = world.create("a-0");
      world.append(*log, 1, 100);
      REQUIRE(world.room(*log, 60'000).has_value());
      world.write.hold();
      world.add(*log, 1, 20'000);  // bypasses
      world.add(*log, 1, 20'000);  // so does this
      world.settle();
      world.add(*log, 1, 1000);
      world.settle();
      CHECK(log->durable() == Offset(1));
      world.journal.hold();
      world.write.release();
      if (checkpoint) {
        auto done = world.begin(world.store->checkpoint());
        CHECK(done->has_value());
        world.journal.release();
        REQUIRE(world.run(log->wait_counted(Offset(4))));
      }
      const Offset answered = log->durable();
      log.reset();
      world.cut_power();
      world.start();
      log = world.logs.at("a-0");
      CHECK(log->end() >= answered);
      world.readable(*log);
      world.epoch = 2;
      world.append(*log, 1, 100);
      log.reset();
      world.cut_power();
      world.start();
      world.readable(*world.logs.at("a-0"));
    }
  }
}

TEST_CASE("a start in the middle of a segment whose bytes were never synced") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    HostileWorld world(seed);
    world.settings.segment_bytes = 30'000;
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    for (int i = 0; i < 5; ++i) world.append(*log, 1, 5000);
    REQUIRE(world.run(log->trim(Offset(3))).has_value());
    world.append(*log, 1, 20'000);  // rolls, bypasses, and syncs the state with it
    log.reset();
    world.cut_power();
    world.start();
    log = world.logs.at("a-0");
    CHECK(log->start() == Offset(3));
    CHECK(log->end() == Offset(6));
    CHECK(world.readable(*log) == 3);
  }
}

TEST_CASE("a truncation across segments holds over power cuts, with checkpoints and without") {
  for (uint64_t seed = 1; seed <= 2 * kSeeds; ++seed) {
    HostileWorld world(seed);
    world.settings.segment_bytes = 6000;
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    for (int i = 0; i < 12; ++i) world.append(*log, 2, 2000);
    if (seed % 2 == 0) REQUIRE(world.run(world.store->checkpoint()).has_value());
    REQUIRE(world.run(log->truncate(Offset(9))).has_value());
    CHECK(log->end() == Offset(8));
    if (seed % 3 == 0) REQUIRE(world.run(world.store->checkpoint()).has_value());
    world.epoch = 2;
    world.append(*log, 3, 500);
    if (seed % 4 < 2) REQUIRE(world.run(world.store->checkpoint()).has_value());
    world.settle();
    log.reset();
    world.cut_power();
    world.start();
    log = world.logs.at("a-0");
    CHECK(log->end() == Offset(11));
    CHECK(world.readable(*log) == 5);
    // Below the start: everything goes.
    world.finish_replay();
    REQUIRE(world.run(log->trim(Offset(9))).has_value());
    REQUIRE(world.run(log->truncate(Offset(2))).has_value());
    CHECK(log->end() == Offset(8));
    CHECK(log->start() == Offset(8));
    world.epoch = 3;
    world.append(*log, 4, 100);
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    world.settle();
    log.reset();
    world.cut_power();
    world.start();
    CHECK(world.logs.at("a-0")->start() == Offset(8));
    CHECK(world.logs.at("a-0")->end() == Offset(12));
  }
}

TEST_CASE("a search by time does not believe an index file that is still to be written after a truncation") {
  HostileWorld world;
  world.settings.segment_bytes = 2000;
  world.settings.index_interval_bytes = 1;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  const auto append_at = [&](int64_t timestamp_ms) {
    simulation::SimBatch batch;
    batch.timestamp_ms = timestamp_ms;
    batch.value_bytes = 200;
    world.add(*log, batch.encode());
    REQUIRE(world.run(log->wait_counted(log->end())));
  };
  for (const int64_t timestamp_ms : {1001, 1002, 1003, 1004}) append_at(timestamp_ms);
  REQUIRE(world.run(world.store->checkpoint()).has_value());
  REQUIRE(world.run(log->truncate(Offset(1))).has_value());
  append_at(5000);
  world.settle();
  world.write.hold();
  // Seals the segment; its index files follow in the lane, and until then hold what was cut away.
  auto room = world.begin(log->make_room(1700, 6000));
  REQUIRE(log->segments().size() == 2);
  const auto found = world.run(log->find_by_time(1004, log->end()));
  REQUIRE(found.has_value());
  REQUIRE(found->has_value());
  CHECK((*found)->offset == Offset(1));
  world.write.release();
  world.settle();
  log.reset();
}

TEST_CASE("a write.caching log's state says only after their sync that its segments are synced") {
  for (uint64_t seed = 1; seed <= 4 * kSeeds; ++seed) {
    HostileWorld world(seed);
    world.settings.write_caching = true;
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    world.settle();
    world.append(*log, 1, 5000);
    world.background.hold();
    auto checkpoint = world.begin(world.store->checkpoint());
    world.settle();
    log.reset();
    checkpoint.reset();
    world.cut_power();
    world.start();
    const auto& found = *world.logs.at("a-0");
    INFO((found.offline() ? found.offline()->message() : ""));
    CHECK_FALSE(found.offline());
  }
}

TEST_CASE("what flush.messages had synced is there after a power cut before the first checkpoint") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    HostileWorld world(seed);
    world.settings.write_caching = true;
    world.settings.flush_messages = 1;
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    for (int i = 0; i < 3; ++i) world.append(*log, 1, 1000);
    log.reset();
    world.cut_power();
    world.start();
    REQUIRE(world.logs.contains("a-0"));
    CHECK(world.logs.at("a-0")->end() == Offset(3));
    CHECK(world.readable(*world.logs.at("a-0")) == 3);
  }
}

TEST_CASE("a checkpoint of many logs syncs everything at once, twice, and no file by itself") {
  HostileWorld world;
  world.disk.syncs_whole = true;
  world.options.whole_sync_from = 3;
  world.start();
  world.finish_replay();
  const auto fill = [&](int logs) {
    for (int i = 0; i < logs; ++i) {
      const std::string name = fmt::format("many-{}", i);
      world.append(world.logs.contains(name) ? *world.logs[name] : *world.create(name), 1, 100);
    }
  };
  const auto counted = [&](simulation::DiskOp op, auto run) {
    const uint64_t before = world.disk.operations(op);
    run();
    return world.disk.operations(op) - before;
  };
  const auto checkpoint = [&] { REQUIRE(world.run(world.store->checkpoint()).has_value()); };
  fill(2);
  CHECK(counted(simulation::DiskOp::sync_all, checkpoint) == 0);
  fill(20);
  world.settle();
  uint64_t wholes = 0;
  const uint64_t files =
      counted(simulation::DiskOp::sync, [&] { wholes = counted(simulation::DiskOp::sync_all, checkpoint); });
  CHECK(wholes == 2);
  fill(20);
  world.settle();
  CHECK(counted(simulation::DiskOp::sync_all, checkpoint) == 1);  // no state has changed
  CHECK(files <= 1);                                              // the journal's own
  // What it freed is in the files, names too.
  world.cut_power();
  world.start();
  for (int i = 0; i < 20; ++i)
    CHECK(world.readable(*world.logs.at(fmt::format("many-{}", i))) == (i < 2 ? 3 : 2));
  // And what the journals held for many is synced by the start at once.
  CHECK(counted(simulation::DiskOp::sync_all, [&] { world.finish_replay(); }) <= 1);
  fill(20);
  world.kill();
  world.start();
  CHECK(counted(simulation::DiskOp::sync_all, [&] { world.finish_replay(); }) == 1);
}

TEST_CASE("a sync of everything that fails takes the folder offline, and no later one is believed") {
  for (const bool first : {true, false}) {
    HostileWorld world;
    world.disk.syncs_whole = true;
    world.options.whole_sync_from = 1;
    world.start();
    world.finish_replay();
    auto log = world.create("many-0");
    world.append(*log, 1, 100);
    if (!first) REQUIRE(world.run(world.store->checkpoint()).has_value());
    world.append(*log, 1, 100);
    world.settle();
    world.disk.faults.sync_fails = 1;
    CHECK(!world.run(world.store->checkpoint()).has_value());
    world.disk.faults.sync_fails = 0;
    REQUIRE(world.store->offline());
    INFO(world.store->offline()->message());
    // What the first is told may be older: then a file's own sync has the say.
    CHECK((world.store->offline()->message().find("sync the disk") == std::string::npos) == first);
    const auto again = world.data->whole_sync()->sync();
    CHECK((first ? again == false : !again.has_value()));
  }
}

TEST_CASE("a sync of everything leaves what it does not cover to its files' own") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    HostileWorld world(seed);
    world.disk.syncs_whole = true;
    world.disk.elsewhere = "/b-";
    world.options.whole_sync_from = 2;
    world.start();
    world.finish_replay();
    for (const char* name : {"a-0", "b-0", "c-0"}) world.append(*world.create(name), 1, 100);
    REQUIRE(world.run(world.store->settle()).has_value());
    world.cut_power();
    world.start();
    for (const char* name : {"a-0", "b-0", "c-0"}) CHECK(world.readable(*world.logs.at(name)) == 1);
    for (auto& [name, log] : world.logs) world.append(*log, 1, 100);
    world.kill();
    world.start();
    world.finish_replay();
    REQUIRE(world.run(world.store->settle()).has_value());
    world.cut_power();
    world.start();
    for (const char* name : {"a-0", "b-0", "c-0"}) CHECK(world.readable(*world.logs.at(name)) == 2);
  }
}
