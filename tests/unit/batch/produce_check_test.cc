#include <catch2/catch.hpp>

#include "protocol/batch/batch_iterator.h"
#include "tests/unit/batch/batch_bytes.h"

using namespace tidemark;
using namespace tidemark::protocol;

namespace {

struct Verdict {
  ErrorCode code = ErrorCode::NONE;
  std::vector<int32_t> records;
};
Verdict verdict(const Bytes& records, const ProduceLimits& limits) {
  std::vector<RecordError> errors;
  const auto result = check_produce_batches(records, limits, &errors);
  Verdict seen{result ? ErrorCode::NONE : result.error().code(), {}};
  for (const RecordError& error : errors) {
    CHECK_FALSE(error.message.empty());
    seen.records.push_back(error.batch_index);
  }
  return seen;
}

BatchOptions coded(CompressionType codec) {
  BatchOptions options;
  options.codec = codec;
  return options;
}

// A plain record with these deltas, a key of one byte and no value.
Bytes raw_record(int64_t timestamp_delta, int32_t offset_delta) {
  Bytes body = bytes_of({0});
  append_varint(body, timestamp_delta);
  append_varint(body, offset_delta);
  const Bytes rest = bytes_of({2, 'k', 1, 0});
  body.insert(body.end(), rest.begin(), rest.end());
  Bytes record;
  append_varint(record, static_cast<int64_t>(body.size()));
  record.insert(record.end(), body.begin(), body.end());
  return record;
}

}  // namespace

TEST_CASE("a good batch passes, and its figures are told, in every codec") {
  for (const auto codec : kAllCodecs) {
    BatchOptions options = coded(codec);
    options.producer_id = ProducerId(3);
    options.producer_epoch = ProducerEpoch(0);
    options.base_sequence = INT32_MAX - 1;
    BatchBuilder builder(options);
    for (const int64_t timestamp : {1000, 1500, 1200, 1500}) builder.add(timestamp, view("k"), view("v"));
    const size_t plain = builder.uncompressed_bytes();
    const Bytes batch = *builder.build();
    const auto check = check_produce_batches(batch, limits_at(2000));
    REQUIRE(check);
    CHECK(check->header.record_count == 4);
    CHECK(check->batch_bytes == batch.size());
    CHECK(check->payload_bytes == plain - kBatchHeaderBytes);
    CHECK(check->first_sequence == INT32_MAX - 1);
    CHECK(check->last_sequence == 1);
    CHECK(check->max_timestamp == 1500);
    CHECK(check->max_timestamp_delta == 1);
    CHECK_FALSE(check->max_timestamp_differs);
  }
}

TEST_CASE("a produce request holds exactly one whole batch of format 2") {
  const Bytes batch = produced(2);
  CHECK(refusal(batch) == ErrorCode::NONE);
  CHECK(refusal({}) == ErrorCode::INVALID_RECORD);
  for (size_t size = 0; size < batch.size(); ++size)
    CHECK(refusal(Bytes(batch.begin(), batch.begin() + static_cast<long>(size))) ==
          ErrorCode::INVALID_RECORD);
  CHECK(refusal(joined({batch, batch})) == ErrorCode::INVALID_RECORD);
  // As in Kafka, what is less than a batch behind it is not looked at, unless it cannot be one.
  const Bytes half(batch.begin(), batch.end() - 1);
  CHECK(refusal(joined({batch, half})) == ErrorCode::NONE);
  CHECK(check_produce_batches(joined({batch, half}), limits_at(2000))->batch_bytes == batch.size());
  CHECK(refusal(joined({batch, bytes_of({1, 2, 3})})) == ErrorCode::NONE);
  CHECK(refusal(joined({batch, Bytes(12)})) == ErrorCode::CORRUPT_MESSAGE);
  for (const int magic : {0, 1}) {
    Bytes old = batch;
    old[kBatchMagicAt] = static_cast<std::byte>(magic);
    CHECK(refusal(old) == ErrorCode::INVALID_RECORD);
  }
  for (const int magic : {3, 255}) {
    Bytes unknown = batch;
    unknown[kBatchMagicAt] = static_cast<std::byte>(magic);
    CHECK(refusal(unknown) == ErrorCode::CORRUPT_MESSAGE);
  }
}

TEST_CASE("lengths that cannot be are CORRUPT_MESSAGE") {
  Bytes batch = produced(1);
  batch.resize(200);
  for (const int length : {0, 13}) {
    batch[kBatchLengthAt + 3] = static_cast<std::byte>(length);
    CHECK(refusal(batch) == ErrorCode::CORRUPT_MESSAGE);
  }
  batch[kBatchLengthAt + 3] = std::byte{48};  // shorter than a header of format 2
  CHECK(refusal(batch) == ErrorCode::CORRUPT_MESSAGE);
  batch[kBatchLengthAt] = std::byte{0x80};
  CHECK(refusal(batch) == ErrorCode::CORRUPT_MESSAGE);
  batch[kBatchLengthAt] = std::byte{0x7F};  // longer than what is there: no whole batch
  CHECK(refusal(batch) == ErrorCode::INVALID_RECORD);
}

TEST_CASE("a batch with any bit flipped is refused, the leader epoch's excepted") {
  for (const auto codec : {CompressionType::none, CompressionType::gzip}) {
    const Bytes batch = produced(2, coded(codec));
    for (size_t bit = 0; bit < batch.size() * 8; ++bit) {
      Bytes flipped = batch;
      flipped[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
      const bool epoch = bit / 8 >= kBatchLeaderEpochAt && bit / 8 < kBatchMagicAt;
      if ((refusal(flipped) == ErrorCode::NONE) != epoch) FAIL("bit " << bit % 8 << " of byte " << bit / 8);
      if (bit / 8 >= kBatchCrcAt) CHECK(refusal(flipped) == ErrorCode::CORRUPT_MESSAGE);
    }
  }
}

TEST_CASE("header fields that contradict each other are refused by Kafka's codes") {
  const Bytes batch = produced(3);
  const auto changed = [&](const std::function<void(BatchHeader&)>& change) {
    return refusal(with_header(batch, change));
  };
  CHECK(changed([](BatchHeader&) {}) == ErrorCode::NONE);
  CHECK(changed([](BatchHeader& h) { h.base_offset = Offset(1); }) == ErrorCode::INVALID_RECORD);
  CHECK(changed([](BatchHeader& h) { h.last_offset_delta = 1; }) == ErrorCode::INVALID_RECORD);
  CHECK(changed([](BatchHeader& h) { h.last_offset_delta = -1; }) == ErrorCode::INVALID_RECORD);
  CHECK(changed([](BatchHeader& h) { h.record_count = 2; }) == ErrorCode::INVALID_RECORD);
  CHECK(changed([](BatchHeader& h) { h.record_count = -1; }) == ErrorCode::INVALID_RECORD);
  CHECK(changed([](BatchHeader& h) { h.record_count = 0, h.last_offset_delta = -1; }) ==
        ErrorCode::INVALID_RECORD);
  CHECK(changed([](BatchHeader& h) { h.record_count = INT32_MIN, h.last_offset_delta = INT32_MAX; }) ==
        ErrorCode::INVALID_RECORD);
  CHECK(changed([](BatchHeader& h) { h.record_count = 2, h.last_offset_delta = 1; }) ==
        ErrorCode::INVALID_RECORD);
  CHECK(changed([](BatchHeader& h) { h.record_count = 4, h.last_offset_delta = 3; }) ==
        ErrorCode::INVALID_RECORD);
  CHECK(changed([](BatchHeader& h) { h.record_count = INT32_MAX, h.last_offset_delta = INT32_MAX - 1; }) ==
        ErrorCode::INVALID_RECORD);
  CHECK(changed([](BatchHeader& h) { h.attributes = kBatchControlBit; }) == ErrorCode::INVALID_RECORD);
  for (const int16_t codec : {5, 6, 7})
    CHECK(changed([&](BatchHeader& h) { h.attributes = codec; }) == ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
  for (const int16_t codec : {1, 3, 4})  // plain records that claim to be compressed
    CHECK(changed([&](BatchHeader& h) { h.attributes = codec; }) == ErrorCode::INVALID_RECORD);
}

TEST_CASE("producer id, epoch and sequence go together") {
  const Bytes batch = produced(1);
  const auto changed = [&](int64_t id, int16_t epoch, int32_t sequence, bool transactional) {
    return refusal(with_header(batch, [&](BatchHeader& h) {
      h.producer_id = ProducerId(id);
      h.producer_epoch = ProducerEpoch(epoch);
      h.base_sequence = sequence;
      if (transactional) h.attributes = kBatchTransactionalBit;
    }));
  };
  CHECK(changed(-1, -1, -1, false) == ErrorCode::NONE);
  CHECK(changed(5, 0, 0, false) == ErrorCode::NONE);
  CHECK(changed(5, 0, 0, true) == ErrorCode::NONE);
  CHECK(changed(5, 0, -1, false) == ErrorCode::INVALID_RECORD);
  CHECK(changed(5, -1, 0, false) == ErrorCode::INVALID_RECORD);
  CHECK(changed(-1, -1, -1, true) == ErrorCode::INVALID_RECORD);
}

TEST_CASE("a batch may be as large as the topic allows") {
  const Bytes batch = produced(5);
  ProduceLimits limits = limits_at(2000);
  limits.max_message_bytes = static_cast<int32_t>(batch.size());
  CHECK(refusal(batch, limits) == ErrorCode::NONE);
  --limits.max_message_bytes;
  CHECK(refusal(batch, limits) == ErrorCode::MESSAGE_TOO_LARGE);
  limits.max_message_bytes = 0;
  CHECK(refusal(batch, limits) == ErrorCode::MESSAGE_TOO_LARGE);
}

TEST_CASE("zstd needs version 7 of Produce") {
  ProduceLimits limits = limits_at(2000);
  for (const auto codec : kAllCodecs) {
    const Bytes batch = produced(1, coded(codec));
    limits.produce_version = 6;
    CHECK(refusal(batch, limits) ==
          (codec == CompressionType::zstd ? ErrorCode::UNSUPPORTED_COMPRESSION_TYPE : ErrorCode::NONE));
    limits.produce_version = 7;
    CHECK(refusal(batch, limits) == ErrorCode::NONE);
  }
}

TEST_CASE("offset deltas are 0, 1, 2... in every codec") {
  const auto with_deltas = [](CompressionType codec, std::initializer_list<int> deltas) {
    Bytes payload;
    for (const int delta : deltas) payload = joined({payload, raw_record(0, delta)});
    return verdict(sealed_from_plain(codec, static_cast<int32_t>(deltas.size()), payload), limits_at(2000));
  };
  for (const auto codec : kAllCodecs) {
    CHECK(with_deltas(codec, {0, 1, 2}).code == ErrorCode::NONE);
    CHECK(with_deltas(codec, {1, 2, 3}).code == ErrorCode::INVALID_RECORD);
    CHECK(with_deltas(codec, {0, 2, 1}).code == ErrorCode::INVALID_RECORD);
    CHECK(with_deltas(codec, {0, -1, 2}).code == ErrorCode::INVALID_RECORD);
    const Verdict twice = with_deltas(codec, {0, 1, 1});
    CHECK(twice.code == ErrorCode::INVALID_RECORD);
    CHECK(twice.records == std::vector<int32_t>{2});
  }
}

TEST_CASE("the header's count is that of the records, in every codec") {
  const Bytes three = joined({raw_record(0, 0), raw_record(0, 1), raw_record(0, 2)});
  for (const auto codec : kAllCodecs) {
    CHECK(refusal(sealed_from_plain(codec, 3, three)) == ErrorCode::NONE);
    CHECK(refusal(sealed_from_plain(codec, 2, three)) == ErrorCode::INVALID_RECORD);
    CHECK(refusal(sealed_from_plain(codec, 4, three)) == ErrorCode::INVALID_RECORD);
    CHECK(refusal(sealed_from_plain(codec, INT32_MAX, three)) == ErrorCode::INVALID_RECORD);
    CHECK(refusal(sealed_from_plain(codec, 1, {})) == ErrorCode::INVALID_RECORD);
    CHECK(refusal(sealed_from_plain(codec, 3, joined({three, bytes_of({0})}))) == ErrorCode::INVALID_RECORD);
  }
}

TEST_CASE("timestamps outside of the topic's bounds are refused record by record") {
  for (const auto codec : kAllCodecs) {
    BatchBuilder builder(coded(codec));
    for (const int64_t timestamp : {10'000, 8'999, 9'000, -1, 11'000, 11'001, -5})
      builder.add(timestamp, view("k"), view("v"));
    const Bytes batch = *builder.build();
    ProduceLimits limits = limits_at(10'000);
    limits.timestamp_before_max_ms = 1000;
    limits.timestamp_after_max_ms = 1000;
    const Verdict seen = verdict(batch, limits);
    CHECK(seen.code == ErrorCode::INVALID_TIMESTAMP);
    CHECK(seen.records == std::vector<int32_t>{1, 5, 6});
    limits.timestamp_type = TimestampType::log_append_time;  // the broker's own time replaces them
    CHECK(verdict(batch, limits).code == ErrorCode::NONE);
  }
}

TEST_CASE("the bounds at their ends of the range do not overflow") {
  ProduceLimits limits = limits_at(10'000);
  limits.timestamp_after_max_ms = INT64_MAX;
  BatchBuilder builder;
  builder.add(INT64_MAX, view("k"), view("v"));
  builder.add(0, view("k"), view("v"));
  const Bytes batch = *builder.build();
  CHECK(refusal(batch, limits) == ErrorCode::NONE);
  limits.timestamp_before_max_ms = 9'999;
  CHECK(refusal(batch, limits) == ErrorCode::INVALID_TIMESTAMP);
  // A delta that wraps the sum around.
  const Bytes wrapping = with_header(sealed(CompressionType::none, 1, raw_record(INT64_MAX, 0)),
                                     [](BatchHeader& h) { h.base_timestamp = INT64_MAX; });
  CHECK(refusal(wrapping, limits) == ErrorCode::INVALID_TIMESTAMP);
}

TEST_CASE("a producer must not claim LogAppendTime where the topic has it") {
  const Bytes batch = with_header(produced(3), [](BatchHeader& h) { h.attributes = kBatchLogAppendTimeBit; });
  ProduceLimits limits = limits_at(2000);
  limits.timestamp_type = TimestampType::log_append_time;
  const Verdict seen = verdict(batch, limits);
  CHECK(seen.code == ErrorCode::INVALID_TIMESTAMP);
  CHECK(seen.records == std::vector<int32_t>{0, 1, 2});
}

TEST_CASE("a batch that claims LogAppendTime where the topic has not becomes one of CreateTime") {
  const Bytes plain = produced(3);
  const Bytes batch = with_header(plain, [](BatchHeader& h) { h.attributes = kBatchLogAppendTimeBit; });
  const ProduceLimits limits = limits_at(2000);
  const auto check = check_produce_batches(batch, limits);
  REQUIRE(check);
  Bytes settled = batch;
  settle_timestamps(settled, *check, limits);
  CHECK(settled == plain);

  const Bytes timeless = with_header(batch, [](BatchHeader& h) { h.max_timestamp = kNoTimestamp; });
  CHECK(refusal(timeless, limits) == ErrorCode::INVALID_TIMESTAMP);
}

TEST_CASE("a compacted topic takes no record without a key") {
  for (const auto codec : kAllCodecs) {
    BatchBuilder builder(coded(codec));
    builder.add(1000, view("k"), view("v"));
    builder.add(1000, std::nullopt, view("v"));
    builder.add(1000, view(""), view("v"));
    builder.add(1000, std::nullopt, std::nullopt);
    const Bytes batch = *builder.build();
    ProduceLimits limits = limits_at(2000);
    CHECK(verdict(batch, limits).code == ErrorCode::NONE);
    limits.compacted = true;
    const Verdict seen = verdict(batch, limits);
    CHECK(seen.code == ErrorCode::INVALID_RECORD);
    CHECK(seen.records == std::vector<int32_t>{1, 3});
  }
}

TEST_CASE("with wrong timestamps and missing keys the answer is INVALID_TIMESTAMP, as Kafka's") {
  BatchBuilder builder;
  builder.add(1000, std::nullopt, view("v"));
  builder.add(99'999'999, view("k"), view("v"));
  ProduceLimits limits = limits_at(2000);
  limits.compacted = true;
  const Verdict seen = verdict(*builder.build(), limits);
  CHECK(seen.code == ErrorCode::INVALID_TIMESTAMP);
  CHECK(seen.records == std::vector<int32_t>{0, 1});
}

TEST_CASE("the list of refused records is bounded") {
  BatchBuilder builder;
  for (int i = 0; i < 5000; ++i) builder.add(1000, std::nullopt, view("v"));
  ProduceLimits limits = limits_at(2000);
  limits.compacted = true;
  const Verdict seen = verdict(*builder.build(), limits);
  CHECK(seen.code == ErrorCode::INVALID_RECORD);
  CHECK(seen.records.size() == kMaxRecordErrors);
}

TEST_CASE("a checker forgets the errors of the batch before") {
  ProduceChecker checker;
  BatchBuilder builder;
  builder.add(1000, std::nullopt, view("v"));
  ProduceLimits limits = limits_at(2000);
  limits.compacted = true;
  CHECK_FALSE(checker.check(*builder.build(), limits));
  CHECK(checker.record_errors().size() == 1);
  CHECK(checker.check(produced(1), limits));
  CHECK(checker.record_errors().empty());
}

TEST_CASE("a wrong maximum in the header is found, and settled with a CRC that holds") {
  for (const auto codec : kAllCodecs) {
    const Bytes sent = with_header(produced(3, coded(codec)), [](BatchHeader& h) { h.max_timestamp = 7; });
    const ProduceLimits limits = limits_at(2000);
    const auto check = check_produce_batches(sent, limits);
    REQUIRE(check);
    CHECK(check->max_timestamp == 1002);
    CHECK(check->max_timestamp_differs);
    Bytes settled = sent;
    settle_timestamps(settled, *check, limits);
    CHECK(settled == produced(3, coded(codec)));
  }
}

TEST_CASE("settling leaves a right batch alone, and gives LogAppendTime the broker's clock") {
  const Bytes sent = produced(3);
  ProduceLimits limits = limits_at(5555);
  const auto check = check_produce_batches(sent, limits);
  Bytes settled = sent;
  settle_timestamps(settled, *check, limits);
  CHECK(settled == sent);
  limits.timestamp_type = TimestampType::log_append_time;
  settle_timestamps(settled, *check, limits);
  CHECK(batch_crc_holds(settled));
  CHECK(read_batch_header(settled).max_timestamp == 5555);
  CHECK(read_batch_header(settled).timestamp_type() == TimestampType::log_append_time);
}

TEST_CASE("records without timestamp pass, and the maximum is then none") {
  BatchBuilder builder;
  builder.add(-1, view("k"), view("v"));
  const auto check = check_produce_batches(*builder.build(), limits_at(2000));
  REQUIRE(check);
  CHECK(check->max_timestamp == -1);
  CHECK_FALSE(check->max_timestamp_differs);
}

TEST_CASE("compressed records may be larger than the window and lie across its edges") {
  for (const auto codec : kRealCodecs) {
    for (const size_t shift : {0, 1, 2, 3, 5, 8, 13}) {
      BatchBuilder builder(coded(codec));
      const Bytes large = prose(300'000);
      const Bytes filler = prose(65'000 + shift);
      const std::vector<RecordHeader> headers{{"name", std::span<const std::byte>(large)},
                                              {"none", std::nullopt}};
      builder.add(1000, view("k"), std::span<const std::byte>(filler));
      for (int i = 0; i < 200; ++i) builder.add(1001 + i, view("key"), view("value"));
      builder.add(1900, std::span<const std::byte>(large), std::span<const std::byte>(large), headers);
      for (int i = 0; i < 9000; ++i) builder.add(1000, std::nullopt, view("v"));
      const size_t plain = builder.uncompressed_bytes() - kBatchHeaderBytes;
      ProduceLimits limits = limits_at(2000);
      const Bytes batch = *builder.build();
      const auto check = check_produce_batches(batch, limits);
      REQUIRE(check);
      CHECK(check->payload_bytes == plain);
      CHECK(check->max_timestamp == 1900);
      CHECK(check->max_timestamp_delta == 201);
      limits.compacted = true;
      CHECK(verdict(batch, limits).records.front() == 202);
    }
  }
}

TEST_CASE("a record across windows that is not what its sizes say is refused") {
  const Bytes filler = prose(kDecompressWindowBytes - 110);
  BatchBuilder builder;
  builder.add(1000, view("k"), std::span<const std::byte>(filler));
  const Bytes built = *builder.build();
  const Bytes first(built.begin() + kBatchHeaderBytes, built.end());
  const size_t before = kDecompressWindowBytes - first.size();
  REQUIRE(before < 200);
  // A second record of 300 bytes that straddles the edge: attributes, deltas 0 and 1, null key, a value.
  const auto second = [&](int32_t length, int32_t value_size, std::initializer_list<int> tail) {
    Bytes record;
    append_varint(record, length);
    record = joined({record, bytes_of({0, 0, 2, 1})});
    append_varint(record, value_size);
    return joined({record, Bytes(290), bytes_of(tail)});
  };
  const auto code = [&](const Bytes& record) {
    const Bytes payload = compress(CompressionType::zstd, std::nullopt, joined({first, record}));
    return refusal(sealed(CompressionType::zstd, 2, payload));
  };
  const int32_t body = 4 + 2 + 290 + 1;
  CHECK(code(second(body, 290, {0})) == ErrorCode::NONE);
  CHECK(code(second(body + 1, 290, {0})) == ErrorCode::INVALID_RECORD);
  CHECK(code(second(body + 1, 290, {0, 0})) == ErrorCode::INVALID_RECORD);
  CHECK(code(second(body - 1, 290, {0})) == ErrorCode::INVALID_RECORD);
  CHECK(code(second(body, 291, {0})) == ErrorCode::INVALID_RECORD);
  CHECK(code(second(body, 289, {0})) == ErrorCode::INVALID_RECORD);
  CHECK(code(second(body, INT32_MAX, {0})) == ErrorCode::INVALID_RECORD);
  CHECK(code(second(INT32_MAX, INT32_MAX - 100, {0})) == ErrorCode::INVALID_RECORD);
  CHECK(code(second(INT32_MIN, 290, {0})) == ErrorCode::INVALID_RECORD);
  CHECK(code(second(body, 290, {1})) == ErrorCode::INVALID_RECORD);            // header count -1
  CHECK(code(second(body, 290, {2})) == ErrorCode::INVALID_RECORD);            // a header that is not there
  CHECK(code(second(body + 2, 290, {2, 1, 1})) == ErrorCode::INVALID_RECORD);  // a header without key
  CHECK(code(second(body + 2, 290, {2, 0, 1})) == ErrorCode::NONE);
  CHECK(code(second(body + 2, 290, {2, 0, 4})) == ErrorCode::INVALID_RECORD);
  CHECK(code(second(body + 3, 290, {4, 0, 1, 0})) ==
        ErrorCode::INVALID_RECORD);  // the second header is cut off
}

TEST_CASE("what cannot be opened is INVALID_RECORD, because its CRC holds") {
  for (const auto codec : kRealCodecs) {
    CHECK(refusal(sealed(codec, 1, noise(100))) == ErrorCode::INVALID_RECORD);
    Bytes payload = compress(codec, std::nullopt, raw_record(0, 0));
    payload.pop_back();
    CHECK(refusal(sealed(codec, 1, payload)) == ErrorCode::INVALID_RECORD);
  }
}

TEST_CASE("a bomb is refused as too large, whether it is one record or millions") {
  ProduceLimits limits = limits_at(2000);
  limits.max_decompressed_bytes = 4 << 20;
  for (const auto codec : kRealCodecs) {
    const Bytes zeros(20 << 20);
    BatchBuilder one(coded(codec));
    one.add(1000, view("k"), std::span<const std::byte>(zeros));
    limits.max_message_bytes = INT32_MAX;
    const Bytes batch = *one.build();
    CHECK(refusal(batch, limits) == ErrorCode::MESSAGE_TOO_LARGE);
    CHECK(estimated_cost(batch).wants_lane());
    CHECK(estimated_cost(batch).opened_bytes >= zeros.size());
    BatchBuilder many(coded(codec));
    for (int i = 0; i < 600'000; ++i) many.add(1000, std::nullopt, std::nullopt);
    CHECK(refusal(*many.build(), limits) == ErrorCode::MESSAGE_TOO_LARGE);
  }
}

TEST_CASE("small batches are for the shard, large compressed ones for a lane") {
  CHECK_FALSE(estimated_cost({}).wants_lane());
  for (const auto codec : kRealCodecs) {
    BatchBuilder builder(coded(codec));
    builder.add(1000, view("k"), view("v"));
    const CheckCost cost = estimated_cost(*builder.build());
    CHECK_FALSE(cost.wants_lane());
    CHECK(cost.memory_bytes > 0);
    CHECK(cost.memory_bytes < (16 << 20));
    CHECK(estimated_cost(produced(100, coded(codec), 10'000)).wants_lane());
  }
  CHECK_FALSE(estimated_cost(produced(100, {}, 10'000)).wants_lane());
  CHECK(estimated_cost(produced(50, {}, 100'000)).wants_lane());
}

TEST_CASE("hostile payloads of any kind are refused or read, never more than bounded") {
  Noise random;
  ProduceLimits limits = limits_at(2000);
  limits.max_decompressed_bytes = 1 << 20;
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    const auto codec = kAllCodecs[random.below(std::size(kAllCodecs))];
    const int32_t count = 1 + static_cast<int32_t>(random.below(4));
    Bytes payload = produced(count, {}, random.below(40));
    payload.erase(payload.begin(), payload.begin() + kBatchHeaderBytes);
    for (uint64_t i = 0, n = random.below(3); i < n; ++i)
      payload[random.below(payload.size())] = static_cast<std::byte>(random.next());
    const auto check = check_produce_batches(sealed_from_plain(codec, count, payload), limits);
    if (!check) {
      ++refused;
      continue;
    }
    // What passed can be read to its end by consumers, with the offsets that it claims.
    const Bytes batch = sealed_from_plain(codec, count, payload);
    const auto open = OpenBatch::open(**BatchIterator(batch).next());
    REQUIRE(open);
    RecordIterator records = open->records();
    for (int32_t i = 0; i < count; ++i) {
      const auto record = records.next();
      if (!record || !*record || (*record)->offset_delta != i) FAIL("round " << round);
    }
    const auto end = records.next();
    if (!end || *end) FAIL("round " << round << ": it does not end");
  }
  CHECK(refused > 1000);
}
