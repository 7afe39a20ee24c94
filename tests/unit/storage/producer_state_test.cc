// Idempotent producers. The exhaustive test compares with a model that knows only the whole history of the
// log, and none of the table's bookkeeping.
#include <catch2/catch.hpp>

#include <functional>

#include "storage/producer_snapshot.h"
#include "tests/unit/storage/raw_batch.h"

using namespace tidemark;
using namespace tidemark::storage;
using namespace std::chrono_literals;
using runtime::WallTime;

namespace {

constexpr WallTime kNow{1'000'000ms};

protocol::BatchHeader batch(int64_t producer, int16_t epoch, int32_t sequence, int32_t records = 1,
                            int64_t offset = 0, int16_t attributes = 0) {
  return RawBatch{.base_offset = offset,
                  .records = records,
                  .producer_id = producer,
                  .producer_epoch = epoch,
                  .base_sequence = sequence,
                  .attributes = attributes}
      .header();
}

struct Verdict {
  ErrorCode code = ErrorCode::NONE;
  int64_t duplicate_of = -1;
  bool operator==(const Verdict&) const = default;
};

Verdict verdict(const ProducerState& state, const protocol::BatchHeader& header) {
  const auto checked = state.check(header);
  if (!checked) return {checked.error().code(), -1};
  if (*checked) return {ErrorCode::NONE, (*checked)->base_offset.value};
  return {};
}

// One attempt of the client: which epoch, which sequence, how many records.
struct Attempt {
  int16_t epoch;
  int32_t sequence;
  int32_t records;
};

// What stands in the log, and the rules in the words of KIP-98.
struct Model {
  struct Written {
    Attempt attempt;
    int64_t offset;
  };
  std::vector<Written> log;

  [[nodiscard]] Verdict judge(const Attempt& a) const {
    if (log.empty()) return {};
    const int16_t epoch = log.back().attempt.epoch;
    if (a.epoch < epoch) return {ErrorCode::INVALID_PRODUCER_EPOCH, -1};
    if (a.epoch > epoch)
      return a.sequence == 0 ? Verdict{} : Verdict{ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1};
    size_t looked_at = 0;
    for (auto it = log.rbegin(); it != log.rend() && it->attempt.epoch == epoch && looked_at < 5;
         ++it, ++looked_at)
      if (it->attempt.sequence == a.sequence && it->attempt.records == a.records)
        return {ErrorCode::NONE, it->offset};
    const Attempt& last = log.back().attempt;
    const uint32_t next =
        (static_cast<uint32_t>(last.sequence) + static_cast<uint32_t>(last.records)) & 0x7FFFFFFF;
    if (static_cast<uint32_t>(a.sequence) != next) return {ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1};
    return {};
  }
};

}  // namespace

TEST_CASE("every history of six attempts is judged as its log alone would judge it") {
  // Sequences wrap inside of the alphabet: 2^31-2 and 2^31-1 come before 0.
  const int32_t max = INT32_MAX;
  const std::vector<Attempt> alphabet = {{0, max - 1, 1}, {0, max - 1, 2}, {0, max, 1},
                                         {0, max, 2},     {0, 0, 1},       {0, 1, 1},
                                         {1, 0, 1},       {1, 1, 2},       {2, 0, 2}};
  size_t checked = 0;
  size_t accepted = 0;
  std::function<void(const ProducerState&, const Model&, int)> explore = [&](const ProducerState& state,
                                                                             const Model& model, int depth) {
    for (const Attempt& attempt : alphabet) {
      const Verdict expected = model.judge(attempt);
      const Verdict got = verdict(state, batch(7, attempt.epoch, attempt.sequence, attempt.records));
      ++checked;
      if (!(got == expected)) {
        CAPTURE(depth, attempt.epoch, attempt.sequence, attempt.records, static_cast<int>(got.code),
                static_cast<int>(expected.code), got.duplicate_of, expected.duplicate_of);
        FAIL("the table and the log disagree");
      }
      if (depth == 1 || expected.code != ErrorCode::NONE || expected.duplicate_of >= 0) continue;
      ++accepted;
      ProducerState next = state;
      Model longer = model;
      const int64_t offset = next.end_offset().value;
      next.apply(batch(7, attempt.epoch, attempt.sequence, attempt.records, offset), kNow);
      longer.log.push_back({attempt, offset});
      explore(next, longer, depth - 1);
    }
  };
  explore(ProducerState(), Model(), 6);
  CHECK(checked > 300);
  CHECK(accepted > 40);
}

TEST_CASE("every order of sending and sending again eight batches keeps each exactly once") {
  // A client with five in flight: the next new batch, or any of the last six again.
  size_t runs = 0;
  std::function<void(const ProducerState&, int, int)> explore = [&](const ProducerState& state, int written,
                                                                    int depth) {
    ++runs;
    for (int sequence = 0; sequence <= written + 1; ++sequence) {
      const Verdict got = verdict(state, batch(3, 0, sequence * 2, 2));
      if (sequence == written) {
        REQUIRE(got == Verdict{});
        if (depth == 0) continue;
        ProducerState next = state;
        next.apply(batch(3, 0, sequence * 2, 2, sequence * 2), kNow);
        explore(next, written + 1, depth - 1);
      } else if (sequence > written) {
        // A producer that nobody knows may start anywhere.
        REQUIRE(got == (written == 0 ? Verdict{} : Verdict{ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1}));
      } else if (sequence >= written - 5) {
        REQUIRE(got == Verdict{ErrorCode::NONE, sequence * 2});
      } else {
        REQUIRE(got == Verdict{ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1});
      }
    }
  };
  explore(ProducerState(), 0, 8);
  CHECK(runs == 9);
}

TEST_CASE("a duplicate is the same range of sequences; a part of it, or another producer's, is none") {
  ProducerState state;
  state.apply(batch(1, 0, 0, 10, 100), kNow);
  CHECK(verdict(state, batch(1, 0, 0, 10)).duplicate_of == 100);
  CHECK(verdict(state, batch(1, 0, 0, 5)).code == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
  CHECK(verdict(state, batch(1, 0, 5, 5)).code == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
  CHECK(verdict(state, batch(2, 0, 0, 10)) == Verdict{});
  const auto found = state.check(batch(1, 0, 0, 10));
  REQUIRE((found && *found));
  CHECK(**found == DuplicateBatch{Offset(100), Offset(109), 1000});
}

TEST_CASE("batches without a producer pass, and a producer without epoch or sequence is refused") {
  ProducerState state;
  CHECK(verdict(state, batch(-1, -1, -1)) == Verdict{});
  CHECK(verdict(state, batch(1, 0, -1)).code == ErrorCode::INVALID_RECORD);
  CHECK(verdict(state, batch(1, -1, 0)).code == ErrorCode::INVALID_RECORD);
  state.apply(batch(-1, -1, -1, 4, 10), kNow);
  CHECK(state.size() == 0);
  CHECK(state.end_offset() == Offset(14));
}

TEST_CASE("after a marker the epoch goes on where it was, and a higher one starts over") {
  constexpr int16_t kTransactional = 16;
  constexpr int16_t kControl = 32 | 16;
  ProducerState state;
  state.apply(batch(1, 4, 0, 2, 0, kTransactional), kNow);
  CHECK(state.find(ProducerId(1))->current_txn_first_offset == Offset(0));
  CHECK(verdict(state, batch(1, 4, 2)).code == ErrorCode::INVALID_TXN_STATE);
  CHECK(verdict(state, batch(1, 4, 2, 1, 0, kTransactional)) == Verdict{});
  const auto marker = batch(1, 4, -1, 1, 2, kControl);
  state.apply(marker, kNow);
  CHECK(state.find(ProducerId(1))->current_txn_first_offset == Offset(0));
  state.apply_end_marker(marker, 9, kNow);
  CHECK(!state.find(ProducerId(1))->current_txn_first_offset);
  CHECK(state.find(ProducerId(1))->coordinator_epoch == 9);
  CHECK(state.end_offset() == Offset(3));
  CHECK(verdict(state, batch(1, 4, 2)) == Verdict{});
  CHECK(verdict(state, batch(1, 4, 0, 2)).duplicate_of == 0);
  state.apply_end_marker(batch(1, 5, -1, 1, 3, kControl), 9, kNow);
  CHECK(verdict(state, batch(1, 5, 2)).code == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
  CHECK(verdict(state, batch(1, 5, 0)) == Verdict{});
  CHECK(verdict(state, batch(1, 4, 2)).code == ErrorCode::INVALID_PRODUCER_EPOCH);
}

TEST_CASE("producers expire by when they were last applied here, never inside of a transaction") {
  ProducerState state;
  state.apply(batch(1, 0, 0, 1, 0), kNow);
  state.apply(batch(2, 0, 0, 1, 1), kNow + 10ms);
  state.apply(batch(3, 0, 0, 1, 2, 16), kNow);
  CHECK(state.expire(kNow + 99ms, 100ms) == 0);
  CHECK(state.expire(kNow + 100ms, 100ms) == 1);
  CHECK(state.find(ProducerId(1)) == nullptr);
  CHECK(state.expire(kNow + 1000ms, 100ms) == 1);
  CHECK(state.find(ProducerId(3)) != nullptr);
  // Forgotten: any sequence is taken again.
  CHECK(verdict(state, batch(1, 0, 77)) == Verdict{});
}

TEST_CASE("a full table forgets the producers that were idle longest") {
  ProducerState state(32);
  for (int i = 0; i < 32; ++i)
    state.apply(batch(i, 0, 0, 1, i, i == 0 ? 16 : 0), kNow + std::chrono::milliseconds(i));
  CHECK(state.evicted() == 0);
  state.apply(batch(100, 0, 0, 1, 32), kNow + 100ms);
  CHECK(state.size() == 30);
  CHECK(state.evicted() == 3);
  CHECK(state.find(ProducerId(0)) != nullptr);  // inside of a transaction
  CHECK(state.find(ProducerId(1)) == nullptr);
  CHECK(state.find(ProducerId(3)) == nullptr);
  CHECK(state.find(ProducerId(4)) != nullptr);
  ProducerState all_open(4);
  for (int i = 0; i < 20; ++i) all_open.apply(batch(i, 0, 0, 1, i, 16), kNow);
  CHECK(all_open.size() == 4);
}

TEST_CASE("a snapshot and the headers behind it give the state again, at any cut and any truncation") {
  std::vector<protocol::BatchHeader> log;
  int64_t offset = 0;
  std::map<int64_t, int32_t> next;
  for (int i = 0; i < 60; ++i) {
    const int64_t producer = i * 7 % 4;
    const int32_t records = 1 + i % 3;
    const auto epoch = static_cast<int16_t>(i / 25);
    if (i % 25 == 0) next.clear();
    log.push_back(batch(producer, epoch, next[producer], records, offset));
    next[producer] += records;
    offset += records;
  }
  auto replay = [&](ProducerState state, size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) state.apply(log[i], kNow);
    return state;
  };
  for (size_t end = 0; end <= log.size(); ++end) {
    const ProducerState whole = replay(ProducerState(), 0, end);
    for (size_t cut = 0; cut <= end; ++cut) {
      const ProducerState below = replay(ProducerState(), 0, cut);
      const DerivedFrom from{LogId(5), below.end_offset(), LeaderEpoch(3)};
      const std::string bytes = encode_producer_snapshot(from, below);
      auto snapshot = decode_producer_snapshot(bytes, kNow);
      REQUIRE(snapshot);
      REQUIRE(snapshot->from == from);
      const ProducerState again = replay(std::move(snapshot->state), cut, end);
      REQUIRE(again.producers() == whole.producers());
      REQUIRE(again.end_offset() == whole.end_offset());
    }
  }
}

TEST_CASE("a snapshot is used only where the log confirms it") {
  const DerivedFrom from{LogId(5), Offset(100), LeaderEpoch(3)};
  CHECK(confirms(from, LogId(5), Offset(100), LeaderEpoch(3)));
  CHECK(confirms(from, LogId(5), Offset(101), LeaderEpoch(3)));
  CHECK(!confirms(from, LogId(6), Offset(101), LeaderEpoch(3)));
  CHECK(!confirms(from, LogId(5), Offset(99), LeaderEpoch(3)));
  CHECK(!confirms(from, LogId(5), Offset(101), LeaderEpoch(4)));
}

TEST_CASE("no damage to a snapshot goes unseen") {
  ProducerState state;
  state.apply(batch(1, 0, 0, 3, 0), kNow);
  state.apply(batch(2, 1, 0, 1, 3, 16), kNow);
  const std::string ours = encode_producer_snapshot({LogId(1), Offset(4), LeaderEpoch(0)}, state);
  for (size_t at = 0; at < ours.size(); ++at) {
    std::string bad = ours;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    if (at == 6 || at == 7) continue;  // reserved
    REQUIRE(!decode_producer_snapshot(bad, kNow));
    REQUIRE(!decode_producer_snapshot(ours.substr(0, at), kNow));
  }
  std::string newer = ours;
  newer[4] = 2;
  CHECK(decode_producer_snapshot(newer, kNow).error().kind() == ErrorKind::format);
  CHECK(decode_producer_snapshot_origin(ours)->offset == Offset(4));
  const auto kafka = encode_kafka_producer_snapshot(state);
  for (size_t at = 0; at < kafka.size(); ++at) {
    auto bad = kafka;
    bad[at] ^= std::byte{0x10};
    REQUIRE(!decode_kafka_producer_snapshot(bad, Offset(4), kNow));
    REQUIRE(!decode_kafka_producer_snapshot(std::span(kafka).first(at), Offset(4), kNow));
  }
}

TEST_CASE("Kafka's snapshot file keeps each producer's last batch") {
  ProducerState state;
  state.apply(batch(1, 0, 0, 3, 0), kNow);
  state.apply(batch(1, 0, 3, 2, 3), kNow);
  const auto again = decode_kafka_producer_snapshot(encode_kafka_producer_snapshot(state), Offset(5), kNow);
  REQUIRE(again);
  CHECK(again->end_offset() == Offset(5));
  CHECK(verdict(*again, batch(1, 0, 3, 2)).duplicate_of == 3);
  CHECK(verdict(*again, batch(1, 0, 0, 3)).code == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
  CHECK(verdict(*again, batch(1, 0, 5)) == Verdict{});
}
