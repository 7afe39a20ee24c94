// Where the logs of a shard's partitions begin and end, for the metrics: of the largest logs, a bounded
// number, so that a node with 10,000 partitions is scraped like any other. Values.
#pragma once

#include <string>
#include <vector>

#include "broker/shard.h"
#include "protocol/ids.h"

namespace tidemark::broker {

struct PartitionOffsets {
  std::string topic;
  PartitionId partition;
  Offset log_start, durable, high_watermark, log_end;
};

// On the shard's loop: so many partitions at most, none of them offline.
[[nodiscard]] std::vector<PartitionOffsets> largest_offsets(Shard& shard, size_t most);

}  // namespace tidemark::broker
