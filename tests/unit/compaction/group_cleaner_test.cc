// A group of segments as one: files, indexes, numbers, and what is left when it does not come to that.
#include "storage/compaction/group_cleaner.h"

#include "tests/unit/compaction/test_log.h"

using namespace tidemark;
using namespace tidemark::storage;

namespace {

// Every key of `log` mapped, and a cleaner of all its segments but the last, which is active.
struct Cleaning {
  TestLog& log;
  OffsetMap map{1 << 14, 0.9, {1, 2}};
  CleanedTransactions transactions{{}};
  BatchCleaner batches;
  GroupCleaner group;

  explicit Cleaning(TestLog& l, IndexLimits limits = {64, 10 << 20})
      : log(l),
        batches(map, transactions, {2'000'000, 1000, sealed_end(), {}}),
        group(log.files, TestLog::kFolder, "m", log.sources(0, log.segments.size() - 1), batches,
              transactions, limits) {
    DirtyScan scan(log.files, log.dirty_part(Offset(0), sealed_end()), map);
    REQUIRE(scan.step(UINT64_MAX) == true);
  }
  [[nodiscard]] Offset sealed_end() const { return log.segments.back().facts.base_offset; }
  [[nodiscard]] std::vector<std::string> leftovers() {
    std::vector<std::string> names;
    const auto entries = log.files.list(TestLog::kFolder);
    for (const DirEntry& entry : *entries)
      if (entry.name.ends_with(kCleanedSuffix)) names.push_back(entry.name);
    return names;
  }
};

// `segments` sealed ones of `batches` batches with five records each, of 40 keys, and an active one.
void fill(TestLog& log, int segments, int batches, size_t value_bytes = 20) {
  int64_t n = 0;
  for (int s = 0; s < segments; ++s) {
    for (int b = 0; b < batches; ++b) {
      protocol::BatchBuilder builder({.base_offset = log.end});
      for (int r = 0; r < 5; ++r, ++n) {
        builder.add(1'000'000 + (n * 7919) % 1000, as_bytes(fmt::format("k{}", n * 31 % 40)),
                    as_bytes(std::string(value_bytes, 'v')));
      }
      log.append(*builder.build());
    }
    log.roll();
  }
}

}  // namespace

TEST_CASE("segments become one under the name of the first, and the log reads on as before") {
  TestLog log;
  log.add({"a=1", "b=1", "c=1"});
  log.roll();
  log.add({"a=2", "d=1"});
  log.roll();
  log.add({"b"});
  log.roll();
  log.add({"a=3"});
  const Bytes active = log.file(log.path(Offset(6)));
  const RoundResult round = log.clean({.from = Offset(0), .end = Offset(6)});
  CHECK(round.end == Offset(6));
  REQUIRE(round.segments.size() == 1);
  const CleanedSegment& cleaned = round.segments[0];
  CHECK(cleaned.base == Offset(0));
  CHECK(cleaned.next_offset == Offset(6));
  CHECK(log.content() == "2:c=1 3:a=2 4:d=1 5:b 6:a=3");
  CHECK(log.file(log.path(Offset(6))) == active);
  CHECK(cleaned.bytes + active.size() == log.bytes().size());
  CHECK(cleaned.stats.records_read == 6);
  CHECK(cleaned.stats.records_kept == 4);
  CHECK(cleaned.stats.bytes_kept == cleaned.bytes);
  CHECK(cleaned.stats.batches_copied == 1);
  CHECK(cleaned.stats.batches_rewritten == 2);
  CHECK(cleaned.first_timestamp == 1'002'000);
  CHECK(cleaned.max_timestamp == 1'005'000);
}

TEST_CASE("the new segment's indexes find each of its batches, as Kafka's do") {
  TestLog log;
  fill(log, 3, 40);
  const RoundResult round = log.clean({.from = Offset(0)});
  REQUIRE(round.segments.size() == 1);
  std::map<Offset, int64_t> position_of;  // of a batch, by its last offset
  std::map<Offset, int64_t> newest;       // the greatest time up to there
  int64_t position = 0;
  int64_t greatest = -1;
  for (const SeenBatch& batch : log.batches()) {
    position_of[batch.header.last_offset()] = position;
    newest[batch.header.last_offset()] = greatest = std::max(greatest, batch.header.max_timestamp);
    position += static_cast<int64_t>(batch.bytes.size());
  }
  const auto offsets =
      OffsetIndex::parse(Offset(0), log.file(segment_path(TestLog::kFolder, Offset(0), kOffsetIndexSuffix)));
  REQUIRE(offsets.has_value());
  REQUIRE(offsets->size() >= 4);
  for (int64_t offset = 0; offset < log.end.value; ++offset) {
    const auto found = offsets->lookup(Offset(offset));
    REQUIRE(found.has_value());
    if (found->position != 0) REQUIRE(position_of.at(found->offset) == found->position);
  }
  const auto times =
      TimeIndex::parse(Offset(0), log.file(segment_path(TestLog::kFolder, Offset(0), kTimeIndexSuffix)));
  REQUIRE(times.has_value());
  CHECK(times->last().timestamp_ms == greatest);
  CHECK(newest.at(times->last().offset) == greatest);
}

TEST_CASE("an index that is full takes no more entries than it may") {
  for (const uint64_t limit : {0, 11, 12, 24, 40}) {
    TestLog log;
    fill(log, 2, 40);
    Cleaning cleaning(log, {0, limit});
    REQUIRE(cleaning.group.step(UINT64_MAX) == true);
    CHECK(log.file(cleaned_path(TestLog::kFolder, Offset(0), kOffsetIndexSuffix, "m")).size() <= limit);
    CHECK(log.file(cleaned_path(TestLog::kFolder, Offset(0), kTimeIndexSuffix, "m")).size() <= limit);
    CHECK(cleaning.group.segment().max_timestamp > 0);
  }
}

TEST_CASE("a step reads what it was allowed, and a batch at least") {
  TestLog log;
  fill(log, 3, 20);
  const Bytes whole = [&] {
    Cleaning cleaning(log);
    REQUIRE(cleaning.group.step(UINT64_MAX) == true);
    return log.file(cleaned_path(TestLog::kFolder, Offset(0), kLogSuffix, "m"));
  }();
  const uint64_t largest = 400;
  for (const uint64_t step : {0, 1, 1000, 5000}) {
    Cleaning cleaning(log);
    uint64_t before = 0;
    for (bool done = false; !done;) {
      const auto stepped = cleaning.group.step(step);
      REQUIRE(stepped.has_value());
      done = *stepped;
      const uint64_t read = cleaning.group.bytes_read() - before;
      REQUIRE(read > 0);
      REQUIRE(read < step + largest);
      before += read;
    }
    CHECK(before == log.bytes().size());
    CHECK(log.file(cleaned_path(TestLog::kFolder, Offset(0), kLogSuffix, "m")) == whole);
  }
}

TEST_CASE(
    "a cleaning that is broken off leaves nothing behind, nor does one that the process did not survive") {
  TestLog log;
  fill(log, 2, 20);
  const Bytes before = log.bytes();
  {
    Cleaning cleaning(log);
    REQUIRE(cleaning.group.step(1) == false);
    CHECK(cleaning.leftovers().size() == 1);
    REQUIRE(cleaning.group.cancel().has_value());
    CHECK(cleaning.leftovers().empty());
  }
  {
    Cleaning cleaning(log);
    REQUIRE(cleaning.group.step(UINT64_MAX) == true);
    CHECK(cleaning.leftovers() == std::vector<std::string>{"00000000000000000000.index.m.cleaned",
                                                           "00000000000000000000.log.m.cleaned",
                                                           "00000000000000000000.timeindex.m.cleaned"});
  }
  // The next one begins anew, whatever lies there.
  log.overwrite(cleaned_path(TestLog::kFolder, Offset(0), kLogSuffix, "m"), 0, Bytes(100'000));
  Cleaning cleaning(log);
  REQUIRE(cleaning.group.step(UINT64_MAX) == true);
  CHECK(log.file(cleaned_path(TestLog::kFolder, Offset(0), kLogSuffix, "m")).size() ==
        cleaning.group.segment().bytes);
  REQUIRE(remove_cleaned_leftovers(log.files, TestLog::kFolder).has_value());
  CHECK(cleaning.leftovers().empty());
  CHECK(log.bytes() == before);
}

TEST_CASE("a full disk ends the cleaning with its space given back and the log as it was") {
  TestLog log;
  fill(log, 2, 60, 500);
  const Bytes before = log.bytes();
  const uint64_t used = log.disk.used_bytes();
  // From no space at all up to what only the last index lacks.
  size_t refused = 0;
  for (uint64_t space = 0;; space += 4096) {
    log.disk.quota_bytes = used + space;
    Cleaning cleaning(log);
    Result<bool> done = false;
    while (done && !*done) done = cleaning.group.step(3000);
    if (done) {
      REQUIRE(cleaning.group.cancel().has_value());
      break;
    }
    CHECK(done.error().kind() == ErrorKind::no_space);
    CHECK(cleaning.leftovers().empty());
    CHECK(log.disk.used_bytes() == used);
    ++refused;
  }
  CHECK(refused >= 3);
  CHECK(log.bytes() == before);
}

TEST_CASE("a disk that does not write or sync is an error of the disk, and leaves nothing either") {
  TestLog log;
  fill(log, 2, 20);
  for (const bool sync : {false, true}) {
    Cleaning cleaning(log);
    (sync ? log.disk.faults.sync_fails : log.disk.faults.write_fails) = 1;
    const auto done = cleaning.group.step(UINT64_MAX);
    REQUIRE(!done.has_value());
    CHECK(done.error().kind() == ErrorKind::io);
    CHECK(cleaning.leftovers().empty());
    log.disk.heal();
  }
}

TEST_CASE("a finished segment survives a power cut once its folder is synced") {
  TestLog log;
  fill(log, 2, 20);
  Bytes whole;
  {
    Cleaning cleaning(log);
    REQUIRE(cleaning.group.step(UINT64_MAX) == true);
    whole = log.file(cleaned_path(TestLog::kFolder, Offset(0), kLogSuffix, "m"));
    REQUIRE(log.files.sync_dir(TestLog::kFolder).has_value());
    REQUIRE(log.files.sync_dir("/").has_value());
  }
  log.disk.power_cut = {1, true};
  log.disk.crash_power();
  CHECK(log.file(cleaned_path(TestLog::kFolder, Offset(0), kLogSuffix, "m")) == whole);
  CHECK(!log.file(cleaned_path(TestLog::kFolder, Offset(0), kOffsetIndexSuffix, "m")).empty());
  CHECK(!log.file(cleaned_path(TestLog::kFolder, Offset(0), kTimeIndexSuffix, "m")).empty());
}

TEST_CASE("a damaged source is corruption, names its file, and leaves nothing") {
  TestLog log;
  fill(log, 2, 20);
  Cleaning cleaning(log);
  const Offset second = log.segments[1].facts.base_offset;
  log.overwrite(log.path(second), 1000, Bytes(1, std::byte{0xA5}));
  Result<bool> done = false;
  while (done && !*done) done = cleaning.group.step(1000);
  REQUIRE(!done.has_value());
  CHECK(done.error().kind() == ErrorKind::corruption);
  CHECK(done.error().message().find(log.path(second)) == 0);
  CHECK(cleaning.leftovers().empty());
}

TEST_CASE("batches larger than every window and buffer are copied and rewritten like any others") {
  TestLog log;
  const std::string large(3 << 20, 'x');
  log.add({"a=1", "b=" + large});
  log.add({"c=" + large});
  log.roll();
  log.add({"a=2"});
  log.roll();
  const RoundResult round = log.clean({.from = Offset(0), .step_bytes = 1 << 16});
  CHECK(log.content() == "1:b=" + large + " 2:c=" + large + " 3:a=2");
  CHECK(round.stats.batches_copied == 2);
  CHECK(round.stats.batches_rewritten == 1);
}

TEST_CASE("a segment of which nothing stays is an empty one") {
  TestLog log;
  log.add({"a=1", "b=1"});
  log.roll();
  log.add({"a=2", "b=2"});
  log.roll();
  const RoundResult round = log.clean({.from = Offset(0), .segment_bytes = 1});
  REQUIRE(round.segments.size() == 2);
  CHECK(round.segments[0].bytes == 0);
  CHECK(round.segments[0].next_offset == Offset(0));
  CHECK(round.segments[0].max_timestamp == -1);
  CHECK(log.content() == "2:a=2 3:b=2");
  // And takes no place in the next group.
  CHECK(log.clean({.from = Offset(4)}).segments.size() == 1);
  CHECK(log.content() == "2:a=2 3:b=2");
}
