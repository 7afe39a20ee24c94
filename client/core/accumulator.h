// All of a producer's unsent and unanswered records: one PartitionQueue each, a bound on their bytes, and
// what to send to whom now. Pure; owned by the Producer.
#pragma once

#include <map>
#include <set>

#include "client/core/partition_queue.h"

namespace tidemark::client {

// One partition's share of a produce request.
struct Draft {
  TopicPartition partition;
  BatchNumber batch = 0;
  std::span<const std::byte> bytes;  // until the batch is settled
};

class Accumulator {
 public:
  explicit Accumulator(const ProducerOptions& options) : options_(options) {}

  // What a record may take in a batch, as an upper bound.
  [[nodiscard]] static size_t record_bytes(const OutgoingRecord& record);
  struct Appended {
    RecordNumber record;
    bool look;  // drain() or next_event() may say something else than before
  };
  // MESSAGE_TOO_LARGE: no request can carry the record. REQUIRES: has_room(), and record.partition is set.
  Result<Appended> append(const OutgoingRecord& record, int64_t timestamp_ms, runtime::MonoTime now);
  // Whether buffer.memory has room; an empty buffer takes any record.
  [[nodiscard]] bool has_room(size_t bytes) const {
    return buffered_ == 0 || buffered_ + static_cast<int64_t>(bytes) <= options_.buffer_bytes;
  }
  // Nothing waits for linger.ms any longer.
  void close_open_batches();

  // Whose turn it is: at most one batch a partition, as much as a request may hold for each leader.
  // Partitions without a known leader are named in `leaderless`. With idempotence nothing goes without an
  // identity.
  template <class LeaderOf>
  std::map<BrokerId, std::vector<Draft>> drain(const LeaderOf& leader_of, runtime::MonoTime now,
                                               std::set<TopicPartition>& leaderless);
  // When drain() or expire() may have something to do.
  [[nodiscard]] runtime::MonoTime next_event() const;

  void answered(const Draft& draft, ErrorCode code, std::string message, Offset base_offset,
                runtime::MonoTime now);
  void unanswered(const Draft& draft, const Error& error, runtime::MonoTime now);
  void expire(runtime::MonoTime now);
  void fail_waiting(const Error& error);
  // What was settled since the last call.
  std::vector<Delivery> take_deliveries();

  // Whether a producer id is needed before drain() can go on.
  [[nodiscard]] bool wants_identity() const;
  void set_identity(ProducerIdentity identity);
  [[nodiscard]] bool idempotent() const { return options_.idempotent && options_.acks == Acks::all; }

  [[nodiscard]] bool empty() const { return unsettled_ == 0; }
  [[nodiscard]] uint64_t unsettled_records() const { return unsettled_; }
  [[nodiscard]] int64_t buffered_bytes() const { return buffered_; }

 private:
  PartitionQueue& queue(const TopicPartition& partition);

  const ProducerOptions options_;
  std::map<TopicPartition, std::unique_ptr<PartitionQueue>> queues_;
  ProducerIdentity identity_;
  RecordNumber next_record_ = 1;
  BatchNumber next_batch_ = 1;
  int64_t buffered_ = 0;
  uint64_t unsettled_ = 0;
};

template <class LeaderOf>
std::map<BrokerId, std::vector<Draft>> Accumulator::drain(const LeaderOf& leader_of, runtime::MonoTime now,
                                                          std::set<TopicPartition>& leaderless) {
  std::map<BrokerId, std::vector<Draft>> requests;
  if (idempotent() && !identity_.known()) return requests;
  std::map<BrokerId, size_t> filled;
  for (auto& [partition, batches] : queues_) {
    if (batches->ready_at() > now) continue;
    const BrokerId leader = leader_of(partition);
    if (leader == kNoBroker) {
      leaderless.insert(partition);
      continue;
    }
    size_t& bytes = filled[leader];
    if (bytes > 0 && bytes + batches->next_bytes() > static_cast<size_t>(options_.max_request_bytes))
      continue;
    const Result<Attempt> attempt = batches->take(identity_);
    if (!attempt) continue;
    bytes += attempt->bytes.size();
    requests[leader].push_back({partition, attempt->batch, attempt->bytes});
  }
  return requests;
}

}  // namespace tidemark::client
