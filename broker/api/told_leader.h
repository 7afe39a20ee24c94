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
  const auto replica = std::ranges::find(partition.replicas, node);
  // With one folder, a partition of it that is not open yet waits for room on its disk: it is led all the
  // same.
  const bool is_ours = replica != partition.replicas.end();
  const Uuid directory =
      is_ours ? partition.directories[static_cast<size_t>(replica - partition.replicas.begin())] : Uuid{};
  const auto is_its = [&](const auto& folder) { return folder->id() == directory; };
  const bool is_open = topic.shards[index] != kNoShard;
  const bool one_folder = services.folders.size() == 1;
  const bool is_away =
      is_open ? !one_folder && services.folders[topic.folders[index]]->offline()
              : !one_folder || (!directory.is_zero() && std::ranges::none_of(services.folders, is_its));
  if (is_ours && is_away) {
    told.offline_replicas.push_back(node.value);
    if (told.leader == node) told.leader = kNoBroker;
  }
  if (told.leader == kNoBroker) told.error = ErrorCode::LEADER_NOT_AVAILABLE;
  return told;
}

}  // namespace tidemark::broker
