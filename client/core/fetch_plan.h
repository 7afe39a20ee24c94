// A consumer's assignment: where each partition is to be read next, what is buffered, and what to ask whom.
// Under a leader epoch that is new to it, a partition whose last record's epoch is known is compared with the
// leader's log before it is read on (KIP-320): an unclean election, or a lost disk, may have cut that record
// off. Pure; owned by the Consumer.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>

#include "client/core/metadata.h"
#include "client/core/partition_records.h"
#include "protocol/runtime/time.h"

namespace tidemark::client {

// One partition of a request.
struct FetchTarget {
  TopicPartition partition;
  FetchPosition position;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;  // that the leader is asked under
  uint64_t generation = 0;                    // of the position: an answer to an older one is stale
};

// What was read is not in the leader's log any more.
struct LogTruncation {
  TopicPartition partition;
  FetchPosition position;                 // up to which it was read
  std::optional<FetchPosition> diverged;  // where the leader's log goes on otherwise; not always known
  [[nodiscard]] std::string to_string() const;
};

class FetchPlan {
 public:
  explicit FetchPlan(const ConsumerOptions& options) : options_(options) {}

  // Reads `partition` from there on; what is buffered of it is forgotten.
  void assign(const TopicPartition& partition, FetchPosition from);
  // The same, once place() has said from where.
  FetchTarget assign_later(const TopicPartition& partition);
  void remove(const TopicPartition& partition);
  [[nodiscard]] bool assigned(const TopicPartition& partition) const {
    return partitions_.contains(partition);
  }
  [[nodiscard]] size_t size() const { return partitions_.size(); }

  // What to ask each leader now: records, of leaders without a fetch in flight, and where an epoch ends.
  // Marks it as asked.
  struct Due {
    std::map<BrokerId, std::vector<FetchTarget>> fetches;
    std::map<BrokerId, std::vector<FetchTarget>> comparisons;
    std::set<TopicPartition> leaderless;
  };
  // `leaders_changed`: since the last call somebody may lead who did not.
  template <class LeaderOf>
  Due due(const LeaderOf& leader_at, bool leaders_changed, runtime::MonoTime now,
          const std::set<BrokerId>& busy);
  // When a partition's back-off ends; kNever if none is backing off.
  [[nodiscard]] runtime::MonoTime next_event(runtime::MonoTime now) const;

  // The answers. Stale ones change nothing. take_records() returns false if there was nothing in them.
  bool take_records(const FetchTarget& target, FetchedBytes fetched);
  void take_error(const FetchTarget& target, Error error);  // for the reader, once; then it is tried again
  void retry(const FetchTarget& target, runtime::MonoTime not_before);
  // The target is not asked for before place() has said from where.
  void seek(const FetchTarget& target);
  // The target's place in the log was found anew: it is read from there, without a comparison. False: stale.
  bool place(const FetchTarget& target, FetchPosition at);
  // Where the leader's log ends for the target's epoch, or none where its version cannot say: reading goes
  // on, unless the log was truncated. Then the target is compared again, until it is placed elsewhere.
  std::optional<LogTruncation> take_end(const FetchTarget& target, std::optional<FetchPosition> end);

  // The oldest buffered answer, or error. The partition's later answers stay behind it.
  struct Ready {
    TopicPartition partition;
    Result<std::unique_ptr<PartitionRecords>> records;
  };
  std::optional<Ready> pop();

 private:
  struct Partition {
    FetchPosition next;  // to be fetched
    PartitionLeader leader;
    uint64_t generation = 0;
    bool asked = false;
    bool seeking = false;              // place() will say where
    bool to_compare = false;           // with the leader's log, before anything is fetched
    bool stopped = false;              // an error waits for the reader
    std::deque<FetchPosition> unread;  // where each buffered answer begins
    runtime::MonoTime not_before;
  };
  Partition* current(const FetchTarget& target);
  [[nodiscard]] bool wants(const Partition& partition, runtime::MonoTime now) const;
  void follow(Partition& partition, const PartitionLeader& leader);

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
FetchPlan::Due FetchPlan::due(const LeaderOf& leader_at, bool leaders_changed, runtime::MonoTime now,
                              const std::set<BrokerId>& busy) {
  Due due;
  if (partitions_.empty()) return due;
  auto at = partitions_.upper_bound(first_);
  if (at == partitions_.end()) at = partitions_.begin();
  first_ = at->first;
  for (size_t left = partitions_.size(); left > 0; --left) {
    auto& [tp, partition] = *at;
    if (++at == partitions_.end()) at = partitions_.begin();
    if (partition.seeking || (!leaders_changed && !wants(partition, now))) continue;
    const PartitionLeader leader = leader_at(tp);
    if (leader.broker == kNoBroker) {
      if (wants(partition, now)) due.leaderless.insert(tp);
      continue;
    }
    if (leader != partition.leader) follow(partition, leader);
    if (!wants(partition, now) || (!partition.to_compare && busy.contains(leader.broker))) continue;
    partition.asked = true;
    auto& requests = partition.to_compare ? due.comparisons : due.fetches;
    requests[leader.broker].push_back({tp, partition.next, leader.epoch, partition.generation});
  }
  return due;
}

}  // namespace tidemark::client
