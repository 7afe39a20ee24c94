// One shard of the node: a loop and what lives on it. Others reach it by call(). No locks: only its own loop
// touches it.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "broker/cluster_view.h"
#include "replication/partition/partition.h"
#include "storage/log_cleaner.h"
#include "storage/log_store.h"

namespace tidemark::broker {

class Shard {
 public:
  Shard(uint16_t index, runtime::Scheduler& loop) : index_(index), loop_(loop) {}
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  [[nodiscard]] uint16_t index() const { return index_; }
  [[nodiscard]] runtime::Scheduler& loop() { return loop_; }
  [[nodiscard]] runtime::TaskScope& tasks() { return tasks_; }

  // Never null once the node serves; take a copy before waiting for anything.
  [[nodiscard]] const std::shared_ptr<const ClusterView>& view() const { return view_; }
  void set_view(std::shared_ptr<const ClusterView> view) {
    view_ = std::move(view);
    for (const auto& watcher : view_watchers_) watcher(*view_);
  }
  // Called with every new view, on this loop.
  void watch_views(std::function<void(const ClusterView&)> watcher) {
    view_watchers_.push_back(std::move(watcher));
  }

  // nullptr: not here (any more).
  [[nodiscard]] std::shared_ptr<replication::Partition> partition(const TopicIdPartition& id) const {
    const auto it = partitions_.find(id);
    return it == partitions_.end() ? nullptr : it->second;
  }
  [[nodiscard]] const std::unordered_map<TopicIdPartition, std::shared_ptr<replication::Partition>>&
  partitions() const {
    return partitions_;
  }
  void add_partition(std::shared_ptr<replication::Partition> partition) {
    partitions_[partition->id()] = std::move(partition);
  }
  void remove_partition(const TopicIdPartition& id) { partitions_.erase(id); }

  // Of this shard's connections, for partitions that could not be opened.
  [[nodiscard]] replication::RefusedProducers& refused_producers() { return refused_producers_; }

  [[nodiscard]] storage::LogStore& store() { return *store_; }
  void set_store(std::unique_ptr<storage::LogStore> store) { store_ = std::move(store); }

  // nullptr: no log is cleaned.
  [[nodiscard]] storage::LogCleaner* cleaner() { return cleaner_.get(); }
  void set_cleaner(std::unique_ptr<storage::LogCleaner> cleaner) { cleaner_ = std::move(cleaner); }

  // Runs `make()`, a Task of a value, on this shard's loop; the value comes back on the caller's. `make` must
  // own what it needs.
  template <class Make>
  auto call(runtime::Scheduler& home, Make make) {
    return runtime::run_on(loop_, tasks_, home, std::move(make));
  }

 private:
  const uint16_t index_;
  runtime::Scheduler& loop_;
  std::shared_ptr<const ClusterView> view_;
  std::vector<std::function<void(const ClusterView&)>> view_watchers_;
  std::unique_ptr<storage::LogStore> store_;
  std::unique_ptr<storage::LogCleaner> cleaner_;
  std::unordered_map<TopicIdPartition, std::shared_ptr<replication::Partition>> partitions_;
  replication::RefusedProducers refused_producers_;
  runtime::TaskScope tasks_;  // last: its frames go first
};

using Shards = std::vector<std::unique_ptr<Shard>>;

}  // namespace tidemark::broker
