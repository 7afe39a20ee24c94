#include <catch2/catch.hpp>

#include "protocol/batch/batch_iterator.h"
#include "protocol/batch/recompress.h"
#include "tests/unit/batch/batch_bytes.h"

using namespace tidemark;
using namespace tidemark::protocol;

namespace {

Bytes payload_of(const Bytes& batch) {
  const auto open = OpenBatch::open(**BatchIterator(batch).next());
  return {open->payload().begin(), open->payload().end()};
}

Result<Bytes> recompressed(const Bytes& batch, CompressionType target,
                           std::optional<int> level = std::nullopt, size_t most = 1 << 20) {
  Decompressor decompressor;
  Compressor compressor;
  return recompress(batch, target, level, most, decompressor, compressor);
}

}  // namespace

TEST_CASE("the builder foretells the size of each record") {
  BatchBuilder builder;
  const Bytes large = noise(70'000);
  const std::vector<RecordHeader> headers{{"name", view("value")}};
  const auto add = [&](int64_t timestamp, NullableBytes key, NullableBytes value) {
    const size_t before = builder.uncompressed_bytes();
    const size_t foretold = builder.record_bytes(timestamp, key, value, headers);
    builder.add(timestamp, key, value, headers);
    CHECK(builder.uncompressed_bytes() == before + foretold);
  };
  add(1'700'000'000'000, view("k"), view("v"));
  add(1'700'000'000'000 - 5'000'000'000, std::nullopt, std::nullopt);
  add(INT64_MAX, view("k"), std::span<const std::byte>(large));
  CHECK(builder.record_count() == 3);
  CHECK(builder.build()->size() > 70'000);
}

TEST_CASE("a built builder starts over with the same options") {
  BatchOptions options;
  options.base_offset = Offset(10);
  BatchBuilder builder(options);
  builder.add(5, view("k"), view("v"));
  const Bytes first = *builder.build();
  CHECK(builder.empty());
  builder.add(5, view("k"), view("v"));
  CHECK(*builder.build() == first);
}

TEST_CASE("a producer's identity may come last") {
  BatchBuilder builder;
  builder.add(5, view("k"), view("v"));
  builder.set_producer(ProducerId(9), ProducerEpoch(2), 100, true);
  const BatchHeader header = read_batch_header(*builder.build());
  CHECK(header.producer_id == ProducerId(9));
  CHECK(header.producer_epoch == ProducerEpoch(2));
  CHECK(header.base_sequence == 100);
  CHECK(header.is_transactional());
}

TEST_CASE("compaction's batches keep their offsets and their delete horizon") {
  BatchOptions options;
  options.base_offset = Offset(100);
  options.delete_horizon_ms = 5000;
  BatchBuilder builder(options);
  builder.add_at(Offset(103), 1000, view("a"), view("1"));
  builder.add_at(Offset(107), 1010, view("b"), view("2"));
  builder.set_last_offset(Offset(109));
  const Bytes batch = *builder.build();
  const BatchHeader header = read_batch_header(batch);
  CHECK(header.base_offset == Offset(100));
  CHECK(header.last_offset() == Offset(109));
  CHECK(header.record_count == 2);
  CHECK(header.has_delete_horizon());
  CHECK(header.base_timestamp == 5000);
  RecordIterator records(header, std::span(batch).subspan(kBatchHeaderBytes));
  const auto first = *records.next();
  CHECK(first->offset == Offset(103));
  CHECK(first->timestamp == 1000);
  CHECK((*records.next())->offset == Offset(107));
}

TEST_CASE("an emptied batch keeps offsets, producer and maximum timestamp") {
  BatchOptions options;
  options.producer_id = ProducerId(4);
  options.producer_epoch = ProducerEpoch(1);
  options.base_sequence = 50;
  options.codec = CompressionType::lz4;
  const BatchHeader full = read_batch_header(produced(3, options));
  const Bytes batch = build_emptied_batch(full);
  CHECK(batch.size() == kBatchHeaderBytes);
  CHECK(batch_crc_holds(batch));
  const auto header = parse_batch_header(batch);
  REQUIRE(header);
  CHECK(header->record_count == 0);
  CHECK(header->last_offset() == full.last_offset());
  CHECK(header->last_sequence() == 52);
  CHECK(header->max_timestamp == full.max_timestamp);
  CHECK(header->codec() == CompressionType::none);
  CHECK_FALSE(*RecordIterator(*header, {}).next());
}

TEST_CASE("recompression changes the codec and nothing else, between all pairs") {
  BatchOptions options;
  options.producer_id = ProducerId(4);
  options.producer_epoch = ProducerEpoch(1);
  options.base_sequence = 50;
  options.transactional = true;
  for (const auto from : kAllCodecs) {
    options.codec = from;
    const Bytes batch = produced(200, options, 900);  // more than a window
    for (const auto to : kAllCodecs) {
      const auto again = recompressed(batch, to);
      REQUIRE(again);
      CHECK(batch_crc_holds(*again));
      BatchHeader expected = read_batch_header(batch);
      const BatchHeader header = read_batch_header(*again);
      CHECK(header.codec() == to);
      CHECK(header.size_in_bytes() == again->size());
      expected.attributes = header.attributes;
      expected.batch_length = header.batch_length;
      Bytes same_header = *again;
      write_batch_header(same_header, expected);
      CHECK(same_header == *again);
      CHECK(header.is_transactional());
      CHECK(payload_of(*again) == payload_of(batch));
    }
  }
}

TEST_CASE("recompression stops at the largest batch that the topic takes") {
  BatchOptions options;
  options.codec = CompressionType::zstd;
  const Bytes batch = produced(1, options, 300'000);
  CHECK(recompressed(batch, CompressionType::none, std::nullopt, 100'000).error().code() ==
        ErrorCode::MESSAGE_TOO_LARGE);
  CHECK(recompressed(batch, CompressionType::none, std::nullopt, 400'000));
  Bytes broken = batch;
  broken[kBatchHeaderBytes] ^= std::byte{0xFF};
  CHECK(recompressed(broken, CompressionType::none).error().code() == ErrorCode::CORRUPT_MESSAGE);
  const Bytes unknown = with_header(batch, [](BatchHeader& h) { h.attributes = 6; });
  CHECK(recompressed(unknown, CompressionType::none).error().code() ==
        ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
}

TEST_CASE("a batch opens to at most what the caller allows") {
  for (const auto codec : kRealCodecs) {
    BatchOptions options;
    options.codec = codec;
    const Bytes batch = produced(10, options, 1000);
    const auto whole = **BatchIterator(batch).next();
    const size_t size = payload_of(batch).size();
    CHECK(OpenBatch::open(whole, size));
    CHECK(OpenBatch::open(whole, size - 1).error().code() == ErrorCode::MESSAGE_TOO_LARGE);
  }
}
