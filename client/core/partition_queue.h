// The batches of one partition on their way to its leader: order, sequences, retries. Pure: nothing here
// knows of time but as an argument, or of a network. Owned by the Accumulator.
//
// Idempotence (KIP-98, KIP-360), kept per partition, because that is how brokers keep it:
//  1. A batch keeps its sequence through all retries, so the broker recognises what it has.
//  2. A retried batch is sent alone, and the waiting batches stand in the order of their sequences. So is the
//     first one under an identity: a broker that knows nothing of it takes any sequence as its first, and
//     would take the second batch where the first was refused, and the first never again.
//  3. Sequences restart from 0 under the next epoch when a batch was given up, or the broker forgot us;
//  before
//     that, everything in flight must have been answered. A batch that may be in the log is never sent under
//     another sequence: it fails as possibly persisted instead.
#pragma once

#include <deque>
#include <memory>

#include "client/core/options.h"
#include "client/core/produce_outcome.h"
#include "client/core/record.h"
#include "protocol/batch/builder.h"
#include "protocol/runtime/time.h"

namespace tidemark::client {

struct ProducerIdentity {
  ProducerId id = kNoProducerId;
  ProducerEpoch epoch = kNoProducerEpoch;
  [[nodiscard]] bool known() const { return id != kNoProducerId; }
  auto operator<=>(const ProducerIdentity&) const = default;
};

using BatchNumber = uint64_t;  // rises in the order of creation

// A batch that is to be sent now.
struct Attempt {
  BatchNumber batch;
  std::span<const std::byte> bytes;  // until the batch is settled
};

class PartitionQueue {
 public:
  PartitionQueue(TopicPartition partition, const ProducerOptions& options);

  // REQUIRES: the record fits into a request. Returns by how much the buffered bytes grew.
  size_t append(RecordNumber record, const OutgoingRecord& content, int64_t timestamp_ms,
                BatchNumber next_batch, runtime::MonoTime now);
  // Nothing more goes into the open batch.
  void close_open_batch();

  // When the next batch may go; kNever: not before something is answered or appended.
  [[nodiscard]] runtime::MonoTime ready_at() const;
  // The size of what take() would give. REQUIRES: ready.
  [[nodiscard]] size_t next_bytes() const { return waiting_.front()->size(); }
  // The next batch, closed and stamped. `identity`: unknown where the producer is not idempotent. Error: it
  // could not be built (and is settled: see deliveries()). REQUIRES: ready_at() has come.
  Result<Attempt> take(const ProducerIdentity& identity);

  // The broker answered for a batch in flight.
  void answered(BatchNumber batch, ErrorCode code, std::string message, Offset base_offset,
                runtime::MonoTime now);
  // No answer came; error.possibly_persisted() says whether the request left.
  void unanswered(BatchNumber batch, const Error& error, runtime::MonoTime now);
  // Gives up the waiting batches whose delivery.timeout.ms has passed.
  void expire(runtime::MonoTime now);
  // Gives up everything that waits.
  void fail_waiting(const Error& error);
  [[nodiscard]] runtime::MonoTime next_expiry() const;

  // What was settled since the last call; `freed` grows by the bytes that it had taken.
  std::vector<Delivery> take_deliveries(size_t& freed);
  // The id is used up: the next take() needs another one than this.
  [[nodiscard]] const ProducerIdentity& identity() const { return identity_; }
  [[nodiscard]] bool wants_new_id() const { return wants_new_id_ && !identity_.known(); }
  // A new id was handed out to the producer.
  void new_id_available() { wants_new_id_ = false; }
  [[nodiscard]] bool empty() const { return waiting_.empty() && in_flight_.empty(); }
  [[nodiscard]] bool has_waiting() const { return !waiting_.empty(); }
  [[nodiscard]] const TopicPartition& partition() const { return partition_; }

 private:
  struct Batch {
    explicit Batch(protocol::BatchOptions options) : builder(options) {}
    [[nodiscard]] size_t size() const { return closed ? bytes.size() : builder.uncompressed_bytes(); }

    BatchNumber number = 0;
    protocol::BatchBuilder builder;
    std::vector<std::byte> bytes;  // once closed
    std::vector<RecordNumber> records;
    size_t charged = 0;  // against buffer.memory
    runtime::MonoTime created;
    runtime::MonoTime not_before;  // the back-off
    int attempts = 0;
    bool full = false;
    bool closed = false;
    bool possibly_persisted = false;  // some attempt may have been appended
    std::optional<int32_t> sequence;
    std::optional<Error> last_error;
  };
  using BatchPtr = std::unique_ptr<Batch>;

  Result<void> close(Batch& batch);
  void stamp(Batch& batch);
  BatchPtr leave_flight(BatchNumber number);
  [[nodiscard]] bool is_oldest(const Batch& batch) const;
  void settle(BatchPtr batch, Result<Offset> outcome);
  void give_up(BatchPtr batch, Error error);
  void try_again(BatchPtr batch, Error error, runtime::MonoTime now);
  void restart_sequences_if_quiet();
  [[nodiscard]] runtime::MonoTime expiry_of(const Batch& batch) const;

  const TopicPartition partition_;
  const ProducerOptions& options_;
  std::deque<BatchPtr> waiting_;    // Invariant: numbers rise
  std::deque<BatchPtr> in_flight_;  // Invariant: numbers rise; at most max_in_flight_per_partition
  ProducerIdentity identity_;
  int32_t next_sequence_ = 0;
  bool known_ = false;         // the leader has taken a batch under identity_
  bool restart_ = false;       // sequences start over once nothing is in flight
  bool wants_new_id_ = false;  // ... under another producer id
  std::vector<Delivery> settled_;
  size_t freed_ = 0;
};

}  // namespace tidemark::client
