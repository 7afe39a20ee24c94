#include "replication/controller/assignment.h"

#include <fmt/format.h>

#include <algorithm>

#include "protocol/broker_ids.h"
#include "protocol/invariant.h"
#include "replication/controller/features.h"

namespace tidemark::replication {

namespace {

bool has_elr(const MetadataImage& image) { return image.features.contains(kElrVersionFeature); }

// Where a new replica's log will be: known if the broker has one folder, else the broker chooses (KIP-858).
Uuid default_directory(const MetadataImage& image, BrokerId id) {
  const BrokerImage* broker = image.broker(id);
  return broker != nullptr && broker->log_dirs.size() == 1 ? broker->log_dirs.front() : kUnassignedDirectory;
}

}  // namespace

Result<void> check_assignment(const MetadataImage& image, std::span<const BrokerId> brokers,
                              std::optional<size_t> replication_factor) {
  const auto refuse = [](std::string why) {
    return fail(ErrorCode::INVALID_REPLICA_ASSIGNMENT, "The manual partition assignment includes " + why);
  };
  if (brokers.empty()) return refuse("an empty replica list.");
  std::vector<BrokerId> sorted(brokers.begin(), brokers.end());
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (image.broker(sorted[i]) == nullptr)
      return refuse(fmt::format("broker {}, but no such broker is registered.", sorted[i]));
    if (i > 0 && sorted[i] == sorted[i - 1])
      return refuse(fmt::format("the broker {} more than once.", sorted[i]));
  }
  if (replication_factor && sorted.size() != *replication_factor) {
    return refuse(
        fmt::format("a partition with {} replica(s), but this is not consistent with previous partitions, "
                    "which have {} replica(s).",
                    sorted.size(), *replication_factor));
  }
  return {};
}

std::vector<BrokerId> active_brokers(const MetadataImage& image, std::span<const BrokerId> brokers) {
  std::vector<BrokerId> active;
  for (const BrokerId id : brokers) {
    const BrokerImage* broker = image.broker(id);
    if (broker != nullptr && broker->is_active()) active.push_back(id);
  }
  return active;
}

protocol::PartitionRecord new_partition(const MetadataImage& image, const Uuid& topic_id, PartitionId id,
                                        std::span<const BrokerId> replicas) {
  const std::vector<BrokerId> isr = active_brokers(image, replicas);
  REQUIRES(!isr.empty());
  protocol::PartitionRecord record;
  record.topic_id = topic_id;
  record.partition_id = id.value;
  record.replicas = numbers_of(replicas);
  for (const BrokerId replica : replicas) record.directories.push_back(default_directory(image, replica));
  record.isr = numbers_of(isr);
  record.leader = isr.front().value;
  record.leader_epoch = 0;
  record.partition_epoch = 0;
  return record;
}

int16_t partition_record_version(const MetadataImage& image) { return has_elr(image) ? 2 : 1; }
int16_t partition_change_record_version(const MetadataImage& image) { return has_elr(image) ? 2 : 1; }

}  // namespace tidemark::replication
