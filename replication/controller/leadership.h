// Decisions about who leads a partition and who holds it, when somebody asks: ElectLeaders and
// AlterPartitionReassignments. Pure; words and codes are those of Kafka 4.3.
#pragma once

#include <span>
#include <vector>

#include "replication/controller/decision.h"

namespace tidemark::replication {

// `topics`: nullptr, all partitions, and of those only what an election has changed, or could not, is
// answered.
Decision<std::vector<TopicAnswer>> elect_leaders(const MetadataImage& image, ElectionType type,
                                                 const std::vector<TopicPartitions>* topics);

// New assignments. The order of a partition's replicas may change; this release moves no replica from one
// broker to another, so that there is no reassignment under way that could be cancelled.
Decision<std::vector<TopicAnswer>> alter_partition_reassignments(const MetadataImage& image,
                                                                 std::span<const TopicReassignment> topics);

}  // namespace tidemark::replication
