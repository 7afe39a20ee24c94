#include "replication/controller/directories.h"

#include <algorithm>

#include "replication/controller/assignment.h"

namespace tidemark::replication {

Decision<ApiError> assign_directories(const MetadataImage& image, BrokerId broker,
                                      std::span<const DirectoryAssignment> assignments) {
  Decision<ApiError> decision;
  for (const DirectoryAssignment& assignment : assignments) {
    const TopicImage* topic = image.topic(assignment.partition.topic_id);
    const PartitionImage* partition =
        topic != nullptr ? topic->partition(assignment.partition.partition) : nullptr;
    if (partition == nullptr) return {{}, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION};
    const auto replica = std::ranges::find(partition->replicas, broker);
    if (replica == partition->replicas.end()) continue;
    const auto index = static_cast<size_t>(replica - partition->replicas.begin());
    if (partition->directories[index] == assignment.directory) continue;
    protocol::PartitionChangeRecord record;
    record.topic_id = assignment.partition.topic_id;
    record.partition_id = assignment.partition.partition.value;
    record.directories = partition->directories;
    (*record.directories)[index] = assignment.directory;
    decision.records.add(record, partition_change_record_version(image));
  }
  return decision;
}

}  // namespace tidemark::replication
