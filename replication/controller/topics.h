// Decisions about topics: create, delete, add partitions. Pure functions of an image and a request that
// return records and the response; error codes, and words where tools print them, are those of Kafka 4.3.
#pragma once

#include <span>
#include <vector>

#include "config/broker_config.h"
#include "protocol/runtime/random.h"
#include "replication/controller/decision.h"

namespace tidemark::replication {

// Each topic by itself: one may fail and the others be created. Draws topic ids and starts of stripes.
// `validate_only`: the same response (ids included, though nothing will have them), no records; `quota` is
// asked all the same, as in Kafka.
Decision<std::vector<CreatedTopic>> create_topics(const MetadataImage& image,
                                                  const config::BrokerConfig& defaults,
                                                  runtime::Random& random, std::span<const NewTopic> topics,
                                                  bool validate_only, const PartitionQuota& quota = {});

Decision<std::vector<DeletedTopic>> delete_topics(const MetadataImage& image,
                                                  std::span<const TopicToDelete> topics,
                                                  const PartitionQuota& quota = {});

Decision<std::vector<GrownTopic>> create_partitions(const MetadataImage& image, runtime::Random& random,
                                                    std::span<const MorePartitions> topics,
                                                    bool validate_only, const PartitionQuota& quota = {});

}  // namespace tidemark::replication
