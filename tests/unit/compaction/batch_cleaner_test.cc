// What stays of one batch: records, tombstones, producers, transactions, and its header.
#include "storage/compaction/batch_cleaner.h"

#include "protocol/runtime/random.h"
#include "tests/unit/compaction/test_log.h"

using namespace tidemark;
using namespace tidemark::storage;
using protocol::BatchHeader;
using protocol::CompressionType;

namespace {

constexpr int64_t kNow = 5'000'000;
constexpr int64_t kRetention = 1000;

struct Cleaner {
  OffsetMap map{1 << 12, 0.9, {1, 2}};
  CleanedTransactions transactions{{}};
  CleaningRules rules{kNow, kRetention, Offset(1'000'000), {}, size_t{1} << 20};
  CleaningStats stats;

  // The map knows these keys, and everything below `end`.
  Cleaner(std::initializer_list<std::pair<std::string_view, int64_t>> newest, int64_t end) {
    for (const auto& [key, offset] : newest) REQUIRE(map.put(as_bytes(key), Offset(offset)));
    map.advance_to(Offset(end));
  }
  Result<void> into(const Bytes& batch, Bytes& out) {
    BatchCleaner cleaner(map, transactions, rules);
    return cleaner.clean({protocol::read_batch_header(batch), batch}, out, stats);
  }
  Bytes clean(const Bytes& batch) {
    Bytes out;
    REQUIRE(into(batch, out).has_value());
    return out;
  }
};

SeenBatch only(const Bytes& bytes) {
  auto batches = read_batches(bytes);
  REQUIRE(batches.size() == 1);
  return batches.front();
}

}  // namespace

TEST_CASE("a record goes when its key has a newer one, and not otherwise") {
  Cleaner cleaner({{"a", 12}, {"b", 11}, {"c", 40}}, 50);
  const Bytes batch = make_batch({.base_offset = Offset(10)}, {"a=1", "b=2", "a=3", "c=4", "d=5"});
  const SeenBatch cleaned = only(cleaner.clean(batch));
  const SeenBatch before = only(batch);
  REQUIRE(cleaned.records.size() == 3);
  CHECK(cleaned.records[0] == before.records[1]);
  CHECK(cleaned.records[1] == before.records[2]);
  CHECK(cleaned.records[2] == before.records[4]);
  CHECK(cleaner.stats.records_read == 5);
  CHECK(cleaner.stats.records_kept == 3);
  CHECK(cleaner.stats.batches_rewritten == 1);
  CHECK(cleaner.stats.bytes_read == batch.size());
}

TEST_CASE("a batch that loses records keeps its offsets, producer, epochs, codec and times") {
  for (int codec = 0; codec <= 4; ++codec) {
    for (const bool append_time : {false, true}) {
      Cleaner cleaner({{"a", 99}, {"c", 99}}, 100);
      protocol::BatchOptions options{.base_offset = Offset(10),
                                     .leader_epoch = LeaderEpoch(7),
                                     .codec = static_cast<CompressionType>(codec),
                                     .producer_id = ProducerId(5),
                                     .producer_epoch = ProducerEpoch(3),
                                     .base_sequence = 41,
                                     .transactional = true};
      if (append_time) options.log_append_time = 777'777;
      protocol::BatchBuilder builder(options);
      const std::vector<protocol::RecordHeader> headers{
          {"h", as_bytes("x")}, {"h", std::nullopt}, {"", as_bytes("")}};
      builder.add(5000, as_bytes("a"), as_bytes("1"));
      builder.add(3000, as_bytes("b"), as_bytes(std::string(1000, 'v')), headers);
      builder.add(9000, as_bytes("c"), as_bytes("2"));
      const Bytes batch = *builder.build();
      const SeenBatch before = only(batch);
      const SeenBatch after = only(cleaner.clean(batch));
      REQUIRE(after.records.size() == 1);
      CHECK(after.records[0] == before.records[1]);
      const BatchHeader& h = after.header;
      CHECK(h.base_offset == Offset(10));
      CHECK(h.last_offset_delta == 2);
      CHECK(h.leader_epoch == LeaderEpoch(7));
      CHECK(h.producer_id == ProducerId(5));
      CHECK(h.producer_epoch == ProducerEpoch(3));
      CHECK(h.base_sequence == 41);
      CHECK(h.last_sequence() == 43);
      CHECK(h.attributes == before.header.attributes);
      CHECK(h.base_timestamp == before.header.base_timestamp);
      CHECK(h.max_timestamp == (append_time ? 777'777 : 3000));
    }
  }
}

TEST_CASE("a batch of which everything stays is copied byte for byte, in whatever way it was compressed") {
  for (int codec = 0; codec <= 4; ++codec) {
    Cleaner cleaner({{"a", 10}, {"b", 11}}, 100);
    // A level that no cleaning would choose.
    std::optional<int> level;
    if (codec == 1 || codec == 3) level = 1;
    if (codec == 4) level = 19;
    const Bytes batch =
        make_batch({.base_offset = Offset(10), .codec = static_cast<CompressionType>(codec), .level = level},
                   {"a=1111111111111111111111111", "b=2222222222222222222222222222222"});
    CHECK(cleaner.clean(batch) == batch);
    CHECK(cleaner.stats.batches_copied == 1);
    CHECK(cleaner.stats.records_kept == 2);
    CHECK(cleaner.stats.bytes_kept == batch.size());
  }
}

TEST_CASE("what the map does not reach stays, also tombstones and records without a key") {
  Cleaner cleaner({{"a", 90}}, 12);
  const Bytes above = make_batch({.base_offset = Offset(12)}, {"a=1", "a", "=x"});
  CHECK(cleaner.clean(above) == above);
  CHECK(cleaner.stats.records_without_key == 0);
  // A batch across the end of the map: only what lies below is judged, and no tombstone's time begins.
  const SeenBatch across =
      only(cleaner.clean(make_batch({.base_offset = Offset(10)}, {"a=0", "b", "a", "=x"})));
  REQUIRE(across.records.size() == 3);
  CHECK(across.records[0].offset == Offset(11));
  CHECK(!across.header.has_delete_horizon());
}

TEST_CASE("a record without a key goes, and is counted") {
  Cleaner cleaner({}, 100);
  const SeenBatch after = only(cleaner.clean(make_batch({.base_offset = Offset(3)}, {"=x", "a=1", "=y"})));
  REQUIRE(after.records.size() == 1);
  CHECK(after.records[0].key == "a");
  CHECK(cleaner.stats.records_without_key == 2);
  CHECK(cleaner.clean(make_batch({.base_offset = Offset(6)}, {"=x"})).empty());
  CHECK(cleaner.stats.batches_dropped == 1);
}

TEST_CASE("a tombstone gets its delete horizon when it is first cleaned, stays until then, and goes") {
  for (int codec = 0; codec <= 4; ++codec) {
    Cleaner cleaner({{"a", 10}, {"b", 11}}, 100);
    const Bytes batch = make_batch({.base_offset = Offset(10), .codec = static_cast<CompressionType>(codec)},
                                   {"a", "b=2", "c=3"});
    const SeenBatch before = only(batch);
    const Bytes first = cleaner.clean(batch);
    const SeenBatch marked = only(first);
    CHECK(marked.header.has_delete_horizon());
    CHECK(marked.header.base_timestamp == kNow + kRetention);
    CHECK(marked.header.max_timestamp == before.header.max_timestamp);
    CHECK(marked.header.codec() == before.header.codec());
    CHECK(marked.records == before.records);
    CHECK(cleaner.stats.batches_rewritten == 1);

    cleaner.rules.now_ms = kNow + kRetention - 1;
    CHECK(cleaner.clean(first) == first);
    cleaner.rules.now_ms = kNow + kRetention;
    const SeenBatch after = only(cleaner.clean(first));
    REQUIRE(after.records.size() == 2);
    CHECK(after.records[0] == before.records[1]);
    CHECK(after.records[1] == before.records[2]);
    CHECK(after.header.base_timestamp == kNow + kRetention);
    CHECK(after.header.max_timestamp == before.header.max_timestamp);
    CHECK(cleaner.clean(after.bytes) == after.bytes);
  }
}

TEST_CASE("a tombstone with a newer record goes at once, and one in LogAppendTime keeps its own time") {
  Cleaner cleaner({{"a", 12}, {"b", 11}}, 100);
  const Bytes batch = make_batch({.base_offset = Offset(10), .log_append_time = 123'456}, {"a", "b", "a=1"});
  const SeenBatch before = only(batch);
  const SeenBatch after = only(cleaner.clean(batch));
  REQUIRE(after.records.size() == 2);
  CHECK(after.records[0] == before.records[1]);
  CHECK(after.records[1] == before.records[2]);
  CHECK(after.header.max_timestamp == 123'456);
  CHECK(after.header.timestamp_type() == protocol::TimestampType::log_append_time);
}

TEST_CASE("no delete.retention.ms overflows the horizon") {
  for (const int64_t retention : {int64_t{0}, INT64_MAX, INT64_MAX - kNow}) {
    Cleaner cleaner({{"a", 10}}, 100);
    cleaner.rules.delete_retention_ms = retention;
    const Bytes batch = make_batch({.base_offset = Offset(10)}, {"a"});
    const Bytes first = cleaner.clean(batch);
    const SeenBatch marked = only(first);
    CHECK(marked.header.base_timestamp == (retention == 0 ? kNow : INT64_MAX));
    CHECK(marked.records == only(batch).records);
    CHECK(cleaner.clean(first).empty() == (retention == 0));
  }
}

TEST_CASE("a batch that an active producer may send again stays, empty, and others do not") {
  Cleaner cleaner({{"a", 90}}, 100);
  cleaner.rules.producers[ProducerId(5)] = {{Offset(13)}, ProducerEpoch(1)};
  const protocol::BatchOptions options{.base_offset = Offset(10),
                                       .leader_epoch = LeaderEpoch(2),
                                       .codec = CompressionType::zstd,
                                       .producer_id = ProducerId(5),
                                       .producer_epoch = ProducerEpoch(1),
                                       .base_sequence = 6};
  CHECK(cleaner.clean(make_batch(options, {"a=1", "a=2"})).empty());
  auto last = options;
  last.base_offset = Offset(12);
  const Bytes batch = make_batch(last, {"a=3", "a=4"});
  const Bytes emptied = cleaner.clean(batch);
  CHECK(emptied.size() == protocol::kBatchHeaderBytes);
  const SeenBatch seen = only(emptied);
  CHECK(seen.header.base_offset == Offset(12));
  CHECK(seen.header.last_offset() == Offset(13));
  CHECK(seen.header.last_sequence() == 7);
  CHECK(seen.header.producer_epoch == ProducerEpoch(1));
  CHECK(seen.header.leader_epoch == LeaderEpoch(2));
  CHECK(seen.header.max_timestamp == only(batch).header.max_timestamp);
  CHECK(seen.header.codec() == CompressionType::none);
  CHECK(cleaner.stats.batches_emptied == 1);
  CHECK(cleaner.clean(emptied) == emptied);
  // Also once there are others behind it, as long as it may come again.
  cleaner.rules.producers[ProducerId(5)].data_offsets = {Offset(13), Offset(20)};
  CHECK(cleaner.clean(emptied) == emptied);
  // Once the producer has gone on, or is forgotten, it goes too.
  cleaner.rules.producers[ProducerId(5)].data_offsets = {Offset(20)};
  CHECK(cleaner.clean(emptied).empty());
  cleaner.rules.producers.clear();
  CHECK(cleaner.clean(batch).empty());
  // Another producer's batch at that offset is not meant.
  cleaner.rules.producers[ProducerId(6)] = {{Offset(13)}, ProducerEpoch(1)};
  CHECK(cleaner.clean(batch).empty());
}

TEST_CASE("what must stay of a producer is told by what its log knows of it") {
  ProducerState state;
  const auto apply = [&](const Bytes& batch) { state.apply(protocol::read_batch_header(batch), {}); };
  protocol::BatchOptions options{.base_offset = Offset(3),
                                 .producer_id = ProducerId(5),
                                 .producer_epoch = ProducerEpoch(1),
                                 .base_sequence = 0};
  apply(make_batch(options, {"a=1", "b=1"}));
  options.base_offset = Offset(5);
  options.base_sequence = 2;
  apply(make_batch(options, {"a=1", "b=1", "c=1"}));
  const Bytes marker = make_marker(Offset(8), ProducerId(7), false);
  apply(marker);
  state.apply_end_marker(protocol::read_batch_header(marker), 0, {});
  const auto last = last_of_producers(state, Offset(1000));
  REQUIRE(last.size() == 2);
  CHECK(last.at(ProducerId(5)).data_offsets == std::vector{Offset(4), Offset(7)});
  CHECK(last.at(ProducerId(5)).epoch == ProducerEpoch(1));
  CHECK(last.at(ProducerId(7)).data_offsets.empty());
  CHECK(last.at(ProducerId(7)).epoch == ProducerEpoch(0));
  // What a crash may take does not count.
  CHECK(last_of_producers(state, Offset(7)).at(ProducerId(5)).data_offsets == std::vector{Offset(4)});
  CHECK(last_of_producers(state, Offset(3)).at(ProducerId(5)).data_offsets.empty());
}

TEST_CASE("the batch before the end of the cleaning stays, empty, so that the offset is not lost") {
  Cleaner cleaner({{"a", 90}}, 100);
  cleaner.rules.end = Offset(12);
  const SeenBatch seen = only(cleaner.clean(make_batch({.base_offset = Offset(10)}, {"a=1", "a=2"})));
  CHECK(seen.records.empty());
  CHECK(seen.header.next_offset() == Offset(12));
  CHECK(cleaner.clean(make_batch({.base_offset = Offset(9)}, {"a=1", "a=2"})).empty());
}

// Seed 236 of the node world: the log's last batch had been emptied, a cleaning that ended before it dropped
// it, and a reader had nothing to go on from.
TEST_CASE("a batch that was emptied before stays above the end of the next cleaning") {
  Cleaner cleaner({{"a", 10}}, 12);
  cleaner.rules.end = Offset(22);
  const Bytes emptied = protocol::build_emptied_batch(
      protocol::read_batch_header(make_batch({.base_offset = Offset(20)}, {"a=1", "a=2"})));
  for (const int64_t end : {22, 20, 12}) {
    cleaner.rules.end = Offset(end);
    CHECK(cleaner.clean(emptied) == emptied);
  }
  cleaner.rules.end = Offset(23);
  CHECK(cleaner.clean(emptied).empty());
}

TEST_CASE("records of an aborted transaction go, its marker only after them, and after its horizon") {
  const ProducerId producer(9);
  const AbortedTransaction aborted{producer, Offset(10), Offset(12), Offset(10)};
  const protocol::BatchOptions options{.base_offset = Offset(10),
                                       .producer_id = producer,
                                       .producer_epoch = ProducerEpoch(0),
                                       .base_sequence = 0,
                                       .transactional = true};
  const Bytes data = make_batch(options, {"x=1", "y=2"});
  const Bytes marker = make_marker(Offset(12), producer, false);
  Cleaner cleaner({}, 100);
  cleaner.transactions = CleanedTransactions({aborted});
  CHECK(cleaner.clean(data).empty());
  CHECK(cleaner.clean(marker) == marker);
  CHECK(cleaner.transactions.take_kept() == std::vector{aborted});
  CHECK(cleaner.transactions.take_kept().empty());

  // The next cleaning meets no record of it: the marker's time begins.
  cleaner.transactions = CleanedTransactions({aborted});
  const Bytes marked = cleaner.clean(marker);
  CHECK(only(marked).header.has_delete_horizon());
  CHECK(only(marked).header.base_timestamp == kNow + kRetention);
  CHECK(only(marked).records == only(marker).records);
  CHECK(cleaner.transactions.take_kept().empty());
  cleaner.transactions = CleanedTransactions({});
  CHECK(cleaner.clean(marked) == marked);
  cleaner.rules.now_ms = kNow + kRetention;
  CHECK(cleaner.clean(marked).empty());
  // It is the producer's only trace: it keeps the epoch by which older instances are fenced.
  cleaner.rules.producers[producer] = {{}, ProducerEpoch(0)};
  const SeenBatch emptied = only(cleaner.clean(marked));
  CHECK(emptied.records.empty());
  CHECK(emptied.header.is_control());
  cleaner.rules.producers[producer].epoch = ProducerEpoch(1);
  CHECK(cleaner.clean(emptied.bytes).empty());
}

TEST_CASE("a committed transaction's records are as any others, and its marker outlives them") {
  const ProducerId producer(9);
  const protocol::BatchOptions options{.base_offset = Offset(10),
                                       .producer_id = producer,
                                       .producer_epoch = ProducerEpoch(0),
                                       .base_sequence = 0,
                                       .transactional = true};
  const Bytes data = make_batch(options, {"x=1", "y=2"});
  const Bytes marker = make_marker(Offset(12), producer, true);
  Cleaner cleaner({{"x", 50}, {"y", 11}}, 100);
  CHECK(only(cleaner.clean(data)).records.size() == 1);
  CHECK(cleaner.clean(marker) == marker);
  CHECK(only(cleaner.clean(marker)).header.has_delete_horizon());
  // More open ones than are remembered: no marker is given up.
  cleaner.transactions = CleanedTransactions({}, 1);
  for (int64_t id = 1; id <= 3; ++id) {
    auto other = options;
    other.producer_id = ProducerId(id);
    (void)cleaner.clean(make_batch(other, {"y=1"}));
  }
  const Bytes third = make_marker(Offset(30), ProducerId(3), true);
  CHECK(cleaner.clean(third) == third);
}

TEST_CASE("what follows an aborted transaction whose marker is gone already is not of it") {
  const ProducerId producer(9);
  Cleaner cleaner({}, 100);
  cleaner.transactions = CleanedTransactions({{producer, Offset(1), Offset(5), Offset(1)}});
  const Bytes data = make_batch({.base_offset = Offset(10),
                                 .producer_id = producer,
                                 .producer_epoch = ProducerEpoch(0),
                                 .base_sequence = 0,
                                 .transactional = true},
                                {"x=1"});
  CHECK(cleaner.clean(data) == data);
  const Bytes marker = make_marker(Offset(11), producer, true);
  CHECK(cleaner.clean(marker) == marker);
}

TEST_CASE("control records of other kinds stay") {
  Cleaner cleaner({}, 100);
  protocol::BatchBuilder builder({.base_offset = Offset(10), .control = true});
  builder.add_control(1000, {0, protocol::ControlType::leader_change}, as_bytes("abc"));
  const Bytes batch = *builder.build();
  CHECK(cleaner.clean(batch) == batch);
}

TEST_CASE("a batch that cannot be opened or read is corruption, and nothing is written of it") {
  Cleaner cleaner({{"b", 90}}, 100);
  const auto refused = [&](Bytes batch, const std::function<void(Bytes&, BatchHeader&)>& damage) {
    BatchHeader header = protocol::read_batch_header(batch);
    damage(batch, header);
    protocol::write_batch_header(batch, header);
    Bytes out(3);
    const CleaningStats before = cleaner.stats;
    const auto result = cleaner.into(batch, out);
    REQUIRE(!result.has_value());
    CHECK(out == Bytes(3));
    CHECK(cleaner.stats == before);
    return result.error();
  };
  const Bytes plain = make_batch({.base_offset = Offset(10)}, {"a=1", "b=2"});
  const Bytes zstd = make_batch({.base_offset = Offset(10), .codec = CompressionType::zstd}, {"a=1", "b=2"});
  CHECK(refused(plain, [](Bytes&, BatchHeader& h) { h.record_count = 3; }).kind() == ErrorKind::corruption);
  CHECK(refused(plain, [](Bytes&, BatchHeader& h) { h.record_count = 1; }).kind() == ErrorKind::corruption);
  CHECK(refused(plain, [](Bytes&, BatchHeader& h) { h.last_offset_delta = 0; }).kind() ==
        ErrorKind::corruption);
  CHECK(refused(zstd, [](Bytes& b, BatchHeader&) { b[65] ^= std::byte{0xFF}; }).kind() ==
        ErrorKind::corruption);
  CHECK(refused(zstd, [](Bytes&, BatchHeader& h) { h.attributes = 7; }).code() ==
        ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
  // Offsets that do not rise.
  protocol::BatchBuilder builder({.base_offset = Offset(10)});
  builder.add(1, as_bytes("a"), as_bytes("1"));
  builder.add(1, as_bytes("a"), as_bytes("1"));
  CHECK(refused(*builder.build(),
                [](Bytes& b, BatchHeader&) {
                  const size_t record = (b.size() - protocol::kBatchHeaderBytes) / 2;
                  b[protocol::kBatchHeaderBytes + record + 3] =
                      std::byte{0};  // the second one's offset delta
                })
            .message()
            .find("the batch at offset 10: a record at offset delta 0") == 0);
  CHECK(refused(make_marker(Offset(10), ProducerId(1), true), [](Bytes& b, BatchHeader&) {
          b[protocol::kBatchHeaderBytes + 4] = std::byte{1};  // no key
        }).kind() == ErrorKind::corruption);
}

TEST_CASE("a batch that opens to more than the bound is refused, and costs no more than that") {
  Cleaner cleaner({}, 100);
  for (int codec = 1; codec <= 4; ++codec) {
    const std::string value(2 << 20, 'x');
    const Bytes bomb =
        make_batch({.base_offset = Offset(10), .codec = static_cast<CompressionType>(codec)}, {"a=" + value});
    CHECK(bomb.size() < value.size() / 2);
    Bytes out;
    const auto result = cleaner.into(bomb, out);
    REQUIRE(!result.has_value());
    CHECK(result.error().code() == ErrorCode::MESSAGE_TOO_LARGE);
    CHECK(out.empty());
  }
}

TEST_CASE("whatever bytes a batch holds, cleaning it is an error or leaves a batch that can be read") {
  runtime::SeededRandom random(11);
  uint64_t refused = 0;
  uint64_t cleaned = 0;
  for (int i = 0; i < 20'000; ++i) {
    Cleaner cleaner({{"b", 90}, {"d", 12}}, 100);
    protocol::BatchOptions options{.base_offset = Offset(10),
                                   .codec = static_cast<CompressionType>(random.below(5))};
    if (random.chance(0.2)) options.delete_horizon_ms = kNow - 1;
    Bytes batch = random.chance(0.1) ? make_marker(Offset(10), ProducerId(1), random.chance(0.5))
                                     : make_batch(options, {"a=1", "b=2", "c", "d=4444444444444444444444"});
    for (uint64_t damage = 1 + random.below(3); damage > 0; --damage) {
      const size_t from = random.chance(0.2) ? protocol::kBatchAttributesAt : protocol::kBatchHeaderBytes;
      const size_t at = from + random.below(batch.size() - from);
      batch[at] = random.chance(0.5) ? static_cast<std::byte>(random.next()) : batch[at] ^ std::byte{2};
    }
    const BatchHeader header = protocol::read_batch_header(batch);
    if (header.last_offset_delta < 0 || header.record_count < 0) continue;  // SegmentWalk's to refuse
    protocol::write_batch_header(batch, header);
    Bytes out;
    const auto result = cleaner.into(batch, out);
    if (!result) {
      ++refused;
      REQUIRE(out.empty());
      continue;
    }
    ++cleaned;
    int64_t last = 9;
    for (const SeenBatch& seen : read_batches(out)) {
      REQUIRE(seen.header.last_offset_delta == header.last_offset_delta);
      for (const SeenRecord& record : seen.records) {
        REQUIRE(record.offset.value > last);
        last = record.offset.value;
      }
      REQUIRE(last <= seen.header.last_offset().value);
    }
  }
  CHECK(refused > 1000);
  CHECK(cleaned > 1000);
}
