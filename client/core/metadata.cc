#include "client/core/metadata.h"

#include "protocol/broker_ids.h"

namespace tidemark::client {
namespace {

constexpr int16_t kFirstVersionWithSureEpochs = 9;

}  // namespace

void Metadata::apply(const protocol::MetadataResponse& answer, bool all_topics, int16_t version) {
  ++version_;
  ++leaders_version_;
  brokers_.clear();
  for (const auto& broker : answer.brokers) {
    if (broker.port < 1 || broker.port > 65'535) continue;
    BrokerNode& node = brokers_[BrokerId(broker.node_id)];
    node.id = BrokerId(broker.node_id);
    node.endpoint = {std::string(broker.host), static_cast<uint16_t>(broker.port)};
    if (broker.rack) node.rack = std::string(*broker.rack);
  }
  controller_ = BrokerId(answer.controller_id);
  if (answer.cluster_id) cluster_id_ = std::string(*answer.cluster_id);
  if (all_topics) {
    std::set<std::string_view> listed;
    for (const auto& topic : answer.topics) listed.insert(topic.name.value_or(""));
    const auto is_gone = [&](const auto& entry) { return !listed.contains(entry.first); };
    std::erase_if(topics_, is_gone);
    std::erase_if(seen_, is_gone);
  }
  for (const auto& topic : answer.topics) apply_topic(topic, version >= kFirstVersionWithSureEpochs);
}

Metadata::SeenEpochs& Metadata::seen_of(const TopicMetadata& topic) {
  SeenEpochs& seen = seen_[topic.name];
  const bool made_anew = !topic.id.is_zero() && !seen.topic_id.is_zero() && topic.id != seen.topic_id;
  // Without ids, only its end tells that the next topic of the name is another one.
  const bool ended = seen.topic_id.is_zero() && topic.error == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
  if (made_anew || ended) seen.epochs.clear();
  if (!topic.id.is_zero()) seen.topic_id = topic.id;
  return seen;
}

void Metadata::apply_topic(const protocol::MetadataResponse::MetadataResponseTopic& answer,
                           bool epochs_hold) {
  if (!answer.name || answer.name->empty()) return;
  TopicMetadata topic;
  topic.name = std::string(*answer.name);
  topic.id = answer.topic_id;
  topic.error = ErrorCode(answer.error_code);
  topic.is_internal = answer.is_internal;
  const auto before = topics_.find(topic.name);
  SeenEpochs& seen = seen_of(topic);
  for (const auto& each : answer.partitions) {
    const PartitionId id(each.partition_index);
    PartitionMetadata& partition = topic.partitions[id];
    partition.error = ErrorCode(each.error_code);
    partition.leader = BrokerId(each.leader_id);
    if (epochs_hold) partition.leader_epoch = LeaderEpoch(each.leader_epoch);
    partition.replicas = broker_ids(each.replica_nodes);
    partition.in_sync = broker_ids(each.isr_nodes);
    partition.offline = broker_ids(each.offline_replicas);
    if (partition.leader_epoch == kNoLeaderEpoch) {
      seen.epochs.erase(id);
      continue;
    }
    LeaderEpoch& newest = seen.epochs.try_emplace(id, partition.leader_epoch).first->second;
    if (partition.leader_epoch >= newest) {
      newest = partition.leader_epoch;
      continue;
    }
    if (before != topics_.end() && before->second.partitions.contains(id)) {
      partition = before->second.partitions.at(id);
    } else {
      partition.leader = kNoBroker;
      partition.leader_epoch = newest;
      partition.error = ErrorCode::LEADER_NOT_AVAILABLE;
    }
  }
  topics_[topic.name] = std::move(topic);
}

void Metadata::invalidate(const TopicPartition& partition, LeaderEpoch known) {
  const auto topic = topics_.find(partition.topic);
  if (topic == topics_.end()) return;
  const auto found = topic->second.partitions.find(partition.partition);
  if (found == topic->second.partitions.end() || found->second.leader_epoch > known) return;
  found->second.leader = kNoBroker;
  found->second.error = ErrorCode::LEADER_NOT_AVAILABLE;
  ++leaders_version_;
}

void Metadata::leader_denied(const TopicPartition& partition, BrokerId named, LeaderEpoch epoch) {
  const PartitionMetadata* known = find(partition);
  invalidate(partition, known == nullptr ? kNoLeaderEpoch : known->leader_epoch);
  learn_leader(partition, named, epoch);
}

void Metadata::learn_leader(const TopicPartition& partition, BrokerId leader, LeaderEpoch epoch) {
  const auto topic = topics_.find(partition.topic);
  if (topic == topics_.end() || !brokers_.contains(leader)) return;
  const auto found = topic->second.partitions.find(partition.partition);
  if (found == topic->second.partitions.end() || epoch <= found->second.leader_epoch) return;
  found->second.leader = leader;
  found->second.leader_epoch = epoch;
  found->second.error = ErrorCode::NONE;
  seen_[partition.topic].epochs[partition.partition] = epoch;
  ++leaders_version_;
}

const TopicMetadata* Metadata::find_topic(std::string_view name) const {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : &found->second;
}

const TopicMetadata* Metadata::find_topic(const Uuid& id) const {
  if (id.is_zero()) return nullptr;
  for (const auto& [name, topic] : topics_) {
    if (topic.id == id) return &topic;
  }
  return nullptr;
}

const PartitionMetadata* Metadata::find(const TopicPartition& partition) const {
  const TopicMetadata* topic = find_topic(partition.topic);
  if (topic == nullptr) return nullptr;
  const auto found = topic->partitions.find(partition.partition);
  return found == topic->partitions.end() ? nullptr : &found->second;
}

BrokerId Metadata::leader(const TopicPartition& partition) const {
  const PartitionMetadata* found = find(partition);
  return found == nullptr ? kNoBroker : found->leader;
}

PartitionLeader Metadata::leader_at(const TopicPartition& partition) const {
  const PartitionMetadata* found = find(partition);
  return found == nullptr ? PartitionLeader() : PartitionLeader{found->leader, found->leader_epoch};
}

const BrokerNode* Metadata::find_broker(BrokerId id) const {
  const auto found = brokers_.find(id);
  return found == brokers_.end() ? nullptr : &found->second;
}

}  // namespace tidemark::client
