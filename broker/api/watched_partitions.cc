#include "broker/api/watched_partitions.h"

#include <utility>

namespace tidemark::broker {

using runtime::Task;

void WatchedPartitions::mark(uint64_t wish, Entry& entry) {
  if (std::exchange(entry.dirty, true)) return;
  dirty_.emplace(entry.rank, wish);
}

void WatchedPartitions::clear(Entry& entry) {
  if (std::exchange(entry.dirty, false)) dirty_.erase(entry.rank);
}

void WatchedPartitions::partition_changed(uint64_t wish) {
  const auto found = entries_.find(wish);
  if (found == entries_.end()) return;
  mark(wish, found->second);
  // Also for one that was dirty: it may have the bytes now that a parked fetch waits for.
  if (auto wake = std::exchange(wake_, {}).lock(); wake && *wake) std::exchange(*wake, nullptr)();
}

void WatchedPartitions::apply(Shard& shard, WatchChange change) {
  if (change.forget) {
    const auto found = entries_.find(change.wish);
    if (found == entries_.end()) return;
    clear(found->second);
    if (const auto partition = found->second.partition.lock()) partition->unwatch(*this, change.wish);
    entries_.erase(found);
    return;
  }
  Entry& entry = entries_[change.wish];
  clear(entry);
  entry.rank = change.rank;
  entry.read = std::move(change.read);
  // A partition that went is watched again should it come back; whoever comes in its place has another id.
  if (entry.partition.expired()) {
    if (const auto partition = shard.partition(entry.read.id)) {
      partition->watch(weak_from_this(), change.wish);
      entry.partition = partition;
    }
  }
  mark(change.wish, entry);
}

Task<std::vector<PartitionReadResult>> WatchedPartitions::poll(std::shared_ptr<WatchedPartitions> watched,
                                                               Shard& shard, std::vector<WatchChange> changes,
                                                               int64_t enough_bytes,
                                                               std::shared_ptr<runtime::Job> wake) {
  for (WatchChange& change : changes) watched->apply(shard, std::move(change));
  watched->wake_ = wake;
  std::vector<uint64_t> wishes;
  wishes.reserve(watched->dirty_.size());
  for (const auto& [rank, wish] : watched->dirty_) wishes.push_back(wish);
  std::vector<PartitionReadResult> results;
  int64_t bytes = 0;
  for (const uint64_t wish : wishes) {
    if (bytes > 0 && bytes >= enough_bytes) break;
    const auto found = watched->entries_.find(wish);
    if (found == watched->entries_.end()) continue;
    Entry& entry = found->second;
    watched->clear(entry);  // before the read: what changes while it waits for the disk counts
    PartitionRead read = entry.read;
    read.index = wish;
    auto reading = read_partition(shard, std::move(read));
    auto result = co_await reading;
    bytes += result.range.bytes;
    if (result.range.bytes > 0 || result.error != ErrorCode::NONE || result.diverging.epoch != kNoLeaderEpoch)
      watched->mark(wish, entry);
    results.push_back(std::move(result));
    if (results.size() % kReadsAtOnce != 0) continue;
    auto breathing = runtime::let_others_run(shard.loop());
    co_await breathing;
  }
  co_return results;
}

}  // namespace tidemark::broker
