// A consumer's assignment: where each partition is to be read next, what is buffered, and what to ask whom.
// Pure; owned by the Consumer.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>

#include "client/core/partition_records.h"
#include "protocol/runtime/time.h"

namespace tidemark::client {

// One partition of a fetch request.
struct FetchTarget {
  TopicPartition partition;
  Offset offset;
  uint64_t generation = 0;  // of the assignment: an answer to an older one is stale
};

class FetchPlan {
 public:
  explicit FetchPlan(const ConsumerOptions& options) : options_(options) {}

  // Reads `partition` from `offset` on; what is buffered of it is forgotten.
  void assign(const TopicPartition& partition, Offset offset);
  // The same, once place() has said from where.
  FetchTarget assign_later(const TopicPartition& partition);
  void remove(const TopicPartition& partition);
  [[nodiscard]] bool assigned(const TopicPartition& partition) const {
    return partitions_.contains(partition);
  }
  [[nodiscard]] size_t size() const { return partitions_.size(); }

  // What to ask each leader now, for leaders without a request in flight. Marks it as asked.
  template <class LeaderOf>
  std::map<BrokerId, std::vector<FetchTarget>> due(const LeaderOf& leader_of, runtime::MonoTime now,
                                                   const std::set<BrokerId>& busy,
                                                   std::set<TopicPartition>& leaderless);
  // When a partition's back-off ends; kNever if none is backing off.
  [[nodiscard]] runtime::MonoTime next_event(runtime::MonoTime now) const;

  // The answers. Stale ones change nothing. take_records() returns false if there was nothing in them.
  bool take_records(const FetchTarget& target, FetchedBytes fetched);
  void take_error(const FetchTarget& target, Error error);  // for the reader, once; then it is tried again
  void retry(const FetchTarget& target, runtime::MonoTime not_before);
  // The target's place in the log was looked up anew: it is read from there.
  void place(const FetchTarget& target, Offset offset);

  // The oldest buffered answer, or error. The partition's later answers stay behind it.
  struct Ready {
    TopicPartition partition;
    Result<std::unique_ptr<PartitionRecords>> records;
  };
  std::optional<Ready> pop();

 private:
  struct Partition {
    Offset fetch_offset;
    uint64_t generation = 0;
    bool asked = false;
    int32_t buffered = 0;
    bool stopped = false;  // an error waits for the reader
    runtime::MonoTime not_before;
  };
  Partition* current(const FetchTarget& target);

  struct Buffered {
    uint64_t generation = 0;
    Ready ready;
  };

  const ConsumerOptions options_;
  std::map<TopicPartition, Partition> partitions_;
  std::deque<Buffered> buffered_;
  uint64_t generation_ = 0;
  TopicPartition first_;  // where due() begins: everybody comes first in turn
};

template <class LeaderOf>
std::map<BrokerId, std::vector<FetchTarget>> FetchPlan::due(const LeaderOf& leader_of, runtime::MonoTime now,
                                                            const std::set<BrokerId>& busy,
                                                            std::set<TopicPartition>& leaderless) {
  std::map<BrokerId, std::vector<FetchTarget>> requests;
  if (partitions_.empty()) return requests;
  auto at = partitions_.upper_bound(first_);
  if (at == partitions_.end()) at = partitions_.begin();
  first_ = at->first;
  for (size_t left = partitions_.size(); left > 0; --left) {
    auto& [tp, partition] = *at;
    if (++at == partitions_.end()) at = partitions_.begin();
    if (partition.asked || partition.stopped || partition.buffered >= options_.max_buffered_fetches ||
        partition.not_before > now) {
      continue;
    }
    const BrokerId leader = leader_of(tp);
    if (leader == kNoBroker) {
      leaderless.insert(tp);
    } else if (!busy.contains(leader)) {
      partition.asked = true;
      requests[leader].push_back({tp, partition.fetch_offset, partition.generation});
    }
  }
  return requests;
}

}  // namespace tidemark::client
