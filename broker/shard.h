// One shard of the node: a loop and what lives on it. Others reach it by call(). No locks: only its own loop
// touches it.
#pragma once

#include <algorithm>
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
  Shard(uint16_t index, runtime::Scheduler& loop, size_t folders)
      : index_(index), loop_(loop), folders_(folders) {}
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

  // By data folder, in the order of `log.dirs`. nullptr: that folder could not be opened.
  [[nodiscard]] size_t folders() const { return folders_.size(); }
  [[nodiscard]] storage::LogStore* store(size_t folder) { return folders_.at(folder).store.get(); }
  void set_store(size_t folder, std::unique_ptr<storage::LogStore> store) {
    folders_.at(folder).store = std::move(store);
  }
  // nullptr: no log is cleaned there.
  [[nodiscard]] storage::LogCleaner* cleaner(size_t folder) { return folders_.at(folder).cleaner.get(); }
  void set_cleaner(size_t folder, std::unique_ptr<storage::LogCleaner> cleaner) {
    folders_.at(folder).cleaner = std::move(cleaner);
  }
  // REQUIRES: one of this shard's logs.
  [[nodiscard]] size_t folder_of(const storage::Log& log) const {
    const auto found = std::find_if(folders_.begin(), folders_.end(),
                                    [&](const Folder& folder) { return folder.store.get() == &log.store(); });
    return static_cast<size_t>(found - folders_.begin());
  }

  // Runs `make()`, a Task of a value, on this shard's loop; the value comes back on the caller's. It runs to
  // its end even if the caller's connection is lost meanwhile, so `make` must own what it needs.
  template <class Make>
  auto call(runtime::Scheduler& home, Make make) {
    return runtime::run_on(loop_, tasks_, home, std::move(make));
  }

 private:
  struct Folder {
    std::unique_ptr<storage::LogStore> store;
    std::unique_ptr<storage::LogCleaner> cleaner;
  };
  const uint16_t index_;
  runtime::Scheduler& loop_;
  std::shared_ptr<const ClusterView> view_;
  std::vector<std::function<void(const ClusterView&)>> view_watchers_;
  std::vector<Folder> folders_;
  std::unordered_map<TopicIdPartition, std::shared_ptr<replication::Partition>> partitions_;
  replication::RefusedProducers refused_producers_;
  runtime::TaskScope tasks_;  // last: its frames go first
};

using Shards = std::vector<std::unique_ptr<Shard>>;

}  // namespace tidemark::broker
