// The index formats: against a plain list as the model, and against damage.
#include <catch2/catch.hpp>

#include <random>

#include "storage/format/segment_indexes.h"
#include "tests/unit/storage/memory_file.h"

using namespace tidemark;
using namespace tidemark::storage;

namespace {

protocol::BatchHeader batch(int64_t base, int32_t records, int64_t timestamp, int32_t bytes) {
  protocol::BatchHeader h;
  h.base_offset = Offset(base);
  h.last_offset_delta = records - 1;
  h.record_count = records;
  h.max_timestamp = timestamp;
  h.batch_length = bytes - 12;
  return h;
}

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (int v : values) out.push_back(static_cast<std::byte>(v));
  return out;
}

}  // namespace

TEST_CASE("an offset index entry is a big-endian relative offset and a position") {
  OffsetIndex index(Offset(1000));
  index.append({Offset(1258), 0x01020304});
  index.append({Offset(1000) + INT32_MAX, INT32_MAX});
  CHECK(index.unwritten_bytes() ==
        bytes_of({0, 0, 1, 2, 1, 2, 3, 4, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff}));
  CHECK(!index.accepts({Offset(1000) + INT32_MAX + 1, INT32_MAX}));
}

TEST_CASE("a time index entry is a big-endian timestamp and a relative offset") {
  TimeIndex index(Offset(7));
  index.append({0x0102030405060708, Offset(9)});
  CHECK(index.unwritten_bytes() == bytes_of({1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 2}));
}

TEST_CASE("an empty index answers with the start of its segment") {
  CHECK(OffsetIndex(Offset(5)).lookup(Offset(100)) == OffsetPosition{Offset(5), 0});
  CHECK(TimeIndex(Offset(5)).lookup(100) == TimestampOffset{-1, Offset(5)});
  MemoryFile none;
  CHECK(*OffsetIndex::lookup_in_file(none, Offset(5), 0, Offset(100)) == OffsetPosition{Offset(5), 0});
}

TEST_CASE("lookups in memory, with forgotten entries and in the file agree with a list") {
  std::mt19937_64 random(1);
  for (size_t count : {1u, 2u, 7u, 339u, 340u, 341u, 1000u, 5000u}) {
    OffsetIndex index(Offset(100));
    std::vector<OffsetPosition> model;
    Offset offset(100);
    int64_t position = 0;
    for (size_t i = 0; i < count; ++i) {
      offset = offset + 1 + static_cast<int64_t>(random() % 5);
      position += 1 + static_cast<int64_t>(random() % 9000);
      model.push_back({offset, position});
      index.append(model.back());
    }
    MemoryFile file(index.unwritten_bytes());
    REQUIRE(file.bytes.size() == index.file_bytes());
    index.mark_written(count);
    OffsetIndex forgetful = index;
    forgetful.forget_written(10);
    CHECK(forgetful.size() == count);
    CHECK(forgetful.last() == model.back());
    auto parsed = OffsetIndex::parse(Offset(100), file.bytes);
    REQUIRE(parsed);
    auto loaded = OffsetIndex::load(file, Offset(100), 3);
    REQUIRE(loaded);
    CHECK(loaded->size() == count);
    for (Offset at(99); at <= offset + 2; at = at + 1) {
      OffsetPosition expected{Offset(100), 0};
      for (const auto& e : model)
        if (e.offset <= at) expected = e;
      REQUIRE(index.lookup(at) == expected);
      REQUIRE(parsed->lookup(at) == expected);
      file.reads = 0;
      REQUIRE(*OffsetIndex::lookup_in_file(file, Offset(100), count, at) == expected);
      REQUIRE(file.reads <= 6);
      for (const OffsetIndex* partial : {&forgetful, &*loaded}) {
        const auto found = partial->lookup(at);
        if (found) REQUIRE(*found == expected);
        if (at >= offset) REQUIRE(found);
      }
    }
  }
}

TEST_CASE("an index is damaged when its size or its order is wrong") {
  const Offset base(10);
  auto corrupt = [&](std::vector<std::byte> bytes) {
    const auto parsed = OffsetIndex::parse(base, bytes);
    MemoryFile file(bytes);
    const auto loaded = OffsetIndex::load(file, base, 100);
    return !parsed && parsed.error().kind() == ErrorKind::corruption && !loaded;
  };
  CHECK(corrupt(bytes_of({0, 0, 0, 1, 0, 0, 0})));
  // A preallocated tail of zeros, as Kafka leaves one after a crash.
  CHECK(corrupt(bytes_of({0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0})));
  CHECK(corrupt(bytes_of({0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, 5, 0, 0, 0, 10})));
  CHECK(corrupt(bytes_of({0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, 6, 0, 0, 0, 9})));
  CHECK(corrupt(bytes_of({0xff, 0, 0, 5, 0, 0, 0, 9})));
  CHECK(corrupt(bytes_of({0, 0, 0, 5, 0x80, 0, 0, 9})));
  CHECK(OffsetIndex::parse(base, bytes_of({0, 0, 0, 5, 0, 0, 0, 9})));
  CHECK(!TimeIndex::parse(
      base, bytes_of({0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 10})));
  MemoryFile short_file(bytes_of({0, 0, 0, 5, 0, 0, 0, 9}));
  CHECK(!OffsetIndex::lookup_in_file(short_file, base, 2, Offset(50)));
  CHECK(!OffsetIndex::lookup_in_file(short_file, base, 2000, Offset(50)));
  short_file.fail_reads = true;
  CHECK(OffsetIndex::lookup_in_file(short_file, base, 1, Offset(50)).error().kind() == ErrorKind::io);
}

TEST_CASE("truncation removes what names a cut offset, or says that it needs the file") {
  OffsetIndex index(Offset(0));
  for (int i = 1; i <= 10; ++i) index.append({Offset(i * 10), i * 100});
  index.mark_written(8);
  index.forget_written(4);
  CHECK(index.size() == 10);
  CHECK(!index.truncate_to(Offset(40)));
  CHECK(index.size() == 10);
  CHECK(index.truncate_to(Offset(60)));
  CHECK(index.size() == 5);
  CHECK(index.written() == 5);
  CHECK(index.last().offset == Offset(50));
  index.append({Offset(55), 555});
  CHECK(index.unwritten_bytes().size() == 8);
}

TEST_CASE("a batch is indexed once more than the interval was added since the last entry") {
  SegmentIndexes indexes(Offset(0), 4096);
  indexes.append(batch(0, 1, 50, 4096), 0);
  indexes.append(batch(1, 1, 40, 100), 4096);  // exactly the interval: none yet
  CHECK(indexes.offsets().empty());
  indexes.append(batch(2, 3, 45, 5000), 4196);
  CHECK(indexes.offsets().last() == OffsetPosition{Offset(4), 4196});
  CHECK(indexes.times().last() == TimestampOffset{50, Offset(0)});
  indexes.append(batch(5, 1, 60, 5000), 9196);
  CHECK(indexes.offsets().last() == OffsetPosition{Offset(5), 9196});
  CHECK(indexes.times().last() == TimestampOffset{60, Offset(5)});
  indexes.append(batch(6, 2, 70, 10), 14196);
  indexes.append(batch(8, 2, 70, 10), 14206);
  indexes.seal();
  CHECK(indexes.times().last() == TimestampOffset{70, Offset(7)});
  indexes.seal();
  CHECK(indexes.times().size() == 3);
}

TEST_CASE("batches without timestamps leave the time index empty") {
  SegmentIndexes indexes(Offset(0), 0);
  for (int i = 0; i < 5; ++i) indexes.append(batch(i, 1, -1, 100), static_cast<uint64_t>(i) * 100);
  indexes.seal();
  CHECK(indexes.offsets().size() == 4);
  CHECK(indexes.times().empty());
}

TEST_CASE("what 31 bits cannot hold gets no entry") {
  SegmentIndexes indexes(Offset(0), 0);
  indexes.append(batch(0, 1, 1, 100), 0);
  indexes.append(batch(1, 1, 2, 100), uint64_t{INT32_MAX} + 1);
  indexes.append(batch(int64_t{INT32_MAX} + 1, 1, 3, 100), 100);
  CHECK(indexes.offsets().empty());
}

TEST_CASE("after any truncation and replay the indexes are those of the shorter log") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::pair<protocol::BatchHeader, uint64_t>> log;
    int64_t offset = 0;
    uint64_t position = 0;
    const size_t count = 1 + random() % 40;
    const uint32_t interval = static_cast<uint32_t>(random() % 300);
    SegmentIndexes indexes(Offset(0), interval);
    for (size_t i = 0; i < count; ++i) {
      const auto b = batch(offset, 1 + static_cast<int32_t>(random() % 3),
                           static_cast<int64_t>(random() % 50), 70 + static_cast<int32_t>(random() % 100));
      log.emplace_back(b, position);
      indexes.append(b, position);
      offset = b.next_offset().value;
      position += b.size_in_bytes();
    }
    if (random() % 2) indexes.seal();
    const size_t keep = random() % (count + 1);
    const Offset end = keep == count ? Offset(offset) : log[keep].first.base_offset;
    REQUIRE(indexes.truncate_to(end));
    SegmentIndexes fresh(Offset(0), interval);
    for (size_t i = 0; i < keep; ++i) fresh.append(log[i].first, log[i].second);
    for (size_t i = 0; i < keep; ++i)
      if (log[i].second >= indexes.resume_position()) indexes.append(log[i].first, log[i].second);
    CHECK(indexes.offsets().unwritten_bytes() == fresh.offsets().unwritten_bytes());
    CHECK(indexes.max_timestamp() == fresh.max_timestamp());
    for (int64_t t = -1; t < 51; ++t) {
      // The rule that a search by time relies on: nothing before the answer's batch reaches t.
      const auto found = indexes.times().lookup(t);
      REQUIRE(found);
      for (size_t i = 0; i < keep; ++i)
        if (log[i].first.last_offset() < found->offset) REQUIRE(log[i].first.max_timestamp <= t);
    }
  }
}

TEST_CASE("a segment's indexes are full one entry early in time") {
  SegmentIndexes indexes(Offset(0), 0);
  for (int i = 0; i < 4; ++i) indexes.append(batch(i, 1, i, 100), static_cast<uint64_t>(i) * 100);
  CHECK(indexes.offsets().size() == 3);
  CHECK(indexes.times().size() == 3);
  CHECK(indexes.full(48));
  CHECK(!indexes.full(60));
  CHECK(indexes.full(24));
}
