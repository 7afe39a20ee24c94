// Decisions about data folders: where brokers have made their replicas (KIP-858). Pure functions of an image
// and a request.
#pragma once

#include <span>
#include <vector>

#include "protocol/ids.h"
#include "replication/controller/decision.h"

namespace tidemark::replication {

struct DirectoryAssignment {
  TopicIdPartition partition;
  Uuid directory;
};

// The broker's replicas stand in these of its folders from now on. What is said already, and what is not the
// broker's, gets no record. UNKNOWN_TOPIC_OR_PARTITION: the first that there is none of, and no record at
// all.
Decision<ApiError> assign_directories(const MetadataImage& image, BrokerId broker,
                                      std::span<const DirectoryAssignment> assignments);

}  // namespace tidemark::replication
