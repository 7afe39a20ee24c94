#include <catch2/catch.hpp>

#include "protocol/batch/crc32c.h"
#include "tests/unit/batch/batch_bytes.h"

using namespace tidemark;
using namespace tidemark::protocol;

TEST_CASE("the header's fields stand where Kafka has them") {
  BatchOptions options;
  options.base_offset = Offset(0x0102030405060708);
  options.leader_epoch = LeaderEpoch(0x11121314);
  options.producer_id = ProducerId(0x2122232425262728);
  options.producer_epoch = ProducerEpoch(0x3132);
  options.base_sequence = 0x41424344;
  options.transactional = true;
  BatchBuilder builder(options);
  builder.add(0x5152535455565758, view("k"), view("v"));
  builder.add(0x5152535455565758 + 9, view("k"), view("v"));
  const Bytes batch = *builder.build();
  const auto at = [&](size_t from, size_t count) {
    return Bytes(batch.begin() + static_cast<long>(from), batch.begin() + static_cast<long>(from + count));
  };
  CHECK(at(0, 8) == bytes_of({1, 2, 3, 4, 5, 6, 7, 8}));
  CHECK(at(8, 4) == bytes_of({0, 0, 0, static_cast<int>(batch.size()) - 12}));
  CHECK(at(12, 4) == bytes_of({0x11, 0x12, 0x13, 0x14}));
  CHECK(at(16, 1) == bytes_of({2}));
  CHECK(at(21, 2) == bytes_of({0, 0x10}));
  CHECK(at(23, 4) == bytes_of({0, 0, 0, 1}));
  CHECK(at(27, 8) == bytes_of({0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58}));
  CHECK(at(35, 8) == bytes_of({0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x61}));
  CHECK(at(43, 8) == bytes_of({0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28}));
  CHECK(at(51, 2) == bytes_of({0x31, 0x32}));
  CHECK(at(53, 4) == bytes_of({0x41, 0x42, 0x43, 0x44}));
  CHECK(at(57, 4) == bytes_of({0, 0, 0, 2}));
  CHECK(read_batch_header(batch).crc == crc32c(std::span(batch).subspan(21)));
}

TEST_CASE("CRC32C gives the known check value, also in two pieces") {
  CHECK(crc32c(view("123456789")) == 0xE3069283U);
  CHECK(crc32c_extend(crc32c(view("1234")), view("56789")) == 0xE3069283U);
  CHECK(crc32c({}) == 0);
}

TEST_CASE("base offset and leader epoch lie outside the CRC, everything behind the magic inside") {
  Bytes batch = produced(3);
  set_base_offset(batch, Offset(77));
  set_leader_epoch(batch, LeaderEpoch(5));
  REQUIRE(batch_crc_holds(batch));
  const auto header = parse_batch_header(batch);
  REQUIRE(header);
  CHECK(header->base_offset == Offset(77));
  CHECK(header->last_offset() == Offset(79));
  CHECK(header->next_offset() == Offset(80));
  CHECK(header->leader_epoch == LeaderEpoch(5));
  for (size_t bit = kBatchCrcAt * 8; bit < batch.size() * 8; ++bit) {
    Bytes flipped = batch;
    flipped[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    if (batch_crc_holds(flipped)) FAIL("bit " << bit << " of the batch is not under the CRC");
  }
}

TEST_CASE("LogAppendTime sets the maximum and the attribute bit, and signs again; CreateTime takes it back") {
  const Bytes sent = produced(2);
  Bytes batch = sent;
  set_log_append_time(batch, 123'456);
  CHECK(batch_crc_holds(batch));
  BatchHeader header = read_batch_header(batch);
  CHECK(header.timestamp_type() == TimestampType::log_append_time);
  CHECK(header.max_timestamp == 123'456);
  CHECK(header.base_timestamp == 1000);
  set_max_timestamp(batch, 1001);
  CHECK(batch == sent);
}

TEST_CASE("attributes read as Kafka writes them") {
  BatchHeader header;
  header.attributes = 4 | 8 | 16 | 32 | 64;
  CHECK(header.codec() == CompressionType::zstd);
  CHECK(header.timestamp_type() == TimestampType::log_append_time);
  CHECK(header.is_transactional());
  CHECK(header.is_control());
  CHECK(header.has_delete_horizon());
  header.attributes = 7;
  CHECK(header.codec_bits() == 7);
  CHECK(codec_of(header).error().code() == ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
}

TEST_CASE("a sequence wraps to 0 behind 2^31-1") {
  BatchHeader header;
  header.base_sequence = INT32_MAX - 1;
  header.last_offset_delta = 1;
  CHECK(header.last_sequence() == INT32_MAX);
  header.last_offset_delta = 4;
  CHECK(header.last_sequence() == 2);
  header.base_sequence = -1;
  CHECK(header.last_sequence() == -1);
}

TEST_CASE("a header that cannot be is refused") {
  const Bytes batch = produced(1);
  for (size_t size = 0; size < kBatchHeaderBytes; ++size) {
    const Bytes cut(batch.begin(), batch.begin() + static_cast<long>(size));
    CHECK(parse_batch_header(cut).error().code() == ErrorCode::CORRUPT_MESSAGE);
  }
  Bytes old = batch;
  for (const int magic : {0, 1}) {
    old[kBatchMagicAt] = static_cast<std::byte>(magic);
    CHECK(parse_batch_header(old).error().code() == ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT);
  }
  for (const int magic : {3, 127, 255}) {
    old[kBatchMagicAt] = static_cast<std::byte>(magic);
    CHECK(parse_batch_header(old).error().code() == ErrorCode::CORRUPT_MESSAGE);
  }
  for (const Bytes& length :
       {bytes_of({0, 0, 0, 48}), bytes_of({0xFF, 0xFF, 0xFF, 0xFF}), bytes_of({0x7F, 0xFF, 0xFF, 0xFF})}) {
    Bytes wrong = batch;
    std::copy(length.begin(), length.end(), wrong.begin() + kBatchLengthAt);
    CHECK(parse_batch_header(wrong).error().code() == ErrorCode::CORRUPT_MESSAGE);
  }
  Bytes negative = batch;
  negative[kBatchLastOffsetDeltaAt] = std::byte{0x80};
  CHECK(parse_batch_header(negative).error().code() == ErrorCode::CORRUPT_MESSAGE);
}
