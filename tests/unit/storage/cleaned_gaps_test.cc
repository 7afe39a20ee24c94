// Where the log cleaner has been, missing offsets are no damage; above that they are, whoever comes across
// them.
#include "storage/double_written_file.h"
#include "storage/log_reader.h"
#include "tests/unit/storage/compacted_world.h"

namespace tidemark::storage {
namespace {

// Cleaned up to some segment's base, and with more sealed segments behind it.
struct PartlyCleaned : CompactedWorld {
  explicit PartlyCleaned(bool with_snapshots = false) {
    options.tail_cache_bytes = 0;  // every read goes to the files
    kill();
    if (with_snapshots) keep_derived();
    restart();
    fill(30);
    REQUIRE(clean_all().has_value());
    gaps_below = log->state().gaps_below;
    REQUIRE(gaps_below > Offset(0));
    REQUIRE(gaps_below <= log->end());
    fill(20);
    REQUIRE(run(store->settle()).has_value());
    REQUIRE(log->segments().at(sealed_above()).base >= gaps_below);
    REQUIRE(sealed_above() + 2 < log->segments().size());
  }
  // The first sealed segment with none but contiguous ones behind it.
  size_t sealed_above() const {
    size_t index = 0;
    while (log->segments()[index].base < gaps_below) ++index;
    return index + 1;
  }
  std::string path_of(size_t segment) const {
    return segment_path(log->folder(), log->segments()[segment].base, kLogSuffix);
  }
  // As a file system that lost it would leave it.
  void lose_segment(size_t index) {
    const std::string path = path_of(index);
    kill();
    REQUIRE(below.remove(path).has_value());
    restart();
  }
  // The last batch of a segment says that it begins two offsets later: its base lies outside of the checksum.
  void shift_last_batch(size_t index) {
    auto file = below.open(path_of(index), OpenMode::read_write);
    REQUIRE(file.has_value());
    uint64_t last = 0;
    HeaderWalker walker(**file, 0, log->segments()[index].bytes);
    Offset base;
    while (true) {
      const auto header = walker.next();
      REQUIRE(header.has_value());
      if (!*header) break;
      last = walker.batch_position();
      base = (*header)->base_offset;
    }
    const auto low = static_cast<std::byte>((base.value + 2) & 0xFF);
    REQUIRE((base.value & 0xFF) < 0xFE);
    REQUIRE((*file)->write(last + 7, std::span(&low, 1)).has_value());
  }

  Offset gaps_below;
};

TEST_CASE("a segment that is gone above what was cleaned is damage, and below it is none") {
  PartlyCleaned world(GENERATE(false, true));
  SECTION("above") {
    world.lose_segment(world.sealed_above());
    REQUIRE(world.log->offline());
    CHECK(world.log->offline()->kind() == ErrorKind::corruption);
  }
  SECTION("below") {
    // Nothing tells it from one of which no record was left.
    REQUIRE(world.log->segments()[1].base < world.gaps_below);
    world.lose_segment(1);
    REQUIRE_FALSE(world.log->offline());
    CHECK(world.log->state().gaps_below == world.gaps_below);
  }
}

TEST_CASE("it stays so when the topic is not compacted any more") {
  PartlyCleaned world;
  world.settings.compact_policy = false;
  world.settings.delete_policy = true;
  REQUIRE(world.run(world.log->change_settings(world.settings)).has_value());
  const Records seen = world.read_from(Offset(0));
  world.kill();
  world.restart();
  REQUIRE_FALSE(world.log->offline());
  CHECK((world.read_from(Offset(0)) == seen));
  world.lose_segment(world.sealed_above());
  CHECK(world.log->offline());
}

TEST_CASE("a reader, the scrub and the log cleaner come across missing offsets above what was cleaned") {
  PartlyCleaned world;
  const size_t ill = world.sealed_above();
  const Offset from = world.log->segments()[ill].base;
  const Offset behind = world.log->segments()[ill + 1].base;
  world.shift_last_batch(ill);
  SECTION("a reader") {
    const auto range = world.run(world.log->locate(behind + -1, behind, 1 << 20, true));
    REQUIRE_FALSE(range.has_value());
    CHECK(range.error().kind() == ErrorKind::corruption);
    world.settle();
    CHECK(world.log->offline());
  }
  SECTION("a reader of a piece") {
    const auto range = world.run(world.log->locate(from, behind, 1 << 20, true));
    REQUIRE(range.has_value());
    const auto bytes = world.run(world.log->read_whole(*range));
    REQUIRE_FALSE(bytes.has_value());
    CHECK(bytes.error().kind() == ErrorKind::corruption);
  }
  SECTION("the scrub") {
    (void)world.run(world.log->scrub({from, 0, from, world.log->cuts(), 0}, 1 << 20));
    world.settle();
    CHECK(world.log->offline());
  }
  SECTION("the log cleaner, which would make it what was cleaned") {
    const auto cleaned = world.clean_all();
    REQUIRE_FALSE(cleaned.has_value());
    CHECK(cleaned.error().kind() == ErrorKind::corruption);
    CHECK(world.log->state().gaps_below <= from);
  }
  SECTION("a start") {
    world.kill();
    world.restart();
    CHECK(world.log->offline());
  }
}

TEST_CASE("what is appended behind a truncation has no gaps, also after a crash") {
  const bool checkpointed = GENERATE(false, true);
  PartlyCleaned world;
  REQUIRE(world.run(world.log->truncate(world.gaps_below + -7)).has_value());
  const Offset end = world.log->end();
  REQUIRE(end < world.gaps_below);
  CHECK(world.log->state().gaps_below <= end);
  if (checkpointed) REQUIRE(world.run(world.store->settle()).has_value());
  world.kill();
  world.restart();
  REQUIRE_FALSE(world.log->offline());
  CHECK(world.log->end() == end);
  CHECK(world.log->state().gaps_below <= end);
  world.gaps_below = world.log->state().gaps_below;
  world.fill(20);
  REQUIRE(world.run(world.store->settle()).has_value());
  world.lose_segment(world.sealed_above());
  CHECK(world.log->offline());
}

// Nothing below is condemned: that is the crash test of log_cleaner_test.cc.
TEST_CASE("a crash at any moment of a cleaning excuses nothing above the segments that it was at") {
  uint64_t changes = 1;
  for (uint64_t at = 0; at < changes; at += 2) {
    CompactedWorld world;
    world.settings.segment_bytes = 800;
    world.fill(20);
    REQUIRE(world.run(world.store->settle()).has_value());
    world.files.changes = 0;
    world.files.changes_left = at;
    const auto cleaned = world.clean_all();
    changes = cleaned ? world.files.changes : at + 3;
    at % 4 == 0 ? world.cut_power() : world.kill();
    world.restart();
    INFO("stopped behind " << at << " changes");
    REQUIRE_FALSE(world.log->offline());
    const Offset gaps_below = world.log->state().gaps_below;
    if (cleaned) {
      CHECK(gaps_below > Offset(0));
      continue;
    }
    // All but the last of the segments below have been exchanged: each has lost records.
    const auto& segments = world.log->segments();
    const Records seen = world.read_from(Offset(0));
    size_t whole = 0;
    for (size_t i = 0; i + 1 < segments.size() && segments[i + 1].base <= gaps_below; ++i) {
      const auto first = seen.lower_bound(segments[i].base);
      const auto last = seen.lower_bound(segments[i + 1].base);
      if (std::distance(first, last) == segments[i + 1].base - segments[i].base) ++whole;
    }
    INFO("gaps below " << gaps_below.value << " of " << world.log->end().value);
    CHECK(whole <= 3);  // a segment group of several sources
    REQUIRE(at < 1000);
  }
  CHECK(changes > 20);
}

TEST_CASE("a folder from before that was told opens, and what is appended from then on has no gaps") {
  PartlyCleaned world;
  const PartitionState state = world.log->state();
  const std::string path = partition_state_path(world.log->folder());
  const Offset end = world.log->end();
  const Records seen = world.read_from(Offset(0));
  world.kill();
  auto payload = encode_partition_state(state);
  payload.resize(payload.size() - 16 - 8);  // without home, and without gaps_below
  REQUIRE(world.below.remove(path).has_value());
  {
    auto file = DoubleWrittenFile::open(world.below, path, 0x53504D54, 2);
    REQUIRE(file.has_value());
    REQUIRE(file->write(payload).has_value());
  }
  world.restart();
  REQUIRE_FALSE(world.log->offline());
  CHECK(world.log->state().cleaned_to == state.cleaned_to);
  CHECK(world.log->state().gaps_below == end);
  CHECK((world.read_from(Offset(0)) == seen));
  world.gaps_below = end;
  world.fill(20);
  REQUIRE(world.run(world.store->settle()).has_value());
  world.lose_segment(world.sealed_above());
  CHECK(world.log->offline());
}

TEST_CASE("a log that was never cleaned has no gaps, whatever its format says") {
  PartitionState state;
  state.cleaned_to = kNoOffset;
  simulation::FaultCounters counters;
  simulation::SimDisk disk(1, counters);
  simulation::SimFileSystem files(disk);
  REQUIRE(files.create_dir("/t-0").has_value());
  auto payload = encode_partition_state(state);
  payload.resize(payload.size() - (GENERATE(16, 24, 32)));
  auto file = DoubleWrittenFile::open(files, partition_state_path("/t-0"), 0x53504D54, 2);
  REQUIRE(file.has_value());
  REQUIRE(file->write(payload).has_value());
  const auto read = read_partition_state(files, "/t-0");
  REQUIRE(read.has_value());
  REQUIRE(read->has_value());
  CHECK((*read)->gaps_below == Offset(0));
}

}  // namespace
}  // namespace tidemark::storage
