// Idempotent producers whose records were deleted: what a restart still knows of them, without the key-value
// store.
#include "storage/trimmed_producers.h"

#include "tests/unit/storage/hostile_world.h"

using namespace tidemark;
using namespace tidemark::storage;

namespace {

constexpr uint64_t kSeeds = 20;

RawBatch batch_of(int64_t producer, int32_t sequence) {
  RawBatch raw;
  raw.producer_id = producer;
  raw.producer_epoch = 0;
  raw.base_sequence = sequence;
  raw.payload_bytes = 1000;
  return raw;
}

void append(HostileWorld& world, Log& log, const RawBatch& raw) {
  world.add(log, raw);
  REQUIRE(world.run(log.wait_counted(log.end())));
}

// Where the log says that this batch stands; nullopt: it would append it.
std::optional<Offset> known_at(const Log& log, int64_t producer, int32_t sequence) {
  const auto known = log.producers().check(batch_of(producer, sequence).header());
  REQUIRE(known.has_value());
  return *known ? std::optional((*known)->base_offset) : std::nullopt;
}

ErrorCode refused(const Log& log, int64_t producer, int32_t sequence) {
  const auto known = log.producers().check(batch_of(producer, sequence).header());
  return known ? ErrorCode::NONE : known.error().code();
}

std::shared_ptr<Log> restarted(HostileWorld& world) {
  world.cut_power();
  world.start();
  const auto log = world.logs.at("a-0");
  INFO((log->offline() ? log->offline()->message() : ""));
  REQUIRE(!log->offline());
  return log;
}

}  // namespace

TEST_CASE("a batch that was deleted is still a duplicate after a power cut") {
  size_t known = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const bool caching = seed % 2 == 0;
    HostileWorld world(seed);
    world.settings.write_caching = caching;
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    for (int32_t sequence = 0; sequence < 7; ++sequence) append(world, *log, batch_of(7, sequence));
    if (seed % 3 == 0) REQUIRE(world.run(world.store->checkpoint()).has_value());
    REQUIRE(world.run(log->trim(Offset(7))).has_value());
    REQUIRE(log->segments().size() == 1);
    log.reset();
    log = restarted(world);
    CHECK(log->start() == Offset(7));
    // Without a journal, power loss may have taken later ones; then nothing is known, rather than the half.
    if (caching && log->producers().size() == 0) {
      log.reset();
      continue;
    }
    ++known;
    for (int32_t sequence = 2; sequence < 7; ++sequence)
      CHECK(known_at(*log, 7, sequence) == Offset(sequence));
    CHECK(known_at(*log, 7, 7) == std::nullopt);
    CHECK(refused(*log, 7, 8) == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    log.reset();
  }
  CHECK(known > kSeeds / 2);
}

TEST_CASE("what deleted and what remaining records tell of a producer is put together") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    HostileWorld world(seed);
    world.settings.segment_bytes = 2500;  // two batches
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    for (int32_t sequence = 0; sequence < 3; ++sequence) {
      append(world, *log, batch_of(7, sequence));
      append(world, *log, batch_of(8, sequence));
    }
    append(world, *log, batch_of(9, 0));
    append(world, *log, batch_of(8, 3));
    REQUIRE(world.run(log->trim(Offset(3))).has_value());  // the first segment alone
    REQUIRE(world.run(log->trim(Offset(6))).has_value());
    log.reset();
    log = restarted(world);
    CHECK(known_at(*log, 7, 0) == Offset(0));
    CHECK(known_at(*log, 7, 2) == Offset(4));
    CHECK(known_at(*log, 7, 3) == std::nullopt);
    CHECK(known_at(*log, 8, 3) == Offset(7));
    CHECK(known_at(*log, 8, 1) == Offset(3));
    CHECK(known_at(*log, 9, 0) == Offset(6));
    CHECK(log->producers().find(ProducerId(8))->recent_count == 4);
    log.reset();
  }
}

TEST_CASE("a truncation leaves what was kept, for it stays above the log's start") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    HostileWorld world(seed);
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    for (int32_t sequence = 0; sequence < 4; ++sequence) append(world, *log, batch_of(7, sequence));
    REQUIRE(world.run(log->trim(Offset(4))).has_value());
    append(world, *log, batch_of(7, 4));
    REQUIRE(world.run(log->truncate(Offset(4))).has_value());
    CHECK(known_at(*log, 7, 3) == Offset(3));
    CHECK(known_at(*log, 7, 4) == std::nullopt);
    append(world, *log, batch_of(8, 0));
    log.reset();
    log = restarted(world);
    CHECK(known_at(*log, 7, 3) == Offset(3));
    CHECK(known_at(*log, 7, 4) == std::nullopt);
    CHECK(known_at(*log, 8, 0) == Offset(4));
    log.reset();
  }
}

// Seed 991 of the storage world.
TEST_CASE(
    "a log that lost everything above its start to power loss keeps nothing of older producers either") {
  for (const bool truncated : {false, true}) {
    HostileWorld world;
    world.settings.write_caching = true;
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    for (int32_t sequence = 0; sequence < 7; ++sequence) append(world, *log, batch_of(7, sequence));
    REQUIRE(world.run(log->trim(Offset(5))).has_value());
    log.reset();
    world.disk.power_cut = simulation::SimDisk::PowerCut{1, true};
    world.cut_power();
    world.start();
    world.finish_replay();
    log = world.logs.at("a-0");
    REQUIRE(!log->offline());
    REQUIRE(log->end() == Offset(5));
    CHECK(log->producers().size() == 0);
    append(world, *log, batch_of(7, 9));
    append(world, *log, batch_of(7, 10));
    if (truncated) {
      REQUIRE(world.run(log->truncate(Offset(6))).has_value());
    } else {
      log.reset();
      world.kill();
      world.derived.reset();
      world.start();
      log = world.logs.at("a-0");
    }
    REQUIRE(log->producers().find(ProducerId(7)) != nullptr);
    CHECK(log->producers().find(ProducerId(7))->batches().size() == (truncated ? 1 : 2));
    log.reset();
  }
}

// Seed 4450 of the node world: an old batch was sent again after a full disk, a trim and a crash.
TEST_CASE("a full disk gives up segments, and keeps what they told of producers") {
  HostileWorld world;
  world.settings.segment_bytes = 2500;  // two batches
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  for (int32_t sequence = 0; sequence < 5; ++sequence) append(world, *log, batch_of(7, sequence));
  REQUIRE(world.run(world.store->checkpoint()).has_value());
  world.settle();
  world.disk.quota_bytes = world.disk.used_bytes();
  REQUIRE(world.run(log->trim(Offset(3))).has_value());
  CHECK(log->segments().size() == 2);
  world.disk.quota_bytes = simulation::SimDisk::kNoQuota;
  log.reset();
  log = restarted(world);
  CHECK(log->start() == Offset(3));
  for (int32_t sequence = 0; sequence < 5; ++sequence) CHECK(known_at(*log, 7, sequence) == Offset(sequence));
  log.reset();
}

// Seed 6594 of the storage world: what a crash had prepared was in force, and a truncation took the
// producer's newest batches out of it, but could not bring back those before them.
TEST_CASE("what is prepared of producers is not in force before the log's start has moved") {
  for (const bool durable : {false, true}) {
    HostileWorld world;
    world.start();
    world.finish_replay();
    auto log = world.create("a-0");
    for (int32_t sequence = 0; sequence < 9; ++sequence) append(world, *log, batch_of(7, sequence));
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    world.settle();
    // The power goes between the preparation and the record, or between the record and the replacement.
    world.journal.hold();
    auto trimming = world.begin(log->trim(Offset(8)));
    REQUIRE(world.below.exists("/data/a-0/partition.producers.new") == true);
    if (durable) {
      world.background.hold();
      world.journal.release();
      world.settle();
    }
    log.reset();
    trimming.reset();
    log = restarted(world);
    CHECK(log->start() == Offset(durable ? 8 : 0));
    CHECK(world.below.exists("/data/a-0/partition.producers.new") == false);
    CHECK(world.below.exists("/data/a-0/partition.producers") == durable);
    for (int32_t sequence = 4; sequence < 9; ++sequence)
      CHECK(known_at(*log, 7, sequence) == Offset(sequence));
    if (!durable) {
      world.finish_replay();
      REQUIRE(world.run(log->truncate(Offset(3))).has_value());
      for (int32_t sequence = 0; sequence < 3; ++sequence)
        CHECK(known_at(*log, 7, sequence) == Offset(sequence));
    }
    log.reset();
  }
}

TEST_CASE("a full disk refuses a trim that gives nothing back and has no room for what it would forget") {
  HostileWorld world;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  append(world, *log, batch_of(7, 0));
  REQUIRE(world.run(log->trim(Offset(1))).has_value());
  for (int32_t sequence = 1; sequence < 4; ++sequence) append(world, *log, batch_of(7, sequence));
  world.disk.quota_bytes = world.disk.used_bytes();
  const auto refused = world.run(log->trim(Offset(3)));
  REQUIRE(!refused);
  CHECK(refused.error().kind() == ErrorKind::no_space);
  CHECK(log->start() == Offset(1));
  world.disk.quota_bytes = simulation::SimDisk::kNoQuota;
  log.reset();
  log = restarted(world);
  CHECK(log->start() == Offset(1));
  for (int32_t sequence = 0; sequence < 4; ++sequence) CHECK(known_at(*log, 7, sequence) == Offset(sequence));
  REQUIRE(world.run(log->trim(Offset(3))).has_value());
  log.reset();
}

TEST_CASE("kept producers that are damaged take their partition offline, not the process") {
  HostileWorld world;
  world.start();
  world.finish_replay();
  auto log = world.create("a-0");
  append(world, *log, batch_of(7, 0));
  REQUIRE(world.run(log->trim(Offset(1))).has_value());
  log.reset();
  world.end();
  auto file = world.files.open("/data/a-0/partition.producers", OpenMode::read_write);
  REQUIRE(file.has_value());
  REQUIRE((*file)->write(30, std::as_bytes(std::span("x", 1))).has_value());
  file->reset();
  world.start();
  REQUIRE(world.logs.at("a-0")->offline().has_value());
  CHECK(world.logs.at("a-0")->offline()->message().find("partition.producers") != std::string::npos);
}
