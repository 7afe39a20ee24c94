// New partitions, assigned by hand or by the placer, as records. Shared by topic creation and by the adding
// of partitions. Pure.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "protocol/error.h"
#include "protocol/messages/partition_record.h"
#include "replication/controller/image.h"
#include "replication/controller/records.h"

namespace tidemark::replication {

// INVALID_REPLICA_ASSIGNMENT: empty, an unregistered or repeated broker, or another number of replicas than
// `replication_factor`, where that is known.
Result<void> check_assignment(const MetadataImage& image, std::span<const BrokerId> brokers,
                              std::optional<size_t> replication_factor);

// Those that may be in the ISR of a new partition.
std::vector<BrokerId> active_brokers(const MetadataImage& image, std::span<const BrokerId> brokers);

// A partition in its first epoch, led by its first active replica. REQUIRES: one of them is active.
protocol::PartitionRecord new_partition(const MetadataImage& image, const Uuid& topic_id, PartitionId id,
                                        std::span<const BrokerId> replicas);

// The record versions that the image's feature levels ask for, as Kafka chooses them.
int16_t partition_record_version(const MetadataImage& image);
int16_t partition_change_record_version(const MetadataImage& image);

}  // namespace tidemark::replication
