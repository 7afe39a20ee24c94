#include <catch2/catch.hpp>

#include "protocol/batch/batch_iterator.h"
#include "tests/unit/batch/batch_bytes.h"

using namespace tidemark;
using namespace tidemark::protocol;

namespace {

Bytes varint(int64_t value) {
  Bytes out;
  append_varint(out, value);
  return out;
}

// How many records can be read, and whether the walk ended well.
std::pair<int, bool> walk(int32_t count, const Bytes& payload) {
  const Bytes batch = sealed(CompressionType::none, count, payload);
  RecordIterator records(read_batch_header(batch), std::span(batch).subspan(kBatchHeaderBytes));
  for (int read = 0;; ++read) {
    const auto record = records.next();
    if (!record) return {read, false};
    if (!*record) return {read, true};
  }
}

const Bytes kSmallest = bytes_of({12, 0, 0, 0, 1, 1, 0});  // null key, null value

}  // namespace

TEST_CASE("varints have Kafka's sizes and survive the round trip") {
  for (const int64_t value :
       {int64_t{0}, int64_t{-1}, int64_t{63}, int64_t{-64}, int64_t{64}, int64_t{-65}, int64_t{8191},
        int64_t{8192}, int64_t{INT32_MAX}, int64_t{INT32_MIN}, INT64_MAX, INT64_MIN}) {
    const Bytes bytes = varint(value);
    CHECK(bytes.size() == varint_size(value));
    const std::byte* p = bytes.data();
    int64_t wide = 0;
    REQUIRE(read_varint64(p, bytes.data() + bytes.size(), wide));
    CHECK(wide == value);
    if (value < INT32_MIN || value > INT32_MAX) continue;
    p = bytes.data();
    int32_t narrow = 0;
    REQUIRE(read_varint32(p, bytes.data() + bytes.size(), narrow));
    CHECK(narrow == value);
  }
  CHECK(varint_size(0) == 1);
  CHECK(varint_size(-64) == 1);
  CHECK(varint_size(64) == 2);
  CHECK(varint_size(INT32_MIN) == 5);
  CHECK(varint_size(INT64_MIN) == 10);
}

TEST_CASE("a varint that is cut off or too wide is none") {
  int32_t narrow = 0;
  int64_t wide = 0;
  const auto reads32 = [&](const Bytes& bytes) {
    const std::byte* p = bytes.data();
    return read_varint32(p, bytes.data() + bytes.size(), narrow);
  };
  const auto reads64 = [&](const Bytes& bytes) {
    const std::byte* p = bytes.data();
    return read_varint64(p, bytes.data() + bytes.size(), wide);
  };
  CHECK_FALSE(reads32(bytes_of({})));
  CHECK_FALSE(reads32(bytes_of({0x80})));
  CHECK_FALSE(reads32(bytes_of({0xFF, 0xFF, 0xFF, 0xFF, 0x10})));
  CHECK_FALSE(reads32(bytes_of({0x80, 0x80, 0x80, 0x80, 0x80, 0x00})));
  CHECK(reads32(bytes_of({0xFF, 0xFF, 0xFF, 0xFF, 0x0F})));
  CHECK(narrow == INT32_MIN);
  CHECK(reads32(bytes_of({0x82, 0x00})));  // padded: Kafka takes it
  CHECK(narrow == 1);
  CHECK_FALSE(reads64(bytes_of({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02})));
  CHECK(reads64(bytes_of({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01})));
  CHECK(wide == INT64_MIN);
}

TEST_CASE("records come back with keys, values, headers, nulls and timestamps") {
  BatchOptions options;
  options.base_offset = Offset(500);
  BatchBuilder builder(options);
  const std::vector<RecordHeader> headers{{"a", view("1")}, {"", std::nullopt}, {"a", view("")}};
  builder.add(1000, view("k0"), view("v0"), headers);
  builder.add(900, std::nullopt, view(""));
  builder.add(1500, view(""), std::nullopt);
  const Bytes batch = *builder.build();
  BatchIterator batches(batch);
  const auto first = batches.next();
  REQUIRE((first && *first));
  CHECK((*first)->header.max_timestamp == 1500);
  CHECK((*first)->header.base_timestamp == 1000);
  const auto open = OpenBatch::open(**first);
  REQUIRE(open);
  RecordIterator records = open->records();
  auto record = *records.next();
  CHECK(record->offset == Offset(500));
  CHECK(record->timestamp == 1000);
  CHECK(text(record->key) == "k0");
  CHECK(text(record->value) == "v0");
  std::vector<std::string> seen;
  for (const RecordHeader& header : record->headers)
    seen.push_back(std::string(header.key) + "=" + text(header.value));
  CHECK(seen == std::vector<std::string>{"a=1", "=(null)", "a="});
  record = *records.next();
  CHECK(record->offset == Offset(501));
  CHECK(record->timestamp == 900);
  CHECK(text(record->key) == "(null)");
  CHECK(text(record->value).empty());
  CHECK(record->headers.empty());
  record = *records.next();
  CHECK(record->timestamp == 1500);
  CHECK(text(record->key).empty());
  CHECK(text(record->value) == "(null)");
  CHECK_FALSE(*records.next());
  CHECK_FALSE(*records.next());
}

TEST_CASE("in LogAppendTime a record shows the batch's time and keeps its own") {
  BatchOptions options;
  options.log_append_time = 9999;
  const Bytes batch = produced(2, options);
  RecordIterator records(read_batch_header(batch), std::span(batch).subspan(kBatchHeaderBytes));
  CHECK((*records.next())->timestamp == 9999);
  const auto second = *records.next();
  CHECK(second->timestamp == 9999);
  CHECK(second->create_timestamp == 1001);
}

TEST_CASE("batches are walked up to the last whole one") {
  Bytes log = produced(2);
  const size_t first = log.size();
  const Bytes second = with_header(produced(3), [](BatchHeader& h) { h.base_offset = Offset(2); });
  log.insert(log.end(), second.begin(), second.end());
  for (size_t size = 0; size <= log.size(); ++size) {
    const Bytes cut(log.begin(), log.begin() + static_cast<long>(size));
    BatchIterator batches(cut);
    int whole = 0;
    for (auto batch = batches.next(); *batch; batch = batches.next()) ++whole;
    CHECK(whole == (size >= log.size() ? 2 : size >= first ? 1 : 0));
    CHECK(batches.whole_bytes() == (whole == 2 ? log.size() : whole == 1 ? first : 0));
    CHECK(batches.rest().size() == size - batches.whole_bytes());
  }
  log[first + kBatchMagicAt] = std::byte{9};
  BatchIterator batches(log);
  CHECK(*batches.next());
  CHECK(batches.next().error().code() == ErrorCode::CORRUPT_MESSAGE);
  CHECK(batches.whole_bytes() == first);
}

TEST_CASE("a record that is not what its sizes say is refused") {
  CHECK(walk(1, kSmallest) == std::pair(1, true));
  CHECK(walk(2, kSmallest) == std::pair(1, false));                       // a record is missing
  CHECK(walk(1, joined({kSmallest, kSmallest})) == std::pair(1, false));  // there is one more
  CHECK(walk(1, joined({kSmallest, bytes_of({0})})) == std::pair(1, false));
  const auto refused = [](std::initializer_list<int> bytes) {
    return walk(1, bytes_of(bytes)) == std::pair(0, false);
  };
  CHECK(refused({}));
  CHECK(refused({0}));                                 // an empty body
  CHECK(refused({1, 0, 0, 0, 1, 1, 0}));               // length -1
  CHECK(refused({14, 0, 0, 0, 1, 1, 0}));              // longer than the batch
  CHECK(refused({10, 0, 0, 0, 1, 1}));                 // no header count
  CHECK(refused({14, 0, 0, 0, 1, 1, 0, 0}));           // a byte behind the fields
  CHECK(refused({12, 0, 0, 0, 4, 1, 0}));              // a key that reaches beyond
  CHECK(refused({12, 0, 0, 0, 1, 4, 0}));              // a value that reaches beyond
  CHECK(refused({12, 0, 0, 0, 1, 1, 1}));              // header count -1
  CHECK(refused({12, 0, 0, 0, 1, 1, 2}));              // a header that is not there
  CHECK(refused({16, 0, 0, 0, 1, 1, 2, 1, 1}));        // a header without key
  CHECK(refused({16, 0, 0, 0, 1, 1, 2, 0, 2}));        // a header value that reaches beyond
  CHECK_FALSE(refused({16, 0, 0, 0, 1, 1, 2, 0, 1}));  // an empty header key and a null value are fine
  CHECK(refused({12, 0, 0x80, 0x80, 1, 1, 0}));        // a delta whose varint runs on
}

TEST_CASE("no prefix of a payload reads to its end") {
  const Bytes batch = produced(5);
  const Bytes payload(batch.begin() + kBatchHeaderBytes, batch.end());
  for (size_t size = 0; size < payload.size(); ++size)
    CHECK_FALSE(walk(5, Bytes(payload.begin(), payload.begin() + static_cast<long>(size))).second);
}

TEST_CASE("control records tell what they are") {
  const auto key = parse_control_key(bytes_of({0, 0, 0, 1}));
  REQUIRE(key);
  CHECK(key->version == 0);
  CHECK(key->type == ControlType::commit);
  CHECK(parse_control_key(bytes_of({0, 1, 0, 2, 9, 9}))->type == ControlType::leader_change);
  CHECK(parse_control_key(bytes_of({0, 0, 0})).error().code() == ErrorCode::CORRUPT_MESSAGE);
  CHECK(parse_control_key(bytes_of({0xFF, 0xFF, 0, 0})).error().code() == ErrorCode::CORRUPT_MESSAGE);
  CHECK(parse_end_txn_marker(bytes_of({0, 0, 0, 0, 0, 9}))->coordinator_epoch == 9);
  CHECK(parse_end_txn_marker(bytes_of({0, 0, 0, 0, 0})).error().code() == ErrorCode::CORRUPT_MESSAGE);
  CHECK(parse_end_txn_marker(bytes_of({0x80, 0, 0, 0, 0, 1})).error().code() == ErrorCode::CORRUPT_MESSAGE);

  BatchOptions options;
  options.control = options.transactional = true;
  options.producer_id = ProducerId(7);
  options.producer_epoch = ProducerEpoch(1);
  BatchBuilder builder(options);
  builder.add_end_txn_marker(1000, false, {0, 3});
  const Bytes batch = *builder.build();
  const BatchHeader header = read_batch_header(batch);
  CHECK(header.is_control());
  const auto record = *RecordIterator(header, std::span(batch).subspan(kBatchHeaderBytes)).next();
  CHECK(parse_control_key(*record->key)->type == ControlType::abort);
  CHECK(parse_end_txn_marker(*record->value)->coordinator_epoch == 3);
}
