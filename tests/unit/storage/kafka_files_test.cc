// Our formats against files that Apache Kafka 4.3.1 wrote (index.interval.bytes=300): `closed` after a clean
// stop, `restarted` after another start, more appends and another stop.
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

#include "storage/format/segment_indexes.h"
#include "storage/format/segment_scan.h"
#include "storage/leader_epoch_cache.h"
#include "storage/producer_snapshot.h"
#include "tests/unit/storage/memory_file.h"

using namespace tidemark;
using namespace tidemark::storage;
using namespace std::chrono_literals;

namespace {

const std::filesystem::path kFiles = "tests/unit/storage/kafka_files";
constexpr runtime::WallTime kNow{1'790'000'000'000ms};

std::vector<std::byte> contents(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  INFO(path);
  REQUIRE(in);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

struct Derived {
  SegmentIndexes indexes{Offset(0), 300};
  LeaderEpochCache epochs;
  ProducerState producers;
  std::vector<ScannedBatch> batches;
};

Derived derive(const std::filesystem::path& folder) {
  MemoryFile log(contents(folder / "00000000000000000000.log"));
  Derived derived;
  const auto scanned = scan_segment(log, {.first_offset = Offset(0)}, [&](const ScannedBatch& batch) {
    derived.indexes.append(batch.header, batch.position);
    derived.epochs.assign(batch.header.leader_epoch, batch.header.base_offset);
    derived.producers.apply(batch.header, kNow);
    derived.batches.push_back(batch);
    return true;
  });
  REQUIRE(scanned);
  REQUIRE(scanned->end == ScanEnd::clean);
  REQUIRE(derived.batches.size() > 20);
  derived.indexes.seal();
  return derived;
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("indexes derived from Kafka's segment are byte for byte Kafka's") {
  const Derived derived = derive(kFiles / "closed");
  CHECK(derived.indexes.offsets().size() > 10);
  CHECK(derived.indexes.offsets().unwritten_bytes() ==
        contents(kFiles / "closed/00000000000000000000.index"));
  CHECK(derived.indexes.times().unwritten_bytes() ==
        contents(kFiles / "closed/00000000000000000000.timeindex"));
}

TEST_CASE("Kafka's indexes are read, and name real batches") {
  for (const char* folder : {"closed", "restarted"}) {
    const Derived derived = derive(kFiles / folder);
    const auto offset_bytes = contents(kFiles / folder / "00000000000000000000.index");
    const auto time_bytes = contents(kFiles / folder / "00000000000000000000.timeindex");
    const auto offsets = OffsetIndex::parse(Offset(0), offset_bytes);
    const auto times = TimeIndex::parse(Offset(0), time_bytes);
    REQUIRE(offsets);
    REQUIRE(times);
    for (const ScannedBatch& batch : derived.batches) {
      const auto found = offsets->lookup(batch.header.last_offset());
      REQUIRE(found);
      REQUIRE(found->position <= static_cast<int64_t>(batch.position));
      if (found->offset == batch.header.last_offset())
        REQUIRE(found->position == static_cast<int64_t>(batch.position));
    }
    CHECK(times->last() == derived.indexes.max_timestamp());
  }
}

TEST_CASE("Kafka's leader epoch checkpoint is what the batch headers give, byte for byte") {
  for (const char* folder : {"closed", "restarted"}) {
    const Derived derived = derive(kFiles / folder);
    const std::string theirs = text_of(contents(kFiles / folder / "leader-epoch-checkpoint"));
    CHECK(encode_leader_epoch_checkpoint(derived.epochs) == theirs);
    const auto parsed = parse_leader_epoch_checkpoint(theirs);
    REQUIRE(parsed);
    CHECK(*parsed == derived.epochs);
  }
  CHECK(derive(kFiles / "restarted").epochs.entries().size() == 2);
}

TEST_CASE("Kafka's producer snapshot is what the batch headers give, byte for byte") {
  const std::pair<const char*, int64_t> snapshots[] = {{"closed/00000000000000000064.snapshot", 64},
                                                       {"restarted/00000000000000000088.snapshot", 88}};
  for (const auto& [name, end] : snapshots) {
    const auto theirs = contents(kFiles / name);
    const auto decoded = decode_kafka_producer_snapshot(theirs, Offset(end), kNow);
    REQUIRE(decoded);
    CHECK(encode_kafka_producer_snapshot(*decoded) == theirs);
    CHECK(decoded->size() == 2);
  }
  const Derived derived = derive(kFiles / "closed");
  CHECK(derived.producers.end_offset() == Offset(64));
  CHECK(encode_kafka_producer_snapshot(derived.producers) ==
        contents(kFiles / "closed/00000000000000000064.snapshot"));
}
