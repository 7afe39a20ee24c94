// What changed between two images: from it the node opens and closes logs, moves leaderships and reloads
// settings, without looking at what stayed. A value that keeps both images alive; any thread.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "replication/controller/image.h"

namespace tidemark::replication {

// before == nullptr: created; after == nullptr: deleted. A topic that was deleted and created again under its
// name is two changes, because it has another id.
struct TopicChange {
  std::shared_ptr<const TopicImage> before, after;
};

struct PartitionChange {
  const TopicImage& topic;  // as it is now, or, if deleted, as it was
  PartitionId partition;
  const PartitionImage* before;  // nullptr: new
  const PartitionImage* after;   // nullptr: deleted with its topic

  [[nodiscard]] bool is_new() const { return before == nullptr; }
  [[nodiscard]] bool is_deleted() const { return after == nullptr; }
  // A new leader, or a new epoch of the same one: what was in flight under the old epoch is over.
  [[nodiscard]] bool leadership_changed() const {
    return before == nullptr || after == nullptr || before->leader_epoch != after->leader_epoch;
  }
};

struct ImageDelta {
  std::shared_ptr<const MetadataImage> before, after;
  std::vector<TopicChange> topics;  // deletions first; else in id order
  std::vector<ConfigResource> configs;
  std::vector<QuotaEntity> quotas;
  std::vector<BrokerId> brokers;
  bool features_changed = false;
  bool controller_changed = false;

  [[nodiscard]] bool empty() const {
    return topics.empty() && configs.empty() && quotas.empty() && brokers.empty() && !features_changed &&
           !controller_changed;
  }
  // Every partition that is new, deleted or different; deletions first.
  void for_each_partition(const std::function<void(const PartitionChange&)>& visit) const;

  // The keys that may differ, as the batch's records name them; what turns out equal is left out.
  struct Touched {
    std::set<Uuid> topics;
    std::set<ConfigResource> configs;
    std::set<QuotaEntity> quotas;
    std::set<BrokerId> brokers;
  };
  static ImageDelta of(std::shared_ptr<const MetadataImage> before,
                       std::shared_ptr<const MetadataImage> after, const Touched& touched);
  // By comparing everything: for a node that starts (against an empty image), or that rebuilt its image.
  static ImageDelta between(std::shared_ptr<const MetadataImage> before,
                            std::shared_ptr<const MetadataImage> after);
};

}  // namespace tidemark::replication
