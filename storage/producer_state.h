// What one log knows of its idempotent producers (KIP-98): for each producer id its epoch and its last five
// batches, by which a retried batch is recognised and a gap is refused. A pure value: `check` decides and
// changes nothing, `apply` alone changes, and runs alike on append, on replay and on a follower. Owned by the
// log, used on its shard. After a truncation to X the state is that of a snapshot at or below X and the batch
// headers from there to X (producer_snapshot.h).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "protocol/batch/header.h"
#include "protocol/runtime/time.h"

namespace tidemark::storage {

inline constexpr size_t kProducerBatches = 5;  // a client has at most so many in flight
// Beyond it the producer that was idle longest is forgotten, which is what its expiry would do.
inline constexpr size_t kMaxProducersPerLog = 100'000;

struct ProducerBatch {
  int32_t last_sequence = -1;
  int32_t offset_delta = 0;  // last offset - first offset = last sequence - first sequence
  Offset last_offset = kNoOffset;
  int64_t timestamp_ms = -1;
  bool operator==(const ProducerBatch&) const = default;

  [[nodiscard]] int32_t first_sequence() const {
    return static_cast<int32_t>((int64_t{last_sequence} - offset_delta) & INT32_MAX);
  }
  [[nodiscard]] Offset base_offset() const { return last_offset + -int64_t{offset_delta}; }
};

struct ProducerEntry {
  ProducerEpoch epoch = kNoProducerEpoch;
  int32_t coordinator_epoch = -1;
  std::optional<Offset> current_txn_first_offset;
  int64_t last_timestamp_ms = -1;   // of its last batch or marker: a record's time
  runtime::WallTime last_active{};  // when this node last applied something of it; expiry counts from here
  std::array<ProducerBatch, kProducerBatches> recent{};  // oldest first
  uint8_t recent_count = 0;
  bool operator==(const ProducerEntry&) const = default;

  [[nodiscard]] std::span<const ProducerBatch> batches() const { return {recent.data(), recent_count}; }
  [[nodiscard]] int32_t last_sequence() const {
    return recent_count == 0 ? -1 : recent[recent_count - 1].last_sequence;
  }
  void add(const ProducerBatch& batch);
};

// Where the batch that the client sends again already stands in the log.
struct DuplicateBatch {
  Offset base_offset;
  Offset last_offset;
  int64_t timestamp_ms = -1;
  bool operator==(const DuplicateBatch&) const = default;
};

class ProducerState {
 public:
  explicit ProducerState(size_t max_producers = kMaxProducersPerLog) : max_producers_(max_producers) {}

  // A client's batch, before it is appended (batches without a producer id pass). nullopt: append it. Errors
  // are Kafka 4.x's: INVALID_PRODUCER_EPOCH below the known epoch; OUT_OF_ORDER_SEQUENCE_NUMBER for a
  // sequence that does not follow, or a new epoch that does not start at 0; INVALID_TXN_STATE for a plain
  // batch inside a transaction; INVALID_RECORD without an epoch or sequence. An unknown producer may start
  // anywhere (its records may have been deleted, KIP-360), so UNKNOWN_PRODUCER_ID is never answered.
  [[nodiscard]] Result<std::optional<DuplicateBatch>> check(const protocol::BatchHeader& header) const;

  // A batch that stands in the log, its header with its offset. Every batch passes through here, in log
  // order, with a producer or without. A control batch only moves end_offset(): apply_end_marker() has to
  // follow with what its record says. `now`: the wall clock at the append or at the replay.
  void apply(const protocol::BatchHeader& header, runtime::WallTime now);
  // A commit or abort marker at `header`.
  void apply_end_marker(const protocol::BatchHeader& header, int32_t coordinator_epoch,
                        runtime::WallTime now);

  // Forgets the producers that were idle for `expiration` (producer.id.expiration.ms), but none inside a
  // transaction. Returns how many. Idle counts from what this node applied, not from record timestamps: a
  // producer of old records is as alive as any.
  size_t expire(runtime::WallTime now, std::chrono::milliseconds expiration);

  // One past the last applied batch.
  [[nodiscard]] Offset end_offset() const { return end_offset_; }
  // Everything below is applied, or gone from the log's front.
  void advance_to(Offset offset) { end_offset_ = std::max(end_offset_, offset); }
  void clear(Offset end_offset);

  [[nodiscard]] const ProducerEntry* find(ProducerId id) const;
  [[nodiscard]] size_t size() const { return producers_.size(); }
  [[nodiscard]] const std::map<ProducerId, ProducerEntry>& producers() const { return producers_; }
  // How many were forgotten because of max_producers before they had expired.
  [[nodiscard]] uint64_t evicted() const { return evicted_; }

  // What the batches below `end` alone tell.
  [[nodiscard]] ProducerState below(Offset end) const;

  // For snapshots: takes an entry as it is.
  void load(ProducerId id, const ProducerEntry& entry);

 private:
  ProducerEntry& entry_of(ProducerId id);
  void make_room();

  std::map<ProducerId, ProducerEntry> producers_;  // Invariant: size <= max_producers_
  size_t max_producers_;
  Offset end_offset_;
  uint64_t evicted_ = 0;
};

}  // namespace tidemark::storage
