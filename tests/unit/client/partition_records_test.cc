// Fetched bytes to records: where to begin, what to pass over.
#include <catch2/catch.hpp>

#include "client/core/partition_records.h"
#include "protocol/batch/builder.h"

using namespace tidemark;
using namespace tidemark::client;

namespace {

const TopicPartition kPartition{"tide", PartitionId(0)};

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::vector<std::byte> batch(int64_t base, int count, protocol::BatchOptions options = {}) {
  options.base_offset = Offset(base);
  protocol::BatchBuilder builder(options);
  for (int i = 0; i < count; ++i) builder.add(base + i, std::nullopt, bytes_of("value"));
  auto built = builder.build();
  REQUIRE(built);
  return *built;
}

std::vector<std::byte> marker(int64_t offset, int64_t producer, bool commit) {
  protocol::BatchBuilder builder({.base_offset = Offset(offset),
                                  .producer_id = ProducerId(producer),
                                  .producer_epoch = ProducerEpoch(0),
                                  .transactional = true,
                                  .control = true});
  builder.add_end_txn_marker(0, commit, {});
  return *builder.build();
}

FetchedBytes fetched(std::initializer_list<std::vector<std::byte>> batches, int64_t wanted) {
  std::vector<std::byte> all;
  for (const auto& one : batches) all.insert(all.end(), one.begin(), one.end());
  FetchedBytes out;
  out.partition = kPartition;
  out.frame = std::make_shared<const std::vector<std::byte>>(std::move(all));
  out.records = *out.frame;
  out.wanted = Offset(wanted);
  return out;
}

std::vector<int64_t> offsets(PartitionRecords& records) {
  std::vector<int64_t> out;
  for (;;) {
    const auto record = records.next();
    REQUIRE(record);
    if (!*record) return out;
    out.push_back((*record)->offset.value);
  }
}

}  // namespace

TEST_CASE("reading begins at the wanted offset, in the middle of a compressed batch too") {
  for (const auto codec : {protocol::CompressionType::none, protocol::CompressionType::lz4}) {
    PartitionRecords records(fetched({batch(0, 5, {.codec = codec}), batch(5, 3)}, 3),
                             Isolation::read_uncommitted, true);
    CHECK(offsets(records) == std::vector<int64_t>{3, 4, 5, 6, 7});
    CHECK(records.position() == Offset(8));
  }
}

TEST_CASE("a batch cut off by the end of the response is left for the next fetch") {
  auto cut = batch(5, 3);
  cut.resize(cut.size() - 1);
  PartitionRecords records(fetched({batch(0, 5), cut}, 0), Isolation::read_uncommitted, true);
  CHECK(offsets(records).size() == 5);
  CHECK(records.position() == Offset(5));
}

TEST_CASE("a wrong checksum is an error, and nothing behind it is given") {
  auto damaged = batch(5, 3);
  damaged.back() ^= std::byte{1};
  PartitionRecords records(fetched({batch(0, 1), damaged}, 0), Isolation::read_uncommitted, true);
  REQUIRE(records.next());
  const auto second = records.next();
  REQUIRE_FALSE(second);
  CHECK(second.error().code() == ErrorCode::CORRUPT_MESSAGE);
  CHECK(records.position() == Offset(1));
}

TEST_CASE("control records are passed over, aborted ones with read_committed") {
  const protocol::BatchOptions by_nine{.producer_id = ProducerId(9),
                                       .producer_epoch = ProducerEpoch(0),
                                       .base_sequence = 0,
                                       .transactional = true};
  const auto all = {batch(0, 2), batch(2, 2, by_nine), marker(4, 9, false), batch(5, 1, by_nine),
                    marker(6, 9, true)};
  PartitionRecords everything(fetched(all, 0), Isolation::read_uncommitted, true);
  CHECK(offsets(everything) == std::vector<int64_t>{0, 1, 2, 3, 5});
  FetchedBytes bytes = fetched(all, 0);
  bytes.aborted.push_back({ProducerId(9), Offset(2)});
  PartitionRecords committed(std::move(bytes), Isolation::read_committed, true);
  CHECK(offsets(committed) == std::vector<int64_t>{0, 1, 5});
  CHECK(committed.position() == Offset(7));
}
