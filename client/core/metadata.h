// What the client knows of the cluster: brokers, topics, and who leads which partition. Pure; owned by the
// Cluster, fed with Metadata responses. A partition's leader never goes back to an older epoch of the same
// topic (KIP-320): two brokers may answer with different ages, and an answer without the topic may come
// between.
#pragma once

#include <map>
#include <set>

#include "protocol/ids.h"
#include "protocol/messages/metadata_response.h"
#include "protocol/runtime/stream.h"

namespace tidemark::client {

struct BrokerNode {
  BrokerId id;
  runtime::Endpoint endpoint;
  std::optional<std::string> rack;
  bool operator==(const BrokerNode&) const = default;
};

struct PartitionMetadata {
  ErrorCode error = ErrorCode::NONE;
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::vector<BrokerId> replicas;
  std::vector<BrokerId> in_sync;
  std::vector<BrokerId> offline;
};

// Who is to be asked, and under which epoch.
struct PartitionLeader {
  BrokerId broker = kNoBroker;
  LeaderEpoch epoch = kNoLeaderEpoch;
  bool operator==(const PartitionLeader&) const = default;
};

struct TopicMetadata {
  std::string name;
  Uuid id;  // zero where the broker's version has none
  ErrorCode error = ErrorCode::NONE;
  bool is_internal = false;
  std::map<PartitionId, PartitionMetadata> partitions;
};

class Metadata {
 public:
  // `all_topics`: the answer lists every topic of the cluster, so that those it lacks are gone. `version`:
  // the answer's; before 9 its leader epochs are not counted on (they may stand still through a
  // reassignment).
  void apply(const protocol::MetadataResponse& answer, bool all_topics,
             int16_t version = protocol::MetadataResponse::kVersions.max);
  // The leader answered that it is none: nobody until the next answer, or until an answer that names a newer
  // leader came meanwhile.
  void invalidate(const TopicPartition& partition, LeaderEpoch known);
  // Both: what a produce or fetch response that denies the leadership says of it.
  void leader_denied(const TopicPartition& partition, BrokerId named, LeaderEpoch epoch);
  // A produce or fetch response named the leader. Ignored unless it is newer and the broker is known.
  void learn_leader(const TopicPartition& partition, BrokerId leader, LeaderEpoch epoch);

  [[nodiscard]] const TopicMetadata* find_topic(std::string_view name) const;
  [[nodiscard]] const TopicMetadata* find_topic(const Uuid& id) const;
  [[nodiscard]] const PartitionMetadata* find(const TopicPartition& partition) const;
  // kNoBroker: not known, or there is none.
  [[nodiscard]] BrokerId leader(const TopicPartition& partition) const;
  [[nodiscard]] PartitionLeader leader_at(const TopicPartition& partition) const;
  [[nodiscard]] const BrokerNode* find_broker(BrokerId id) const;
  [[nodiscard]] const std::map<BrokerId, BrokerNode>& brokers() const { return brokers_; }
  [[nodiscard]] const std::map<std::string, TopicMetadata, std::less<>>& topics() const { return topics_; }
  [[nodiscard]] BrokerId controller() const { return controller_; }
  [[nodiscard]] const std::string& cluster_id() const { return cluster_id_; }
  // Rises with every answer: "did anything come since I looked".
  [[nodiscard]] uint64_t version() const { return version_; }
  // Rises with every leader that may be another one now.
  [[nodiscard]] uint64_t leaders_version() const { return leaders_version_; }

 private:
  // The newest leader epochs ever seen of a topic.
  struct SeenEpochs {
    Uuid topic_id;
    std::map<PartitionId, LeaderEpoch> epochs;
  };
  void apply_topic(const protocol::MetadataResponse::MetadataResponseTopic& answer, bool epochs_hold);
  SeenEpochs& seen_of(const TopicMetadata& topic);

  std::map<BrokerId, BrokerNode> brokers_;
  std::map<std::string, TopicMetadata, std::less<>> topics_;
  std::map<std::string, SeenEpochs, std::less<>> seen_;
  BrokerId controller_ = kNoBroker;
  std::string cluster_id_;
  uint64_t version_ = 0;
  uint64_t leaders_version_ = 0;
};

}  // namespace tidemark::client
