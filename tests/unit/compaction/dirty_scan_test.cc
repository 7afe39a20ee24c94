// The dirty part of a log in the offset map: what counts, and where it ends.
#include "storage/compaction/dirty_scan.h"

#include "tests/unit/compaction/test_log.h"

using namespace tidemark;
using namespace tidemark::storage;
using protocol::CompressionType;

namespace {

OffsetMap map_of(size_t keys) { return {2 * keys * OffsetMap::kEntryBytes, 0.5, {8, 9}}; }

// Steps until the scan is done; how many it took.
size_t run(DirtyScan& scan, uint64_t step_bytes = UINT64_MAX) {
  for (size_t steps = 1;; ++steps) {
    const auto done = scan.step(step_bytes);
    REQUIRE(done.has_value());
    if (*done) return steps;
  }
}

}  // namespace

TEST_CASE("the map names each key's newest offset, in whatever steps and codecs it was read") {
  for (const uint64_t step : {uint64_t{0}, uint64_t{1}, uint64_t{150}, UINT64_MAX}) {
    TestLog log;
    for (int codec = 0; codec <= 4; ++codec) {
      log.add({"a=1", "b=1", "=x"}, {.codec = static_cast<CompressionType>(codec)});
      log.add({"a=2", "c"}, {.codec = static_cast<CompressionType>(codec)});
      log.roll();
    }
    OffsetMap map = map_of(10);
    DirtyScan scan(log.files, log.dirty_part(Offset(0), Offset(25)), map);
    const size_t steps = run(scan, step);
    CHECK(steps >= (step <= 1 ? 10 : 1));
    CHECK(!scan.full());
    CHECK(map.end() == Offset(25));
    CHECK(map.size() == 3);
    CHECK(map.find(as_bytes("a")) == Offset(23));
    CHECK(map.find(as_bytes("b")) == Offset(21));
    CHECK(map.find(as_bytes("c")) == Offset(24));
    CHECK(scan.records_read() == 25);
    CHECK(scan.bytes_read() == log.bytes().size());
  }
}

TEST_CASE("a scan that begins inside of a batch takes what is at or behind its beginning") {
  TestLog log;
  log.add({"a=1", "b=1", "c=1"});
  log.roll();
  log.add({"c=2", "d=1"});
  log.roll();
  OffsetMap map = map_of(10);
  DirtyScan scan(log.files, log.dirty_part(Offset(1), Offset(5)), map);
  run(scan);
  CHECK(map.find(as_bytes("a")) == std::nullopt);
  CHECK(map.find(as_bytes("b")) == Offset(1));
  CHECK(map.find(as_bytes("c")) == Offset(3));
  OffsetMap behind = map_of(10);
  DirtyScan later(log.files, log.dirty_part(Offset(3), Offset(5)), behind);
  run(later);
  CHECK(behind.size() == 2);
}

TEST_CASE("a full map ends the part at the last batch that fits whole") {
  TestLog log;
  log.add({"a=1", "b=1"});
  log.add({"a=2", "c=1"});
  log.add({"a=3", "d=1", "e=1"});
  log.add({"a=4"});
  log.roll();
  OffsetMap map = map_of(4);
  DirtyScan scan(log.files, log.dirty_part(Offset(0), log.end), map);
  run(scan, 1);
  CHECK(scan.full());
  CHECK(map.end() == Offset(4));
  CHECK(map.size() == 4);
  // Known already, above the end: the record that it names stays, so that an older one may go.
  CHECK(map.find(as_bytes("a")) == Offset(4));
  // More of known keys needs no room.
  OffsetMap enough = map_of(5);
  DirtyScan all(log.files, log.dirty_part(Offset(0), log.end), enough);
  run(all);
  CHECK(!all.full());
  CHECK(enough.end() == Offset(8));
}

TEST_CASE("a batch with more keys than the map takes is mapped in part, so that cleanings go on") {
  TestLog log;
  log.add({"a=1", "b=1", "c=1", "d=1", "e=1"});
  log.roll();
  Offset from(0);
  std::vector<int64_t> ends;
  while (from < log.end) {
    OffsetMap map = map_of(2);
    DirtyScan scan(log.files, log.dirty_part(from, log.end), map);
    run(scan);
    REQUIRE(map.end() > from);
    from = map.end();
    ends.push_back(from.value);
  }
  CHECK(ends == std::vector<int64_t>{2, 4, 5});
}

TEST_CASE("offsets that no batch holds any more are mapped with their segment") {
  TestLog log;
  log.add({"a=1"});
  log.end = Offset(50);
  log.roll();
  log.roll();
  log.add({"a=2"}, {});
  log.end = Offset(80);
  log.roll();
  OffsetMap map = map_of(4);
  DirtyScan scan(log.files, log.dirty_part(Offset(0), log.end), map);
  run(scan);
  CHECK(map.end() == Offset(80));
  CHECK(map.find(as_bytes("a")) == Offset(50));
  // Nothing dirty at all.
  OffsetMap none = map_of(4);
  DirtyScan empty(log.files, {TestLog::kFolder, {}, Offset(80), {}}, none);
  CHECK(run(empty) == 1);
  CHECK(none.end() == Offset(80));
}

TEST_CASE("aborted records and markers are no reason for an older record to go") {
  const auto transactional = [](int64_t id) {
    return protocol::BatchOptions{.producer_id = ProducerId(id),
                                  .producer_epoch = ProducerEpoch(0),
                                  .base_sequence = 0,
                                  .transactional = true};
  };
  TestLog log;
  log.add({"a=1", "b=1"});
  log.add({"a=2"}, transactional(1));  // 2, aborted
  log.add({"b=2"}, transactional(2));  // 3, committed
  log.append(make_marker(Offset(4), ProducerId(1), false));
  log.append(make_marker(Offset(5), ProducerId(2), true));
  log.add({"c=1"}, transactional(1));  // 6, committed
  log.append(make_marker(Offset(7), ProducerId(1), true));
  log.roll();
  OffsetMap map = map_of(10);
  DirtyScan scan(log.files,
                 log.dirty_part(Offset(0), log.end, {{ProducerId(1), Offset(2), Offset(4), Offset(2)}}), map);
  run(scan);
  CHECK(map.size() == 3);
  CHECK(map.find(as_bytes("a")) == Offset(0));
  CHECK(map.find(as_bytes("b")) == Offset(3));
  CHECK(map.find(as_bytes("c")) == Offset(6));
}

TEST_CASE("a segment that does not hold what its log says ends the scan as corruption") {
  const auto scan_error = [](const std::function<void(TestLog&, DirtyPart&)>& damage) {
    TestLog log;
    log.add({"a=1", "b=1"});
    log.add({"a=2"});
    log.roll();
    log.add({"b=2"});
    log.roll();
    DirtyPart part = log.dirty_part(Offset(0), log.end);
    damage(log, part);
    OffsetMap map = map_of(10);
    DirtyScan scan(log.files, part, map);
    while (true) {
      const auto done = scan.step(1);
      if (!done) return done.error();
      if (*done) return Error::closed("no error");
    }
  };
  const auto flip = [](TestLog& log, Offset base, uint64_t at) {
    auto bytes = log.file(log.path(base));
    bytes[at] ^= std::byte{0x10};
    log.overwrite(log.path(base), at, std::span(bytes).subspan(at, 1));
  };
  CHECK(scan_error([](TestLog&, DirtyPart&) {}).kind() == ErrorKind::closed);
  const Error flipped = scan_error([&](TestLog& log, DirtyPart&) { flip(log, Offset(3), 65); });
  CHECK(flipped.kind() == ErrorKind::corruption);
  CHECK(flipped.message().find("/log/00000000000000000003.log: ") == 0);
  CHECK(scan_error([](TestLog&, DirtyPart& p) { p.segments[1].bytes += 1; }).kind() == ErrorKind::corruption);
  CHECK(scan_error([](TestLog&, DirtyPart& p) { p.segments[1].bytes -= 1; }).kind() == ErrorKind::corruption);
  CHECK(scan_error([](TestLog&, DirtyPart& p) { p.segments[0].next_offset = Offset(2); }).kind() ==
        ErrorKind::corruption);
  CHECK(scan_error([](TestLog& log, DirtyPart&) {
          REQUIRE(log.files.remove(log.path(Offset(3))).has_value());
        }).kind() == ErrorKind::io);
  CHECK(scan_error([](TestLog& log, DirtyPart&) { log.disk.faults.read_fails = 1; }).kind() == ErrorKind::io);
}
