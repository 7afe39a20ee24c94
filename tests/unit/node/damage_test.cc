// A whole broker whose disk has changed what it was given, or fails beneath a start.
#include "storage/format/journal_format.h"
#include "tests/simulation/sim_file_system.h"
#include "tests/unit/node/one_broker.h"

namespace tidemark::simulation {
namespace {

// A byte of the last group that a later one states to be synced.
void flip(OneBroker& world, const std::string& path) {
  SimFileSystem files(world.disk);
  auto file = files.open(path, storage::OpenMode::read_write);
  REQUIRE(file);
  std::vector<std::byte> bytes(*(*file)->size());
  REQUIRE((*file)->read(0, bytes));
  const auto header = storage::decode_stretch_header(bytes);
  REQUIRE(header);
  REQUIRE(header->has_value());
  const auto scan = storage::scan_stretch(bytes, **header, nullptr);
  REQUIRE(scan.groups.size() > 2);
  const auto& group = scan.groups[scan.groups.size() - 2];
  const std::vector<std::byte> flipped = {group.payload[0] ^ std::byte{0x10}};
  REQUIRE((*file)->write(static_cast<uint64_t>(group.payload.data() - bytes.data()),
                         std::span<const std::byte>(flipped)));
}

// Some groups in each journal, and a kill before a checkpoint frees them.
void damage(OneBroker& world, const std::string& journal) {
  world.options.shards = 2;
  world.start();
  REQUIRE(world.create_topic("tide", 4) == ErrorCode::NONE);
  for (int i = 0; i < 6; ++i) {
    for (int32_t p = 0; p < 4; ++p) REQUIRE(world.produce("tide", p, 100) == ErrorCode::NONE);
  }
  world.crash(CrashKind::kill);
  flip(world, "/data/tidemark/journal/" + journal);
}

}  // namespace

TEST_CASE("a flipped bit in a shard's journal takes that shard's partitions offline, and never the node") {
  OneBroker world;
  damage(world, "1-0-0.journal");
  world.start();
  int offline = 0;
  for (int32_t p = 0; p < 4; ++p) {
    const ErrorCode code = world.produce("tide", p, 100);
    CHECK((code == ErrorCode::NONE || code == ErrorCode::KAFKA_STORAGE_ERROR));
    offline += code == ErrorCode::NONE ? 0 : 1;
  }
  CHECK(offline == 2);
  CHECK(world.create_topic("another", 2) == ErrorCode::NONE);
  CHECK(world.produce("another", 0, 100) == ErrorCode::NONE);
  CHECK(world.produce("another", 1, 100) == ErrorCode::NONE);
}

TEST_CASE(
    "a leader epoch that a partition has never come to takes it offline at the start, and never the node") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 2) == ErrorCode::NONE);
  for (int32_t p = 0; p < 2; ++p) REQUIRE(world.produce("tide", p, 100) == ErrorCode::NONE);
  world.broker->stop();
  while (!world.broker->stopped()) REQUIRE(world.time.step());
  world.crash(CrashKind::kill);
  {
    SimFileSystem files(world.disk);
    auto file = files.open("/data/tide-0/00000000000000000000.log", storage::OpenMode::read_write);
    REQUIRE(file);
    // No checksum covers it.
    REQUIRE((*file)->write(protocol::kBatchLeaderEpochAt, std::vector<std::byte>{std::byte{1}}));
  }
  for (int life = 0; life < 2; ++life) {
    world.start();
    CHECK(world.produce("tide", 0, 100) == ErrorCode::KAFKA_STORAGE_ERROR);
    CHECK(world.produce("tide", 1, 100) == ErrorCode::NONE);
    CHECK(std::ranges::any_of(world.log, [](const std::string& line) {
      return line.find("has leader epoch 16777") != std::string::npos;
    }));
    world.crash(CrashKind::kill);
  }
}

TEST_CASE("a node whose metadata journal is damaged says which file it is, and what to do") {
  OneBroker world;
  damage(world, "1-65535-0.journal");
  for (int start = 0; start < 2; ++start) {
    const auto failure = world.try_start();
    REQUIRE(failure.has_value());
    CHECK(failure->message().find("/data/tidemark/journal/1-65535-0.journal") != std::string::npos);
    CHECK(failure->message().find("restore the data folder") != std::string::npos);
    world.crash(CrashKind::kill);
  }
}

TEST_CASE("a node that cannot sync what it has replayed takes its folder offline") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 1) == ErrorCode::NONE);
  REQUIRE(world.produce("tide", 0, 100) == ErrorCode::NONE);
  world.crash(CrashKind::kill);
  world.disk.on_operation = [&](DiskOp, std::string_view path, uint64_t, uint64_t) {
    world.disk.faults.sync_fails = path.ends_with(".log") ? 1 : 0;
  };
  world.start();
  world.time.run_until(world.time.mono() + std::chrono::milliseconds(10));
  world.disk.on_operation = {};
  world.disk.faults.sync_fails = 0;
  REQUIRE(world.broker->offline().has_value());
  CHECK(world.broker->offline()->message().find("replayed data") != std::string::npos);
  CHECK(world.produce("tide", 0, 100) == ErrorCode::KAFKA_STORAGE_ERROR);
  world.crash(CrashKind::power);
  world.start();
  CHECK(world.produce("tide", 0, 100) == ErrorCode::NONE);
}

// Seed 1555 of the node world: a log that the failed group creates might bury a namesake made after it.
TEST_CASE("a journal that fails takes all shards of its folder offline before it is answered for") {
  OneBroker world;
  world.options.shards = 2;
  world.start();
  REQUIRE(world.create_topic("tide", 4) == ErrorCode::NONE);
  for (int32_t p = 0; p < 4; ++p) REQUIRE(world.produce("tide", p, 100) == ErrorCode::NONE);
  world.disk.on_operation = [&](DiskOp, std::string_view path, uint64_t, uint64_t) {
    world.disk.faults.sync_fails = path.ends_with("1-1-0.journal") ? 1 : 0;
  };
  int32_t failed = 0;
  while (failed < 4 && world.produce("tide", failed, 100) == ErrorCode::NONE) ++failed;
  REQUIRE(failed < 4);
  for (int32_t p = 0; p < 4; ++p) CHECK(world.produce("tide", p, 100) == ErrorCode::KAFKA_STORAGE_ERROR);
  CHECK(world.create_topic("another", 1) == ErrorCode::KAFKA_STORAGE_ERROR);
  REQUIRE(world.broker->offline().has_value());
  world.disk.on_operation = {};
  world.disk.faults.sync_fails = 0;
  world.crash(CrashKind::power);
  world.start();
  for (int32_t p = 0; p < 4; ++p) CHECK(world.produce("tide", p, 100) == ErrorCode::NONE);
}

}  // namespace tidemark::simulation
