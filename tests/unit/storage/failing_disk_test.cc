// Full and failing disks, starved journals, deletion: the log store goes on wherever it can.
#include "tests/unit/storage/hostile_world.h"

using namespace tidemark;
using namespace tidemark::storage;
using namespace std::chrono_literals;

TEST_CASE("a journal that is full frees itself, with nobody asking for a checkpoint") {
  HostileWorld world;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  for (int i = 0; i < 300; ++i) world.append(*log, 1, 3000 + i % 7 * 500);
  CHECK(world.store->checkpoints() > 2);
  CHECK(world.store->journal().live_bytes() <= (256 << 10));
}

TEST_CASE("a deleted log's files go after file.delete.delay.ms, not at the next start") {
  HostileWorld world;
  world.settings.file_delete_delay_ms = 1000;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  world.append(*log, 1, 3000);
  auto bypassing = world.begin(log->make_room(60'000, 0));
  world.add(*log, 1, 20'000);  // a bypass under way
  REQUIRE(world.run(world.store->erase(log)).has_value());
  CHECK(world.run(world.store->erase(log)).error().code() == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
  CHECK(world.run(log->truncate(Offset(0))).error().code() == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
  const auto graves = [&] {
    size_t count = 0;
    const auto entries = world.files.list("/data");
    for (const DirEntry& entry : *entries) count += entry.name.ends_with("-delete");
    return count;
  };
  CHECK(graves() == 1);
  REQUIRE(world.run(world.store->checkpoint()).has_value());
  CHECK(graves() == 1);
  world.time.run_until(world.time.mono() + 2s);
  CHECK(graves() == 0);
}

TEST_CASE("with the longest file.delete.delay.ms there is, the files stay") {
  HostileWorld world;
  world.settings.file_delete_delay_ms = INT64_MAX;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  REQUIRE(world.run(world.store->erase(log)).has_value());
  REQUIRE(world.run(world.store->checkpoint()).has_value());
  world.time.run_until(world.time.mono() + 2s);
  const auto entries = world.files.list("/data");
  CHECK(std::ranges::any_of(*entries, [](const DirEntry& entry) { return entry.name.ends_with("-delete"); }));
}

TEST_CASE("a journal's age is that of its oldest record without an answer, also while it is starved") {
  HostileWorld world;
  world.start();
  auto log = world.create("tide-0");
  world.settle();
  const auto age = [&] { return world.store->journal().age(world.time.mono()); };
  CHECK(age() == runtime::Duration(0));
  world.journal.hold();
  world.add(*log, 1, 10);
  world.settle();
  world.add(*log, 1, 10);
  world.settle();
  CHECK(age() == std::chrono::milliseconds(100));
  world.journal.release();
  world.journal.hold();
  world.settle();
  CHECK(age() == std::chrono::milliseconds(100));  // the second record's write has just begun
  world.journal.release();
  world.settle();
  CHECK(age() == runtime::Duration(0));

  // No checkpoint is allowed yet: nothing frees it.
  while (!world.store->journal().starved()) {
    world.add(*log, 1, 10'000);
    world.settle();
  }
  world.time.run_until(world.time.mono() + std::chrono::seconds(7));
  CHECK(age() >= std::chrono::seconds(7));
  world.finish_replay();
  CHECK(age() == runtime::Duration(0));
}

TEST_CASE("whoever waits for a starved journal is told when its folder fails elsewhere, each in its turn") {
  const bool in_flight = GENERATE(false, true);
  INFO((in_flight ? "with a group in the journal's lane" : "with nothing in the journal's lane"));
  HostileWorld world;
  world.start();
  auto log = world.create("tide-0");
  auto other = world.create("neap-0");
  world.settle();
  if (in_flight) {
    world.journal.hold();
    world.add(*log, 1, 10);
    world.settle();
    world.add(*log, 1, 10);
  } else {
    while (!world.store->journal().starved()) {
      world.add(*log, 1, 10'000);
      world.settle();
    }
  }
  auto appended = world.begin(log->wait_counted(log->end()));
  auto erased = world.begin(world.store->erase(other));
  CHECK(!appended->has_value());
  CHECK(!erased->has_value());
  world.store->fail_folder(Error::io("a segment's sync has failed"));
  world.settle();
  world.journal.release();
  world.settle();
  REQUIRE(appended->has_value());
  CHECK_FALSE(**appended);
  REQUIRE(erased->has_value());
  CHECK_FALSE((*erased)->has_value());
  // What comes later is refused, too.
  const auto late = world.run(world.store->erase(log));
  CHECK_FALSE(late.has_value());
}

TEST_CASE("room that another log's writes have made is given on") {
  HostileWorld world;
  world.options.max_unwritten_bytes = 10'000;
  world.start();
  world.finish_replay();
  auto a = world.create("a-0");
  auto b = world.create("b-0");
  REQUIRE(world.room(*a, 15'000).has_value());
  REQUIRE(world.room(*b, 3000).has_value());
  world.write.hold();
  for (int i = 0; i < 3; ++i) world.add(*a, 1, 4000);
  auto room = world.begin(b->make_room(3000, 0));
  CHECK(!room->has_value());
  world.write.release();
  world.settle();
  CHECK(room->has_value());
}

TEST_CASE("a full disk refuses appends, and nothing else; writing resumes by itself") {
  HostileWorld world;
  world.settings.segment_bytes = 20'000;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  auto other = world.create("b-0");
  for (int i = 0; i < 12; ++i) world.append(*log, 1, 5000);
  world.append(*other, 1, 5000);
  const uint64_t quota = std::exchange(world.disk.quota_bytes, world.disk.used_bytes());
  Result<void> refused;
  for (int i = 0; i < 10 && refused; ++i) {
    refused = world.room(*log, 5000);
    if (refused) world.append(*log, 1, 5000);
  }
  REQUIRE(!refused);
  CHECK(refused.error().kind() == ErrorKind::no_space);
  CHECK(!log->offline());
  const auto refused_log =
      world.run(world.store->create("c-0", world.random.uuid(), PartitionId(0), world.settings));
  CHECK(!world.store->offline());
  REQUIRE(world.run(world.store->checkpoint()).has_value());
  REQUIRE(world.run(log->truncate(Offset(8))).has_value());
  REQUIRE(world.run(log->trim(Offset(5))).has_value());
  REQUIRE(world.run(log->trim(log->end())).has_value());
  CHECK(!log->offline());
  REQUIRE(world.run(world.store->erase(other)).has_value());
  world.disk.quota_bytes = quota;
  const Offset base = world.append(*log, 1, 5000);
  CHECK(base == Offset(8));
  log.reset();
  other.reset();
  world.cut_power();
  world.start();
  CHECK(world.logs.at("a-0")->end() == Offset(9));
  CHECK(world.readable(*world.logs.at("a-0")) == 1);
}

TEST_CASE("a log with the longest name is deleted, before a restart or behind one") {
  for (const bool killed : {false, true}) {
    HostileWorld world;
    const std::string name = std::string(249, 'x') + "-0";
    world.start();
    world.finish_replay();
    auto log = world.create(name);
    world.append(*log, 1, 100);
    if (killed) world.write.hold();
    auto erased = world.begin(world.store->erase(log));
    CHECK(erased->has_value() == !killed);
    CHECK(!world.store->offline());
    log.reset();
    world.kill();
    world.start();
    CHECK(!world.logs.contains(name));
    world.finish_replay();
    CHECK(!world.store->offline());
    world.append(*world.create(name), 1, 100);
  }
}

// Seed 4118 of the node world.
TEST_CASE(
    "a log that found no room for its state and is deleted keeps its records until its name is settled") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    HostileWorld world(seed);
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    world.append(*log, 1, 100);
    const uint64_t quota = std::exchange(world.disk.quota_bytes, world.disk.used_bytes());
    world.journal.hold();
    auto refused =
        world.begin(world.store->create("b-0", world.random.uuid(), PartitionId(0), world.settings));
    world.write.hold();
    world.journal.release();
    world.settle();
    world.journal.hold();
    world.write.release();
    world.settle();  // it found no room, and its deletion waits for the journal
    CHECK(!world.run(world.store->checkpoint()).has_value());
    world.journal.release();
    world.settle();
    REQUIRE(refused->has_value());
    CHECK(!(*refused)->has_value());
    world.disk.quota_bytes = quota;
    log.reset();
    world.cut_power();
    world.start();
    CHECK(world.data->replay().unidentified.empty());
  }
}

// Seed 1959 of the node world.
TEST_CASE("a log that found no room for its state keeps its records also while it is deleted") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    HostileWorld world(seed);
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    world.append(*log, 1, 100);
    const uint64_t quota = std::exchange(world.disk.quota_bytes, world.disk.used_bytes());
    world.journal.hold();
    auto refused =
        world.begin(world.store->create("b-0", world.random.uuid(), PartitionId(0), world.settings));
    world.write.hold();
    world.journal.release();
    world.settle();
    world.journal.hold();
    world.write.release();
    world.settle();
    CHECK(!world.run(world.store->checkpoint()).has_value());
    world.background.hold();
    auto next = world.begin(world.store->checkpoint());
    world.journal.release();
    world.settle();  // now it is deleted, behind the back of the checkpoint that syncs segments
    REQUIRE(refused->has_value());
    world.background.release();
    while (!next->has_value()) REQUIRE(world.time.step());
    CHECK((*next)->has_value());
    world.disk.quota_bytes = quota;
    log.reset();
    world.cut_power();
    world.start();
    CHECK(world.data->replay().unidentified.empty());
  }
}

TEST_CASE("a read that opens a segment while a full disk has it deleted in place leaves it to no namesake") {
  HostileWorld world;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  world.append(*log, 1, 100);
  world.files.no_room_for_name = [](const std::string&) { return true; };
  world.files.before_remove = [&](const std::string& path) { (void)world.data->cache().get(path); };
  REQUIRE(world.run(world.store->erase(log)).has_value());
  world.files.before_remove = [](const std::string&) {};
  log = world.create("a-0");
  world.append(*log, 1, 100);
  REQUIRE(world.run(world.store->checkpoint()).has_value());
  world.settle();
  log.reset();
  world.cut_power();
  world.start();
  CHECK(world.readable(*world.logs.at("a-0")) == 1);
}

TEST_CASE("a replay that is synced behind a failure elsewhere frees no journal") {
  HostileWorld world;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  world.append(*log, 1, 100);
  world.kill();
  world.start();
  world.store->fail_folder(Error::io("a sync failed"));
  world.finish_replay();
  log.reset();
  world.kill();
  world.start();
  CHECK(world.data->replay().records > 0);
}

TEST_CASE("what is reserved ahead stays within 5 % of the free space, of all logs together") {
  HostileWorld world;
  world.options.min_reserve_bytes = 64 << 10;
  world.start();
  world.finish_replay();
  world.disk.quota_bytes = world.disk.used_bytes() + (20 << 20);
  const uint64_t before = world.disk.used_bytes();
  constexpr uint64_t kLogs = 60;
  for (uint64_t i = 0; i < kLogs; ++i) {
    auto log = world.create(fmt::format("a-{}", i));
    for (int n = 0; n < 4; ++n) world.append(*log, 1, 1000);
  }
  CHECK(world.disk.used_bytes() - before < (2 << 20));
}

TEST_CASE("a log with headroom is written on when the disk is full, and no other") {
  HostileWorld world;
  world.options.headroom_bytes = 64 << 10;
  world.start();
  world.finish_replay();
  auto other = world.create("b-0");
  world.settings.keeps_headroom = true;
  auto log = world.create("a-0");
  world.append(*log, 1, 1000);
  world.disk.quota_bytes = world.disk.used_bytes();
  for (int i = 0; i < 50; ++i) {
    REQUIRE(world.room(*log, 1000).has_value());
    world.append(*log, 1, 1000);
  }
  CHECK(log->durable() == Offset(51));
  for (int i = 0; i < 100 && world.room(*other, 1000); ++i) world.append(*other, 1, 1000);
  CHECK_FALSE(world.room(*other, 1000).has_value());
  CHECK(world.room(*log, 1000).has_value());
}

TEST_CASE("a log that has no record yet keeps headroom all the same, and again after a start") {
  HostileWorld world;
  world.options.headroom_bytes = 64 << 10;
  world.settings.keeps_headroom = true;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  REQUIRE(world.run(log->keep_headroom()).has_value());
  for (int life = 0; life < 3; ++life) {
    world.disk.quota_bytes = world.disk.used_bytes();
    for (int i = 0; i < 15; ++i) {
      REQUIRE(world.room(*log, 1000).has_value());
      world.append(*log, 1, 1000);
    }
    world.disk.quota_bytes = simulation::SimDisk::kNoQuota;
    log.reset();
    world.kill();
    world.start();
    world.finish_replay();
    log = world.logs.at("a-0");
    REQUIRE(world.run(log->keep_headroom()).has_value());
  }
  CHECK(log->durable() == Offset(45));
}

TEST_CASE("a start on a full disk takes what an earlier one put aside") {
  HostileWorld world;
  world.reserve_bytes = 512 << 10;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  world.append(*log, 1, 1000);
  auto kept = world.data->keep_reserve();
  REQUIRE((kept && *kept));
  for (int i = 0; i < 3; ++i) {
    world.disk.quota_bytes = world.disk.used_bytes();
    log.reset();
    world.kill();
    world.start();
    CHECK(world.logs.at("a-0")->end() == Offset(1));
    world.finish_replay();
    REQUIRE(world.run(world.store->settle()).has_value());
    world.settle();
    kept = world.data->keep_reserve();
    REQUIRE(kept.has_value());
  }
}

TEST_CASE(
    "a segment that cannot be written or synced takes the folder offline, and the next start has all of it") {
  for (const bool sync : {false, true}) {
    HostileWorld world;
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    auto other = world.create("b-0");
    const auto rule = [](const std::string& path) {
      return path.starts_with("/data/a-0/") && path.ends_with(".log");
    };
    (sync ? world.files.fail_sync : world.files.fail_write) = rule;
    world.append(*other, 1, 3000);
    world.append(*log, 1, 3000);
    CHECK(world.run(log->wait_counted(Offset(1))));
    world.settle();
    (void)world.run(world.store->checkpoint());
    REQUIRE(world.store->offline());
    CHECK(world.store->offline()->message().find("a-0") != std::string::npos);
    CHECK(log->offline());
    CHECK(other->offline());
    CHECK(world.store->unwritten_bytes() == 0);
    CHECK(!world.run(log->wait_counted(Offset(100))));
    CHECK(!world.run(world.store->stop()).has_value());
    log.reset();
    other.reset();
    (sync ? world.files.fail_sync : world.files.fail_write) = [](const std::string&) { return false; };
    world.cut_power();
    world.start();
    CHECK(world.readable(*world.logs.at("a-0")) == 1);
    CHECK(world.readable(*world.logs.at("b-0")) == 1);
  }
}

TEST_CASE("a journal that cannot be synced takes its folder offline, and every waiting append fails") {
  HostileWorld world;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  auto other = world.create("b-0");
  world.append(*log, 1, 100);
  REQUIRE(world.room(*other, 100).has_value());
  REQUIRE(world.room(*log, 100).has_value());
  world.journal.hold();
  world.add(*log, 1, 100);
  world.add(*other, 1, 100);
  auto first = world.begin(log->wait_counted(Offset(2)));
  auto second = world.begin(other->wait_counted(Offset(1)));
  world.files.fail_sync = [](const std::string& path) { return path.ends_with(".journal"); };
  world.journal.release();
  world.settle();
  REQUIRE(first->has_value());
  REQUIRE(second->has_value());
  CHECK(!**first);
  CHECK(!**second);
  REQUIRE(world.store->offline());
  CHECK(log->durable() == Offset(1));
  CHECK(!world.room(*log, 100).has_value());
  world.files.fail_sync = [](const std::string&) { return false; };
  CHECK(!world.run(world.store->stop()).has_value());
  log.reset();
  other.reset();
  world.cut_power();
  world.start();
  CHECK(world.readable(*world.logs.at("a-0")) >= 1);
}

TEST_CASE("write.caching: what a checkpoint or flush.messages has synced survives, and no old roll cuts it") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    HostileWorld world(seed);
    world.settings.write_caching = true;
    world.settings.segment_bytes = 6000;
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    for (int i = 0; i < 8; ++i) world.append(*log, 1, 2000);
    CHECK(log->counted() == Offset(8));
    world.settle();
    log.reset();
    world.kill();  // its rolls are in the journal, its records in the page cache
    world.start();
    CHECK(world.readable(*world.logs.at("a-0")) == 8);
    world.finish_replay();
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    CHECK(world.logs.at("a-0")->durable() == Offset(8));
    world.append(*world.logs.at("a-0"), 1, 2000);
    world.cut_power();
    world.start();
    CHECK(world.logs.at("a-0")->end() >= Offset(8));
    world.readable(*world.logs.at("a-0"));
  }
}

TEST_CASE(
    "flush.messages holds an answer back until the segment is synced; flush.ms syncs in the background") {
  HostileWorld world(3);
  world.settings.write_caching = true;
  world.settings.flush_messages = 3;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  world.append(*log, 2, 100);
  world.settle();
  CHECK(log->durable() == Offset(0));
  CHECK(log->counted() == Offset(2));
  REQUIRE(world.room(*log, 100).has_value());
  world.background.hold();
  world.add(*log, 1, 100);
  auto answered = world.begin(log->wait_counted(Offset(3)));
  CHECK(!answered->has_value());
  CHECK(log->counted() == Offset(2));
  world.background.release();
  world.settle();
  REQUIRE(answered->has_value());
  CHECK(log->durable() == Offset(3));
  world.settings.flush_messages = INT64_MAX;
  world.settings.flush_ms = 1000;
  REQUIRE(world.run(log->change_settings(world.settings)).has_value());
  world.append(*log, 1, 100);
  world.settle();
  CHECK(log->durable() == Offset(3));
  world.time.run_until(world.time.mono() + 2s);
  CHECK(log->durable() == Offset(4));
  log.reset();
  world.cut_power();
  world.start();
  CHECK(world.logs.at("a-0")->end() == Offset(4));
  CHECK(world.readable(*world.logs.at("a-0")) == 3);
}

TEST_CASE("write.caching switched on and off: what was answered under the journal survives") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    HostileWorld world(seed);
    world.settings.segment_bytes = 6000;
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    for (int i = 0; i < 5; ++i) world.append(*log, 1, 2000);
    world.settings.write_caching = true;
    REQUIRE(world.run(log->change_settings(world.settings)).has_value());
    CHECK(log->durable() == Offset(5));
    for (int i = 0; i < 5; ++i) world.append(*log, 1, 2000);
    if (seed % 2 == 0) {
      world.settings.write_caching = false;
      REQUIRE(world.run(log->change_settings(world.settings)).has_value());
      CHECK(log->durable() == Offset(10));
      world.append(*log, 1, 2000);
    }
    world.settle();
    log.reset();
    world.cut_power();
    world.start();
    log = world.logs.at("a-0");
    CHECK(log->end() >= Offset(seed % 2 == 0 ? 11 : 5));
    world.readable(*log);
  }
}

TEST_CASE("the last group of a journal whose sync failed is written again before anybody is told of it") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    HostileWorld world(seed);
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    world.append(*log, 1, 100);
    world.disk.faults.sync_fails = 1;
    world.add(*log, 1, 3000);
    world.settle();
    REQUIRE(log->offline());
    world.disk.faults.sync_fails = 0;
    log.reset();
    world.kill();
    world.start();
    // It is in the page cache, which the system takes for what is on the disk.
    const Offset told = world.logs.at("a-0")->end();
    REQUIRE(told == Offset(2));
    world.cut_power();
    world.start();
    CHECK(world.logs.at("a-0")->end() == told);
    CHECK(world.readable(*world.logs.at("a-0")) == 2);
  }
}

TEST_CASE("what cannot be read at a start is neither cut away nor served, and the next start has it") {
  for (const bool caching : {false, true}) {
    HostileWorld world;
    world.settings.write_caching = caching;
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    auto other = world.create("b-0");
    for (int i = 0; i < 5; ++i) world.append(*log, 1, 3000);
    world.append(*other, 1, 100);
    log.reset();
    other.reset();
    world.kill();
    world.files.fail_read = [](const std::string& path) {
      return path == "/data/a-0/00000000000000000000.log";
    };
    world.start();
    world.finish_replay();
    REQUIRE(world.logs.at("a-0")->offline());
    CHECK(world.logs.at("a-0")->offline()->message().find("planned failure of a read") != std::string::npos);
    CHECK(world.readable(*world.logs.at("b-0")) == 1);
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    world.files.fail_read = [](const std::string&) { return false; };
    world.kill();
    world.start();
    CHECK(world.logs.at("a-0")->end() == Offset(5));
    CHECK(world.readable(*world.logs.at("a-0")) == 5);
  }
}

TEST_CASE("a truncation without a journal that cannot say so first leaves every file as it is") {
  HostileWorld world;
  world.settings.write_caching = true;
  world.settings.segment_bytes = 8000;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  world.append(*log, 1, 5000);
  world.append(*log, 1, 5000);
  REQUIRE(log->segments().size() == 2);
  REQUIRE(world.run(world.store->checkpoint()).has_value());
  world.settle();
  world.files.fail_write = [](const std::string& path) { return path.ends_with(kPartitionStateName); };
  CHECK_FALSE(world.run(log->truncate(Offset(0))).has_value());
  log.reset();
  world.kill();
  world.files.fail_write = [](const std::string&) { return false; };
  world.start();
  CHECK(world.logs.at("a-0")->end() == Offset(2));
  CHECK(world.readable(*world.logs.at("a-0")) == 2);
}

TEST_CASE("a folder whose state cannot be read is left alone, whatever is made beside it") {
  HostileWorld world;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  world.append(*log, 1, 3000);
  REQUIRE(world.run(world.store->settle()).has_value());
  log.reset();
  world.end();
  auto file = world.files.open("/data/a-0/partition.state", OpenMode::read_write);
  REQUIRE(file.has_value());
  REQUIRE((*file)->write(0, std::vector<std::byte>(1024)).has_value());
  file->reset();
  for (int start = 0; start < 2; ++start) {
    world.start();
    world.finish_replay();
    CHECK(!world.run(world.store->create("a-0", world.random.uuid(), PartitionId(0), world.settings)));
    CHECK(*world.files.exists("/data/a-0/00000000000000000000.log"));
    world.kill();
  }
  CHECK(*(*world.files.open("/data/a-0/00000000000000000000.log", OpenMode::read))->size() > 3000);
}
