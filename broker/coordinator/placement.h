// Which partition of __consumer_offsets coordinates a group, as every Kafka client and tool computes it.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/ids.h"
#include "protocol/internal_topics.h"

namespace tidemark::coordinator {

using protocol::is_internal_topic;
using protocol::kOffsetsTopic;

// The hash of the id's UTF-16 units (Java's String.hashCode()), without its sign, modulo `partitions`.
// REQUIRES: partitions > 0.
[[nodiscard]] PartitionId partition_of_group(std::string_view group, int32_t partitions);

}  // namespace tidemark::coordinator
