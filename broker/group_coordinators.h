// The group coordinators of one shard: a shell for each partition of __consumer_offsets that lives there.
// Owned by the node; its shard's loop only.
#pragma once

#include <map>
#include <memory>

#include "broker/group_shell.h"
#include "protocol/runtime/random.h"
#include "replication/controller/decision.h"

namespace tidemark::broker {

class GroupCoordinators {
 public:
  // `shard`, `shards`, `events` and `metrics` (nullptr: nobody counts) outlive it; `seed` is of what members
  // are called.
  GroupCoordinators(Shard& shard, const std::vector<std::unique_ptr<Shard>>& shards, uint64_t seed,
                    Log& events, GroupMetrics* metrics, storage::Planted planted = storage::Planted::none);

  // From now on it follows the shard's views.
  void start();
  // Ends all of them, and waits until they have ended, or for some seconds.
  runtime::Task<void> stop();

  // nullptr: that partition is not here.
  [[nodiscard]] std::shared_ptr<GroupShell> find(PartitionId partition) const;
  [[nodiscard]] const std::map<PartitionId, std::shared_ptr<GroupShell>>& all() const { return shells_; }

 private:
  void view_changed(const ClusterView& view);

  Shard& shard_;
  const std::vector<std::unique_ptr<Shard>>& shards_;
  Log& events_;
  GroupMetrics* const metrics_;
  runtime::SeededRandom random_;
  const storage::Planted planted_;
  std::map<PartitionId, std::shared_ptr<GroupShell>> shells_;
  bool stopped_ = false;
};

// The offsets topic as this broker's settings want it, for whoever finds that there is none.
[[nodiscard]] replication::NewTopic offsets_topic(const config::BrokerConfig& broker);

}  // namespace tidemark::broker
