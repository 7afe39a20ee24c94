// Segment files that are not what was written: what reads and starts make of them.
#include "tests/simulation/sim_batch.h"
#include "tests/unit/storage/hostile_world.h"

using namespace tidemark;
using namespace tidemark::storage;

namespace {

constexpr size_t kPayload = 939;
constexpr size_t kBatch = protocol::kBatchHeaderBytes + kPayload;  // 1000
constexpr size_t kPerSegment = 10;                                 // batches of one record
const std::string kFolder = "/data/a-0";

std::string log_file(int64_t base) { return segment_path(kFolder, Offset(base), kLogSuffix); }

// A log of 35 records in segments of ten, whose tail is not in memory.
struct Sealed : HostileWorld {
  explicit Sealed(uint64_t seed = 1, bool snapshots = false) : HostileWorld(seed) {
    settings.segment_bytes =
        kPerSegment * kBatch + protocol::kBatchHeaderBytes;  // add() asks for a little more
    settings.index_interval_bytes = recovery.index_interval_bytes = 1500;
    options.tail_cache_bytes = 0;
    options.linger_bytes = 0;
    if (snapshots) derived = std::make_unique<simulation::SimStoreContent>(disk, counters);
    begin_life();
    log = create("a-0");
    for (int i = 0; i < 35; ++i) {
      RawBatch batch;
      batch.timestamp = 1000 + i;
      batch.payload_bytes = kPayload;
      add(*log, batch);
      settle();
    }
    REQUIRE(log->segments().size() == 4);
  }
  void begin_life() {
    start();
    finish_replay();
    store->on_log_offline = [this](const Log&, const Error& error) { heard.push_back(error.message()); };
    if (logs.contains("a-0")) log = logs.at("a-0");
  }
  // After it a start reads of the sealed segments only what it must.
  void stop() {
    REQUIRE(run(store->stop()).has_value());
    log.reset();
    end();
    REQUIRE(data == nullptr);
  }
  void write_to(const std::string& path, uint64_t position, const std::vector<std::byte>& bytes) {
    auto file = files.open(path, OpenMode::read_write);
    REQUIRE(file.has_value());
    REQUIRE((*file)->write(position, bytes).has_value());
    REQUIRE((*file)->sync_data().has_value());
  }
  std::vector<std::byte> content(const std::string& path) {
    auto file = files.open(path, OpenMode::read);
    REQUIRE(file.has_value());
    std::vector<std::byte> bytes(*(*file)->size());
    REQUIRE((*file)->read(0, bytes) == bytes.size());
    return bytes;
  }
  void spoil_end(const std::string& path, size_t bytes) {
    write_to(path, content(path).size(), std::vector<std::byte>(bytes, std::byte{0xA5}));
  }
  // Puts garbage there; what was there before.
  std::vector<std::byte> spoil(const std::string& path, uint64_t position, size_t bytes) {
    auto file = files.open(path, OpenMode::read);
    REQUIRE(file.has_value());
    std::vector<std::byte> before(bytes);
    REQUIRE((*file)->read(position, before) == bytes);
    write_to(path, position, std::vector<std::byte>(bytes, std::byte{0xA5}));
    return before;
  }
  void cut(const std::string& path, uint64_t size) {
    auto file = files.open(path, OpenMode::read_write);
    REQUIRE(file.has_value());
    REQUIRE((*file)->truncate(size).has_value());
    REQUIRE((*file)->sync_data().has_value());
  }
  void lose(const std::string& path) {
    REQUIRE(files.remove(path).has_value());
    REQUIRE(files.sync_dir(kFolder).has_value());
    data->cache().forget(path);
  }
  // All that a consumer gets from `from` on, by pieces of this size. Error: what the first failed read says.
  Result<std::vector<std::byte>> consume(Offset from, uint32_t range_bytes, uint32_t piece_bytes) {
    auto range = run(log->locate(from, log->end(), range_bytes, true));
    if (!range) return fail(range.error());
    std::vector<std::byte> bytes;
    while (range->bytes > 0) {
      auto piece = run(log->read(*range, piece_bytes));
      if (!piece) {
        consumed = bytes.size();
        return fail(piece.error());
      }
      bytes.insert(bytes.end(), piece->bytes.bytes.begin(), piece->bytes.bytes.end());
      range = piece->rest;
    }
    return bytes;
  }
  void expect_offline(const std::string& why) {
    settle();
    REQUIRE(log->offline());
    INFO(log->offline()->message());
    CHECK(log->offline()->kind() == ErrorKind::corruption);
    CHECK(log->offline()->message().find(why) != std::string::npos);
    CHECK(heard == std::vector<std::string>{log->offline()->message()});
    CHECK_FALSE(store->offline());
  }

  std::shared_ptr<Log> log;
  std::vector<std::string> heard;
  size_t consumed = 0;
};

}  // namespace

TEST_CASE("a read by pieces of any size gives the bytes of the file, whole or cut by the range") {
  Sealed world;
  auto file = world.files.open(log_file(10), OpenMode::read);
  REQUIRE(file.has_value());
  for (const uint32_t range_bytes : {500, 1000, 3030, 20'000}) {
    for (const uint32_t piece_bytes : {1, 7, 60, 61, 999, 1000, 1001, 100'000}) {
      const auto bytes = world.consume(Offset(12), range_bytes, piece_bytes);
      INFO((bytes ? "" : bytes.error().message()));
      REQUIRE(bytes.has_value());
      std::vector<std::byte> expected(std::clamp<size_t>(range_bytes, kBatch, 8 * kBatch));
      REQUIRE((*file)->read(2 * kBatch, expected) == expected.size());
      CHECK(*bytes == expected);
    }
  }
  CHECK_FALSE(world.log->offline());
}

TEST_CASE("a sealed segment that was cut short takes its log offline, and no consumer waits for ever") {
  for (const size_t left : {0 * kBatch, 3 * kBatch, 3 * kBatch + 40, 9 * kBatch + 500}) {
    Sealed world;
    world.cut(log_file(10), left);
    CHECK(world.consume(Offset(5), 1 << 20, 1 << 20).has_value());
    const auto found = world.consume(Offset(19), 1 << 20, 1 << 20);
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().kind() == ErrorKind::corruption);
    world.expect_offline("00000000000000000010.log: ends at byte");
    CHECK(world.run(world.log->locate(Offset(5), Offset(35), 1000, true)).error().kind() ==
          ErrorKind::corruption);
  }
  // Its beginning is there: the read that comes to its end finds out.
  Sealed world;
  world.cut(log_file(10), 5 * kBatch);
  CHECK_FALSE(world.consume(Offset(10), 1 << 20, 1 << 20).has_value());
  world.expect_offline("00000000000000000010.log: ends at byte 5000 instead of 10000");
}

TEST_CASE("a sealed segment that is gone takes its log offline") {
  Sealed world;
  world.lose(log_file(10));
  CHECK_FALSE(world.consume(Offset(10), 1 << 20, 1 << 20).has_value());
  world.expect_offline("00000000000000000010.log: the segment is gone");
}

TEST_CASE("a segment that cannot be read now is not damaged") {
  Sealed world;
  world.files.fail_read = [](const std::string& path) { return path.ends_with(".log"); };
  const auto found = world.consume(Offset(10), 1 << 20, 1 << 20);
  REQUIRE_FALSE(found.has_value());
  CHECK(found.error().kind() == ErrorKind::io);
  world.settle();
  world.files.fail_read = [](const std::string&) { return false; };
  CHECK(world.readable(*world.log) == 35);
}

TEST_CASE("garbage in a sealed segment is not served, however the read is cut, and takes the log offline") {
  for (const uint32_t piece_bytes : {50, 1000, 1030, 4020, 100'000}) {
    Sealed world;
    world.spoil(log_file(10), 4 * kBatch, 2 * kBatch);
    CHECK_FALSE(world.consume(Offset(11), 1 << 20, piece_bytes).has_value());
    CHECK(world.consumed <= 3 * kBatch);
    world.expect_offline("00000000000000000010.log: byte 4000");
  }
  for (const int64_t inside : {14, 15, 18}) {
    Sealed world;
    world.spoil(log_file(10), 4 * kBatch, 2 * kBatch);
    // Behind it, only an index that leads past it helps.
    if (inside == 18) world.lose(segment_path(kFolder, Offset(10), kOffsetIndexSuffix));
    CHECK_FALSE(world.consume(Offset(inside), 1 << 20, 1 << 20).has_value());
    world.expect_offline("00000000000000000010.log: byte 4000");
  }
}

TEST_CASE("a batch in another one's place is damage; a hole is none where records may be missing") {
  for (const bool compacted : {false, true}) {
    for (const int64_t offset : {12, 14}) {
      Sealed world;
      if (compacted) {
        PartitionState state = world.log->state();
        state.gaps_below = Offset(20);  // where the next segment begins
        world.stop();
        REQUIRE(write_partition_state(world.files, kFolder, state, true).has_value());
        world.begin_life();
      }
      for (const size_t slot : {3, 4}) {
        RawBatch stranger;
        stranger.base_offset = offset + static_cast<int64_t>(slot) - 3;
        stranger.payload_bytes = kPayload;
        stranger.epoch = 1;
        world.write_to(log_file(10), slot * kBatch, stranger.encode());
      }
      const auto bytes = world.consume(Offset(11), 4 * kBatch, 1500);
      world.settle();
      INFO(offset << (compacted ? " compacted " : " ") << (bytes ? "" : bytes.error().message()));
      CHECK(bytes.has_value() == (compacted && offset == 14));
      CHECK(world.log->offline().has_value() != bytes.has_value());
    }
  }
}

TEST_CASE("a truncation or a retention pass under a read is no damage") {
  Sealed world;
  const auto begin_reads = [&](Offset from) {
    auto range = world.run(world.log->locate(from, world.log->end(), 1 << 20, true));
    REQUIRE(range.has_value());
    world.read.hold();
    return std::pair(world.begin(world.log->locate(from, world.log->end(), 1 << 20, true)),
                     world.begin(world.log->read(*range, 1 << 20)));
  };
  SECTION("truncated") {
    auto [locating, reading] = begin_reads(Offset(28));
    // The cut itself looks for its place in the read lane, behind them: they see what was.
    auto cutting = world.begin(world.log->truncate(Offset(22)));
    world.read.release();
    world.settle();
    REQUIRE(cutting->has_value());
    REQUIRE(locating->has_value());
    REQUIRE(reading->has_value());
  }
  SECTION("truncated, and the file is short before they run") {
    auto [locating, reading] = begin_reads(Offset(28));
    auto cutting = world.begin(world.log->truncate(Offset(20)));  // at a segment's base: no look
    REQUIRE(cutting->has_value());
    REQUIRE((*cutting)->has_value());
    world.read.release();
    world.settle();
    CHECK((*locating)->error().code() == ErrorCode::OFFSET_OUT_OF_RANGE);
    CHECK((*reading)->error().code() == ErrorCode::OFFSET_OUT_OF_RANGE);
  }
  SECTION("deleted") {
    auto [locating, reading] = begin_reads(Offset(15));
    auto trimming = world.begin(world.log->trim(Offset(25)));
    REQUIRE(trimming->has_value());
    REQUIRE((*trimming)->has_value());
    for (const int64_t base : {0, 10}) world.data->cache().forget(log_file(base));
    world.read.release();
    world.settle();
    CHECK((*locating)->error().code() == ErrorCode::OFFSET_OUT_OF_RANGE);
    CHECK((*reading)->has_value());  // for file.delete.delay.ms
  }
  CHECK_FALSE(world.log->offline());
  world.readable(*world.log);
}

TEST_CASE("a read of what has left memory does not ask the file for what is not written yet") {
  Sealed world;
  world.write.hold();
  const Offset from = world.add(*world.log, 1, kPayload);
  world.add(*world.log, 1, kPayload);
  world.settle();
  auto range = world.run(world.log->locate(from, world.log->end(), 1 << 20, true));
  REQUIRE(range.has_value());
  REQUIRE(range->bytes == 2 * kBatch);
  // The first one is written and evicted, the second one waits.
  world.write.release();
  world.write.hold();
  world.settle();
  REQUIRE_FALSE(world.log->in_memory(from));
  REQUIRE(world.log->in_memory(from + 1));
  auto piece = world.run(world.log->read(*range, 1 << 20));
  REQUIRE(piece.has_value());
  CHECK(piece->bytes.size() == kBatch);
  piece = world.run(world.log->read(piece->rest, 1 << 20));
  REQUIRE(piece.has_value());
  CHECK(piece->bytes.size() == kBatch);
  CHECK(piece->rest.bytes == 0);
  world.write.release();
  world.settle();
  CHECK_FALSE(world.log->offline());
}

TEST_CASE("a log that damage takes offline keeps what it was given, through a checkpoint and a power cut") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Sealed world(seed);
    REQUIRE(world.run(world.log->trim(Offset(4))).has_value());
    const auto before = world.spoil(log_file(20), 0, 100);
    // On its way to the journal, and to the segment.
    world.journal.hold();
    world.write.hold();
    world.add(*world.log, 1, kPayload);
    auto answered = world.begin(world.log->wait_counted(world.log->end()));
    CHECK_FALSE(world.consume(Offset(20), 1 << 20, 1 << 20).has_value());
    world.settle();
    CHECK_FALSE(world.log->offline());
    world.journal.release();
    world.settle();
    CHECK(answered->value_or(false));
    CHECK_FALSE(world.log->offline());
    world.write.release();
    world.expect_offline("00000000000000000020.log: byte 0");
    REQUIRE(world.run(world.store->settle()).has_value());
    answered.reset();
    world.log.reset();
    world.cut_power();
    // The damaged segment put back, everything is there.
    world.write_to(log_file(20), 0, before);
    world.begin_life();
    CHECK(world.log->start() == Offset(4));
    CHECK(world.log->end() == Offset(36));
    CHECK(world.readable(*world.log) == 32);
  }
}

TEST_CASE("a read leaves a missing index file missing, and needs none") {
  Sealed world;
  const std::string index = segment_path(kFolder, Offset(10), kOffsetIndexSuffix);
  const std::string times = segment_path(kFolder, Offset(10), kTimeIndexSuffix);
  world.lose(index);
  world.lose(times);
  CHECK(world.consume(Offset(18), 1 << 20, 1 << 20).has_value());
  (void)world.run(world.log->find_by_time(1015, world.log->end()));  // the payloads are no records
  CHECK_FALSE(*world.files.exists(index));
  CHECK_FALSE(*world.files.exists(times));
}

TEST_CASE("a start finds a sealed segment below its snapshot that is not what the next one follows on") {
  struct Case {
    const char* what;
    std::function<void(Sealed&)> damage;
    const char* found;  // empty: nothing
  };
  const Case cases[] = {
      {"nothing", [](Sealed&) {}, ""},
      // Which shows that the snapshot is used: only a scan looks at payloads.
      {"a flipped payload", [](Sealed& w) { w.spoil(log_file(10), 4900, 1); }, ""},
      {"the first is gone", [](Sealed& w) { w.lose(log_file(0)); },
       "starts at offset 0, and its first segment is 10"},
      {"one is gone", [](Sealed& w) { w.lose(log_file(10)); },
       "ends at offset 10, and the next one begins at 20"},
      {"empty", [](Sealed& w) { w.cut(log_file(10), 0); },
       "ends at offset 10, and the next one begins at 20"},
      {"cut between batches", [](Sealed& w) { w.cut(log_file(10), 3 * kBatch); }, "ends at offset 13"},
      {"one batch short", [](Sealed& w) { w.cut(log_file(10), 9 * kBatch); }, "ends at offset 19"},
      {"cut in a header", [](Sealed& w) { w.cut(log_file(10), 9 * kBatch + 20); },
       "the last batch is cut short"},
      {"cut in a payload", [](Sealed& w) { w.cut(log_file(10), 9 * kBatch + 900); },
       "the last batch is cut short"},
      {"longer", [](Sealed& w) { w.spoil_end(log_file(10), 200); }, "segment 10 is damaged from byte 10000"},
      {"garbage at the end", [](Sealed& w) { w.spoil(log_file(10), 9 * kBatch, 100); },
       "segment 10 is damaged from byte 9000"},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    Sealed world(1, true);
    auto other = world.create("b-0");
    world.append(*other, 1, 100);
    other.reset();
    c.damage(world);
    world.stop();
    world.begin_life();
    INFO((world.log->offline() ? world.log->offline()->message() : ""));
    REQUIRE(world.log->offline().has_value() == (*c.found != 0));
    CHECK(world.readable(*world.logs.at("b-0")) == 1);
    if (*c.found == 0) continue;
    CHECK(world.log->offline()->kind() == ErrorKind::corruption);
    CHECK(world.log->offline()->message().find(c.found) != std::string::npos);
  }
}

TEST_CASE("a start builds the index files of a sealed segment again that are missing, short or wrong") {
  const std::string index = segment_path(kFolder, Offset(10), kOffsetIndexSuffix);
  const std::string times = segment_path(kFolder, Offset(10), kTimeIndexSuffix);
  struct Case {
    const char* what;
    std::function<void(Sealed&)> damage;
  };
  const Case cases[] = {
      {"no .index", [&](Sealed& w) { w.lose(index); }},
      {"an empty .index", [&](Sealed& w) { w.cut(index, 0); }},
      {"a short .index", [&](Sealed& w) { w.cut(index, OffsetPosition::kBytes); }},
      {"an .index cut in an entry", [&](Sealed& w) { w.cut(index, OffsetPosition::kBytes + 3); }},
      {"an .index that names no batch",
       [&](Sealed& w) { w.spoil(index, 4 * OffsetPosition::kBytes - 1, 1); }},
      {"no .timeindex", [&](Sealed& w) { w.lose(times); }},
      {"an empty .timeindex", [&](Sealed& w) { w.cut(times, 0); }},
      {"a short .timeindex", [&](Sealed& w) { w.cut(times, TimestampOffset::kBytes); }},
      {"a .timeindex without its last entry", [&](Sealed& w) { w.cut(times, 4 * TimestampOffset::kBytes); }},
      {"a .timeindex cut in an entry", [&](Sealed& w) { w.cut(times, TimestampOffset::kBytes + 5); }},
      {"a .timeindex that names an offset beyond the segment",
       [&](Sealed& w) { w.spoil(times, 5 * TimestampOffset::kBytes - 1, 1); }},
      {"neither", [&](Sealed& w) { w.lose(index), w.lose(times); }},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    Sealed world(1, true);
    REQUIRE(world.run(world.store->checkpoint()).has_value());
    const auto index_was = world.content(index);
    const auto times_was = world.content(times);
    REQUIRE(index_was.size() == 4 * OffsetPosition::kBytes);
    REQUIRE(times_was.size() == 5 * TimestampOffset::kBytes);
    c.damage(world);
    world.stop();
    world.begin_life();
    INFO((world.log->offline() ? world.log->offline()->message() : ""));
    REQUIRE_FALSE(world.log->offline());
    CHECK(world.content(index) == index_was);
    CHECK(world.content(times) == times_was);
    CHECK(world.log->segments().at(1).max_timestamp == 1019);
    CHECK(world.readable(*world.log) == 35);
  }
}

// Seed 1310 of the storage world, as it was then.
TEST_CASE("indexes that a start builds again of a damaged segment hide no record from a search by time") {
  constexpr uint64_t kMaxTimestampAt = 35;
  size_t offline = 0;
  for (uint64_t at = kMaxTimestampAt; at < kMaxTimestampAt + 8; ++at) {
    for (const unsigned bit : {0U, 4U, 7U}) {
      INFO("byte " << at << ", bit " << bit);
      HostileWorld world;
      world.derived = std::make_unique<simulation::SimStoreContent>(world.disk, world.counters);
      world.settings.segment_bytes = 4'000;
      world.start();
      world.finish_replay();
      auto log = world.create("a-0");
      for (int i = 0; i < 12; ++i) {
        simulation::SimBatch batch;
        batch.value_bytes = 900;
        batch.timestamp_ms = 1000 + i;
        world.add(*log, batch.encode());
        world.settle();
      }
      REQUIRE(log->segments().size() > 2);
      const Offset base = log->segments()[1].base;
      const int64_t last = log->segments()[2].base.value - 1;
      REQUIRE(world.run(world.store->stop()).has_value());
      log.reset();
      world.end();
      const auto file = world.files.open(log_file(base.value), OpenMode::read_write);
      const auto bytes = (*file)->size().value() / static_cast<uint64_t>(last - base.value + 1);
      const uint64_t position = bytes * static_cast<uint64_t>(last - base.value) + at;
      std::vector<std::byte> byte(1);
      REQUIRE((*file)->read(position, byte) == 1U);
      byte[0] ^= std::byte{static_cast<unsigned char>(1U << bit)};
      REQUIRE((*file)->write(position, std::span<const std::byte>(byte)).has_value());
      REQUIRE(world.files.remove(segment_path(kFolder, base, kTimeIndexSuffix)).has_value());
      world.start();
      log = world.logs.at("a-0");
      if (log->offline()) {
        ++offline;
        continue;
      }
      const auto found = world.run(log->find_by_time(1000 + last, log->end()));
      if (found) CHECK((*found && (*found)->offset == Offset(last)));
    }
  }
  CHECK(offline > 0);
}

TEST_CASE("a scrub reads every sealed segment through, a piece at a time, once in its interval") {
  Sealed world;
  world.stop();
  world.options.scrub_bytes_per_second = 3000;
  world.options.scrub_interval = std::chrono::seconds(60);
  world.begin_life();
  const auto after = [&](int seconds) {
    world.time.run_until(world.time.mono() + std::chrono::seconds(seconds));
    return world.store->scrub_stats().bytes;
  };
  CHECK(after(4) == 0);
  CHECK(after(5) > 3000);
  CHECK(world.store->scrub_stats().bytes <= 5 * 3000);
  CHECK(after(10) == 30 * kBatch);  // the active segment is not sealed
  CHECK(after(40) == 30 * kBatch);
  CHECK(after(20) == 60 * kBatch);
  CHECK_FALSE(world.log->offline());
}

TEST_CASE("a scrub takes a log offline for what no read of headers sees, and for what is gone") {
  for (const int damage : {0, 1, 2}) {
    Sealed world;
    world.options.scrub_bytes_per_second = 1 << 20;
    world.stop();
    world.begin_life();
    if (damage == 0) world.spoil(log_file(10), 4 * kBatch + 500, 1);
    if (damage == 1) world.cut(log_file(20), 7 * kBatch);
    if (damage == 2) world.lose(log_file(0));
    world.time.run_until(world.time.mono() + std::chrono::seconds(6));
    world.expect_offline(damage == 0
                             ? "00000000000000000010.log: the batch at position 4000 has a wrong checksum"
                         : damage == 1 ? "00000000000000000020.log: ends at byte 7000 instead of 10000"
                                       : "00000000000000000000.log: the segment is gone");
  }
}

TEST_CASE("a search by time believes no batch with a wrong checksum") {
  Sealed world;
  world.spoil(log_file(10), 4 * kBatch + 500, 1);
  CHECK_FALSE(world.run(world.log->find_by_time(1014, world.log->end())).has_value());
  world.expect_offline("a-0: the batch at offset 14 has a wrong checksum");
}

TEST_CASE(
    "a flipped bit of a leader epoch, which no checksum covers, is damage to readers, scrub and start") {
  const auto flip = [](Sealed& world) {
    world.write_to(log_file(10), 3 * kBatch + protocol::kBatchLeaderEpochAt, {std::byte{0x01}});
  };
  SECTION("readers") {
    Sealed world;
    flip(world);
    CHECK_FALSE(world.consume(Offset(11), 4 * kBatch, 1500).has_value());
    world.expect_offline("00000000000000000010.log: byte 3000 has leader epoch 16777217 instead of 1");
  }
  SECTION("scrub") {
    Sealed world;
    world.options.scrub_bytes_per_second = 1 << 20;
    world.stop();
    world.begin_life();
    flip(world);
    world.time.run_until(world.time.mono() + std::chrono::seconds(6));
    world.expect_offline("00000000000000000010.log: the batch at position 3000 has leader epoch 16777217");
  }
  SECTION("start") {
    Sealed world;
    world.stop();
    flip(world);
    world.begin_life();
    REQUIRE(world.log->offline());
    CHECK(world.log->offline()->message().find("byte 4000 has leader epoch 1, and one before it 16777217") !=
          std::string::npos);
  }
}

TEST_CASE(
    "a scrub goes on where segments are deleted, rolled and truncated beneath it, and asks again for what "
    "the disk does not give") {
  Sealed world;
  world.options.scrub_bytes_per_second = 2000;
  world.options.scrub_interval = std::chrono::seconds(30);
  world.stop();
  world.begin_life();
  world.time.run_until(world.time.mono() + std::chrono::seconds(8));
  REQUIRE(world.run(world.log->trim(Offset(25))).has_value());
  for (int i = 0; i < 20; ++i) {
    world.append(*world.log, 1, kPayload);
    world.settle();
  }
  world.time.run_until(world.time.mono() + std::chrono::seconds(5));
  REQUIRE(world.run(world.log->truncate(Offset(42))).has_value());
  const uint64_t before = world.store->scrub_stats().bytes;
  bool refused = false;
  std::vector<std::string> told;
  world.store->on_scrub_error = [&](const Log& log, const Error&) { told.push_back(log.folder_name()); };
  world.files.fail_read = [&](const std::string& path) {
    refused = refused || path == log_file(20);
    return path == log_file(20);
  };
  world.time.run_until(world.time.mono() + std::chrono::seconds(30));
  CHECK(refused);
  CHECK(world.store->scrub_stats().errors == 1);
  CHECK(told == std::vector<std::string>{"a-0"});
  world.files.fail_read = [](const std::string&) { return false; };
  world.time.run_until(world.time.mono() + std::chrono::seconds(60));
  CHECK(world.store->scrub_stats().bytes >= before + 4 * 10 * kBatch);
  CHECK_FALSE(world.log->offline());
  CHECK_FALSE(world.store->offline());
}

TEST_CASE("a scrub does not look at what was deleted below the log's start") {
  Sealed world;
  world.options.scrub_bytes_per_second = 1 << 20;
  REQUIRE(world.run(world.log->trim(Offset(17))).has_value());
  world.stop();
  world.begin_life();
  world.spoil(log_file(10), 3 * kBatch + 500, 1);
  world.time.run_until(world.time.mono() + std::chrono::seconds(6));
  CHECK(world.store->scrub_stats().bytes == 13 * kBatch);
  CHECK_FALSE(world.log->offline());
  world.spoil(log_file(10), 7 * kBatch + 500, 1);
  world.time.run_until(world.time.mono() + std::chrono::hours(24));
  world.expect_offline("00000000000000000010.log: the batch at position 7000 has a wrong checksum");
}

TEST_CASE("an active segment that lost its end after a clean stop is damaged, and not a shorter log") {
  for (const size_t left : {0 * kBatch, 2 * kBatch, 4 * kBatch}) {
    Sealed world(1, true);
    world.stop();
    world.cut(log_file(30), left);
    world.begin_life();
    REQUIRE(world.log->offline());
    INFO(world.log->offline()->message());
    CHECK(world.log->offline()->kind() == ErrorKind::corruption);
    CHECK(world.log->offline()->message().find("but was answered for up to 35") != std::string::npos);
  }
}
