// Which partition of __consumer_offsets coordinates a group, as every Kafka client and tool computes it.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/ids.h"

namespace tidemark::coordinator {

inline constexpr std::string_view kOffsetsTopic = "__consumer_offsets";

// Kafka's own topics, which clients are told of as internal.
[[nodiscard]] constexpr bool is_internal_topic(std::string_view topic) {
  return topic == kOffsetsTopic || topic == "__transaction_state" || topic == "__share_group_state";
}

// The hash of the id's UTF-16 units (Java's String.hashCode()), without its sign, modulo `partitions`.
// REQUIRES: partitions > 0.
[[nodiscard]] PartitionId partition_of_group(std::string_view group, int32_t partitions);

}  // namespace tidemark::coordinator
