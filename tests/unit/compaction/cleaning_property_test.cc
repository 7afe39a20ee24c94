// Random logs, cleaned again and again: what a reader may rely on holds after every cleaning, whatever was
// produced and however little memory the cleanings had; and where the memory was enough, each batch is what
// Kafka's rules, taken one record at a time, make of it.
#include <algorithm>

#include "protocol/runtime/random.h"
#include "tests/unit/compaction/test_log.h"

using namespace tidemark;
using namespace tidemark::storage;
using protocol::BatchHeader;

namespace {

// What must be left of a batch.
struct Left {
  Offset base;
  std::vector<Offset> records;
  std::optional<int64_t> horizon;  // for the records that are left
  bool operator==(const Left&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Left& left) {
  out << left.base.value << ':';
  for (const Offset offset : left.records) out << ' ' << offset.value;
  if (left.horizon) out << " until " << *left.horizon;
  return out;
}

using State = std::map<std::string, std::string>;  // the newest values; no key: deleted, or never there

struct World {
  runtime::SeededRandom random;
  TestLog log;
  std::vector<SeenBatch> original;  // all that was ever appended
  std::vector<AbortedTransaction> aborted;
  std::map<ProducerId, LastOfProducer> producers;
  std::map<ProducerId, int32_t> sequences;
  std::map<ProducerId, Offset> open;  // transactions, by first offset
  std::map<Offset, const SeenRecord*> records;
  std::map<Offset, const SeenBatch*> batch_of;  // a record's
  std::map<Offset, int64_t> gone_ms;            // when a cleaning removed a committed record
  int64_t now_ms = 10'000'000;
  int64_t retention_ms;
  Offset from{0};  // the dirty part
  uint64_t dropped_tombstones = 0;
  size_t batches_of_producer;  // that it may send again
  // Counted of the model's cleanings, so that it is known to have seen what it is about.
  uint64_t markers_dropped = 0;
  uint64_t kept_empty = 0;
  uint64_t on_the_horizon = 0;

  explicit World(uint64_t seed)
      : random(seed),
        retention_ms(random.chance(0.2) ? 0 : random.between(1, 5000)),
        batches_of_producer(1 + seed % 5) {}

  void append(const Bytes& batch) {
    log.append(batch);
    original.push_back(read_batches(batch).front());
    const BatchHeader& h = original.back().header;
    if (!h.is_idempotent()) return;
    LastOfProducer& last = producers[h.producer_id];
    last.epoch = h.producer_epoch;
    if (h.is_control()) return;
    last.data_offsets.push_back(h.last_offset());
    if (last.data_offsets.size() > batches_of_producer) last.data_offsets.erase(last.data_offsets.begin());
  }

  [[nodiscard]] LeaderEpoch epoch() const { return LeaderEpoch(static_cast<int32_t>(log.end.value / 40)); }
  void produce(uint64_t keys) {
    protocol::BatchOptions options{.base_offset = log.end,
                                   .leader_epoch = epoch(),
                                   .codec = static_cast<protocol::CompressionType>(random.below(5))};
    if (random.chance(0.2)) options.log_append_time = 1'000'000 + log.end.value * 10;
    if (random.chance(0.6)) {
      options.producer_id = ProducerId(random.between(1, 6));
      options.transactional = options.producer_id > ProducerId(3);
      options.producer_epoch = ProducerEpoch(0);
      options.base_sequence = sequences[options.producer_id];
      if (options.transactional) open.try_emplace(options.producer_id, log.end);
    }
    protocol::BatchBuilder builder(options);
    const uint64_t count = 1 + random.below(random.chance(0.1) ? 30 : 6);
    for (uint64_t i = 0; i < count; ++i) {
      const std::string key = fmt::format("k{}", random.below(keys));
      const std::string value = fmt::format("v{}-{}", log.end.value, std::string(random.below(40), 'x'));
      const std::vector<protocol::RecordHeader> headers{{"h", as_bytes(value)}, {"", std::nullopt}};
      const bool keyless = random.chance(0.02);
      const bool tombstone = !keyless && random.chance(0.2);
      builder.add(1'000'000 + log.end.value * 10 + random.between(-50, 50),
                  keyless ? protocol::NullableBytes() : as_bytes(key),
                  tombstone ? protocol::NullableBytes() : as_bytes(value),
                  std::span(headers).first(random.below(3)));
    }
    sequences[options.producer_id] += static_cast<int32_t>(count);
    append(*builder.build());
  }
  void end_transaction() {
    const auto [producer, first] = *open.begin();
    const bool commit = random.chance(0.6);
    if (!commit) aborted.push_back({producer, first, log.end, first});
    append(make_marker(log.end, producer, commit, epoch()));
    open.erase(open.begin());
  }
  void grow() {
    const uint64_t keys = 2 + random.below(20);
    for (uint64_t segments = 1 + random.below(5); segments > 0; --segments) {
      for (uint64_t batches = random.below(12); batches > 0; --batches) {
        produce(keys);
        if (!open.empty() && random.chance(0.4)) end_transaction();
      }
      log.roll();
    }
    while (!open.empty()) end_transaction();
    log.roll();
    records.clear();
    batch_of.clear();
    for (const SeenBatch& batch : original) {
      for (const SeenRecord& record : batch.records) {
        records[record.offset] = &record;
        batch_of[record.offset] = &batch;
      }
    }
  }

  [[nodiscard]] bool is_committed(const BatchHeader& h) const {
    return !h.is_control() && std::none_of(aborted.begin(), aborted.end(), [&](const AbortedTransaction& a) {
      return h.is_transactional() && a.producer == h.producer_id && a.first_offset <= h.base_offset &&
             h.base_offset < a.last_offset;
    });
  }
  // Goes on from `state` with every committed record in [from, until).
  void read(State& state, const std::vector<SeenBatch>& batches, Offset first, Offset until) const {
    for (const SeenBatch& batch : batches) {
      if (!is_committed(batch.header)) continue;
      for (const SeenRecord& record : batch.records) {
        if (!record.key || record.offset < first || record.offset >= until) continue;
        if (record.value) {
          state[*record.key] = *record.value;
        } else {
          state.erase(*record.key);
        }
      }
    }
  }

  RoundResult clean() {
    RoundOptions options{.from = from, .end = log.segments.back().facts.base_offset, .now_ms = now_ms};
    options.delete_retention_ms = retention_ms;
    options.producers = producers;
    options.aborted = aborted;
    options.step_bytes = random.chance(0.5) ? random.below(500) : UINT64_MAX;
    options.segment_bytes = random.chance(0.5) ? 500 + random.below(3000) : 1 << 30;
    if (random.chance(0.4))
      options.map_bytes = OffsetMap::kMinBytes + random.below(15) * OffsetMap::kEntryBytes;
    const bool fits = options.map_bytes == RoundOptions().map_bytes;
    const std::vector<Left> expected = fits ? expect(log.batches(), options) : std::vector<Left>();
    RoundResult result = log.clean(options);
    if (fits) {
      REQUIRE(result.end == *options.end);
      REQUIRE(left() == expected);
    }
    from = result.end;
    check(*options.end);
    return result;
  }

  [[nodiscard]] static std::optional<int64_t> horizon_of(const BatchHeader& h) {
    return h.has_delete_horizon() ? std::optional(h.base_timestamp) : std::nullopt;
  }
  [[nodiscard]] static Left left_of(const SeenBatch& batch) {
    Left one{batch.header.base_offset, {}, {}};
    for (const SeenRecord& record : batch.records) one.records.push_back(record.offset);
    if (!one.records.empty()) one.horizon = horizon_of(batch.header);
    return one;
  }
  [[nodiscard]] std::vector<Left> left() {
    std::vector<Left> all;
    for (const SeenBatch& batch : log.batches()) all.push_back(left_of(batch));
    return all;
  }

  // Kafka's rules, by record, over the log as it is.
  std::vector<Left> expect(const std::vector<SeenBatch>& batches, const RoundOptions& options) {
    std::map<std::string, Offset> newest;
    for (const SeenBatch& batch : batches) {
      if (!is_committed(batch.header)) continue;
      for (const SeenRecord& record : batch.records)
        if (record.key && record.offset >= options.from && record.offset < *options.end)
          newest[*record.key] = record.offset;
    }
    std::vector<Left> result;
    for (const SeenBatch& batch : batches) {
      const BatchHeader& h = batch.header;
      if (h.base_offset >= *options.end) {
        result.push_back(left_of(batch));
        continue;
      }
      const auto horizon = horizon_of(h);
      const bool is_over = horizon && *horizon <= options.now_ms;
      if (horizon && *horizon == options.now_ms) ++on_the_horizon;
      Left one{h.base_offset, {}, horizon};
      bool begins_horizon = false;
      if (h.is_control()) {
        const bool spent = is_spent(batches, h);
        if (!batch.records.empty() && !(spent && is_over)) one.records.push_back(h.base_offset);
        begins_horizon = spent;
        if (!batch.records.empty() && one.records.empty()) ++markers_dropped;
      } else if (is_committed(h)) {
        for (const SeenRecord& record : batch.records) {
          if (!record.key) continue;
          const auto last = newest.find(*record.key);
          if (last != newest.end() && last->second > record.offset) continue;
          if (!record.value && is_over) continue;
          one.records.push_back(record.offset);
          begins_horizon = begins_horizon || !record.value;
        }
      }
      if (!one.records.empty()) {
        if (!horizon && begins_horizon) one.horizon = options.now_ms + options.delete_retention_ms;
        result.push_back(std::move(one));
      } else if (h.next_offset() == *options.end || is_last_of_producer(h)) {
        one.horizon.reset();
        result.push_back(std::move(one));
        ++kept_empty;
      }
    }
    return result;
  }
  // Nothing of its transaction is left.
  [[nodiscard]] bool is_spent(const std::vector<SeenBatch>& batches, const BatchHeader& marker) const {
    Offset begins(0);
    for (const SeenBatch& batch : original) {
      const BatchHeader& h = batch.header;
      if (h.base_offset >= marker.base_offset) break;
      if (h.is_control() && h.producer_id == marker.producer_id) begins = h.next_offset();
    }
    return std::none_of(batches.begin(), batches.end(), [&](const SeenBatch& batch) {
      const BatchHeader& h = batch.header;
      return !h.is_control() && h.is_transactional() && h.producer_id == marker.producer_id &&
             h.base_offset >= begins && h.base_offset < marker.base_offset;
    });
  }
  [[nodiscard]] bool is_last_of_producer(const BatchHeader& h) const {
    const auto last = producers.find(h.producer_id);
    if (last == producers.end()) return false;
    const auto& offsets = last->second.data_offsets;
    if (offsets.empty()) return h.is_control() && h.producer_epoch == last->second.epoch;
    return std::count(offsets.begin(), offsets.end(), h.last_offset()) > 0;
  }

  void check(Offset cleaned_end) {
    const auto batches = log.batches();
    std::set<Offset> there;
    Offset next(0);
    bool end_is_there = cleaned_end == Offset(0);
    for (const SeenBatch& batch : batches) {
      const BatchHeader& h = batch.header;
      REQUIRE(h.base_offset >= next);
      next = h.next_offset();
      end_is_there = end_is_there || next == cleaned_end;
      const auto of = std::find_if(original.begin(), original.end(),
                                   [&](const SeenBatch& o) { return o.header.base_offset == h.base_offset; });
      REQUIRE(of != original.end());
      const BatchHeader& o = of->header;
      REQUIRE((h.last_offset_delta == o.last_offset_delta && h.leader_epoch == o.leader_epoch &&
               h.producer_id == o.producer_id && h.producer_epoch == o.producer_epoch &&
               h.base_sequence == o.base_sequence && h.is_transactional() == o.is_transactional() &&
               h.is_control() == o.is_control() && h.timestamp_type() == o.timestamp_type()));
      REQUIRE((batch.records.empty() || h.codec() == o.codec()));
      REQUIRE(h.record_count == static_cast<int32_t>(batch.records.size()));
      for (const SeenRecord& record : batch.records) {
        there.insert(record.offset);
        REQUIRE(record == *records.at(record.offset));
      }
    }
    REQUIRE(end_is_there);
    for (const auto& [producer, last] : producers) {
      if (last.data_offsets.empty()) continue;
      REQUIRE(std::any_of(batches.begin(), batches.end(),
                          [&, id = producer, offset = last.data_offsets.back()](const SeenBatch& batch) {
                            return batch.header.producer_id == id && batch.header.last_offset() == offset;
                          }));
    }
    check_transactions(there);
    check_tombstones(there);
    for (uint64_t i = 0; i < 12; ++i) check_reader(batches, Offset(random.between(0, log.end.value)));
    check_reader(batches, Offset(0));
  }

  // A record of a transaction stays no longer than the marker that ends it.
  void check_transactions(const std::set<Offset>& there) const {
    for (const SeenBatch& batch : original) {
      const BatchHeader& h = batch.header;
      if (!h.is_transactional() || h.is_control() || !there.contains(h.base_offset)) continue;
      const auto marker = std::find_if(original.begin(), original.end(), [&](const SeenBatch& m) {
        return m.header.is_control() && m.header.producer_id == h.producer_id &&
               m.header.base_offset > h.base_offset;
      });
      REQUIRE(there.contains(marker->header.base_offset));
    }
  }

  // What a tombstone deletes has been gone for delete.retention.ms before it goes itself.
  void check_tombstones(const std::set<Offset>& there) {
    std::map<std::string, Offset> newest;
    for (const auto& [offset, record] : records)
      if (record->key && is_committed(batch_of.at(offset)->header)) newest[*record->key] = offset;
    for (const auto& [offset, record] : records) {
      if (there.contains(offset) || !record->key || !is_committed(batch_of.at(offset)->header)) continue;
      if (!gone_ms.try_emplace(offset, now_ms).second) continue;
      if (newest.at(*record->key) != offset) continue;
      REQUIRE(!record->value);  // the newest record of a key goes only where it deletes
      ++dropped_tombstones;
      for (const auto& [older, of] : records) {
        if (older >= offset) break;
        if (of->key != record->key || !is_committed(batch_of.at(older)->header)) continue;
        REQUIRE(!there.contains(older));
        REQUIRE(gone_ms.at(older) + retention_ms <= now_ms);
      }
    }
  }

  // One that begins at `at`, and one that comes there having read what was there before.
  void check_reader(const std::vector<SeenBatch>& batches, Offset at) const {
    State before;
    State after;
    read(before, original, at, log.end);
    read(after, batches, at, log.end);
    REQUIRE(before == after);
    State all;
    State come;
    read(all, original, Offset(0), log.end);
    read(come, original, Offset(0), at);
    read(come, batches, at, log.end);
    for (const auto& [key, value] : all) REQUIRE(come[key] == value);
    for (const auto& [key, value] : come) {
      if (all.contains(key)) continue;
      // Too late: its tombstone is gone.
      REQUIRE(std::any_of(gone_ms.begin(), gone_ms.end(), [&, k = key](const auto& gone) {
        const SeenRecord& record = *records.at(gone.first);
        return gone.first >= at && record.key == k && !record.value;
      }));
    }
  }
};

}  // namespace

TEST_CASE("after any cleanings of any log a reader from any offset ends where it would have without them") {
  uint64_t dropped = 0;
  uint64_t copied = 0;
  uint64_t rewritten = 0;
  uint64_t emptied = 0;
  uint64_t markers_dropped = 0;
  uint64_t on_the_horizon = 0;
  uint64_t kept_empty = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    INFO("seed " << seed);
    World world(seed);
    for (uint64_t rounds = 1 + world.random.below(6); rounds > 0; --rounds) {
      if (world.random.chance(0.7)) world.grow();
      // Now and then exactly as long as a tombstone stays.
      world.now_ms += world.random.chance(0.3) ? world.retention_ms : world.random.between(0, 4000);
      if (world.original.empty()) continue;
      const RoundResult result = world.clean();
      copied += result.stats.batches_copied;
      rewritten += result.stats.batches_rewritten;
      emptied += result.stats.batches_emptied;
    }
    dropped += world.dropped_tombstones;
    markers_dropped += world.markers_dropped;
    on_the_horizon += world.on_the_horizon;
    kept_empty += world.kept_empty;
  }
  // It has seen what it is about.
  CHECK(markers_dropped > 20);
  CHECK(on_the_horizon > 20);
  CHECK(kept_empty > 100);
  CHECK(dropped > 100);
  CHECK(copied > 100);
  CHECK(rewritten > 100);
  CHECK(emptied > 100);
}

TEST_CASE("a log that is cleaned again at the same time stays byte for byte as it is") {
  for (uint64_t seed = 1000; seed <= 1060; ++seed) {
    INFO("seed " << seed);
    World world(seed);
    world.retention_ms = std::max<int64_t>(world.retention_ms, 1);
    world.grow();
    if (world.original.empty()) continue;
    const Offset end = world.log.segments.back().facts.base_offset;
    while (world.from < end) world.clean();
    // The second one finds transactions without records, and begins the time of their markers.
    world.clean();
    const Bytes settled = world.log.bytes();
    world.clean();
    CHECK(world.log.bytes() == settled);
    world.from = Offset(0);
    while (world.from < end) world.clean();
    CHECK(world.log.bytes() == settled);
  }
}

TEST_CASE("what is deleted leaves the log for good once its horizon has passed") {
  for (uint64_t seed = 2000; seed <= 2030; ++seed) {
    INFO("seed " << seed);
    World world(seed);
    world.grow();
    if (world.original.empty()) continue;
    const Offset end = world.log.segments.back().facts.base_offset;
    for (int pass = 0; pass < 4; ++pass) {
      do world.clean();
      while (world.from < end);
      world.now_ms += world.retention_ms;
    }
    for (const SeenBatch& batch : world.log.batches()) {
      for (const SeenRecord& record : batch.records)
        if (record.offset < end && !batch.header.is_control()) CHECK(record.value.has_value());
    }
  }
}
