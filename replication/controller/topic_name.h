// Which names a topic may have, in Kafka's own words. Pure; any thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "protocol/error.h"

namespace tidemark::replication {

inline constexpr size_t kMaxTopicNameBytes = 249;  // a folder's name is at most 255: room for "-12345"
inline constexpr std::string_view kClusterMetadataTopic = "__cluster_metadata";

// INVALID_TOPIC_EXCEPTION: empty, ".", "..", too long, or a character outside [a-zA-Z0-9._-].
Result<void> validate_topic_name(std::string_view name);

}  // namespace tidemark::replication
