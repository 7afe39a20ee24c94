// Who leads a partition, as clients are told. One of this node's whose data folder is not there has no
// leader, and its replica is offline: clients send their records to others.
#pragma once

#include <algorithm>

#include "broker/api/services.h"

namespace tidemark::broker {

struct ToldLeader {
  ErrorCode error = ErrorCode::NONE;
  BrokerId leader;
  std::vector<int32_t> offline_replicas;
};

// REQUIRES: the topic has the partition.
[[nodiscard]] inline ToldLeader told_leader(const ApiServices& services, const TopicView& topic,
                                            size_t index) {
  const replication::PartitionImage& partition = *topic.image->partitions[index];
  ToldLeader told{.error = ErrorCode::NONE, .leader = partition.leader, .offline_replicas = {}};
  const BrokerId node = services.metadata.node();
  const bool is_ours = std::ranges::find(partition.replicas, node) != partition.replicas.end();
  const bool is_open = topic.shards[index] != kNoShard;
  const auto is_away = [&] {
    if (services.folders.size() > 1) return !is_open || services.folders[topic.folders[index]]->offline();
    // One of the only folder that is not open yet waits for room on its disk: it is led all the same.
    const Uuid directory = services.metadata.directory_of(partition);
    return !is_open && !directory.is_zero() && directory != services.folders.front()->id();
  };
  if (is_ours && is_away()) {
    told.offline_replicas.push_back(node.value);
    if (told.leader == node) told.leader = kNoBroker;
  }
  if (told.leader == kNoBroker) told.error = ErrorCode::LEADER_NOT_AVAILABLE;
  return told;
}

}  // namespace tidemark::broker
