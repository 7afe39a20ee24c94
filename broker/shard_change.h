// What the metadata's next view means for the partitions of one shard, as one message to it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/shard.h"

namespace tidemark::broker {

// A partition of this node that no shard could open: the disk is full, or gone.
struct UnopenedPartition {
  TopicIdPartition id;
  std::string name;  // TOPIC-PARTITION
  size_t folder = 0;
  Error error;
};

struct ShardChange {
  struct Open {
    TopicIdPartition id;
    std::string topic;
    size_t folder = 0;
    std::optional<storage::RecoveredLog> recovered;
    config::TopicConfig config;
    LeaderEpoch epoch;
  };
  struct Lead {
    TopicIdPartition id;
    config::TopicConfig config;
    LeaderEpoch epoch;
  };
  std::vector<Open> opens;
  std::vector<Lead> leads;
  std::vector<TopicIdPartition> erases;
  struct Stray {
    size_t folder = 0;
    storage::RecoveredLog log;
    bool put_aside = false;  // it is not erased
    std::string name{};      // of that one's folder
    std::optional<Error> failure{};
  };
  std::vector<Stray> strays;
  [[nodiscard]] bool empty() const {
    return opens.empty() && leads.empty() && erases.empty() && strays.empty();
  }
};

// On the shard's loop. Erases first: what goes makes room for its namesakes. Returns what could not be
// opened.
runtime::Task<std::vector<UnopenedPartition>> change_shard(Shard& shard, std::shared_ptr<ShardChange> change);

}  // namespace tidemark::broker
