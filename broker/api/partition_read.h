// What Fetch asks of the shard that holds a partition, and what it answers: plain values that cross shards.
#pragma once

#include <memory>
#include <vector>

#include "broker/server/response.h"
#include "broker/shard.h"

namespace tidemark::broker {

struct PartitionRead {
  size_t index = 0;  // the caller's
  TopicIdPartition id;
  Offset fetch_offset;
  int32_t max_bytes = 0;
  LeaderEpoch current_leader_epoch = kNoLeaderEpoch;
  LeaderEpoch last_fetched_epoch = kNoLeaderEpoch;
  bool at_least_one = true;  // the first batch is returned even if it is larger than max_bytes
};

struct PartitionReadResult {
  size_t index = 0;
  TopicIdPartition id;
  ErrorCode error = ErrorCode::NONE;
  Offset high_watermark = kNoOffset;
  Offset last_stable_offset = kNoOffset;
  Offset log_start = kNoOffset;
  storage::EpochEnd diverging;  // KIP-595: set if the fetcher's last epoch is not this log's
  storage::LogRange range;
};

// Whoever reads many lets others have their turn after so many of them.
inline constexpr size_t kReadsAtOnce = 1000;

// On `shard`'s loop.
runtime::Task<PartitionReadResult> read_partition(Shard& shard, PartitionRead read);
// On `shard`'s loop. With `wake`: registered first with every partition, so that nothing is missed between
// this look and the next.
runtime::Task<std::vector<PartitionReadResult>> read_partitions(Shard& shard,
                                                                std::vector<PartitionRead> reads,
                                                                std::shared_ptr<runtime::Job> wake);

// The bytes of a range of a partition of `owner`, for a connection on `home`. Looks the partition up for
// every piece: it may be deleted while the response is under way.
std::unique_ptr<ByteSource> partition_bytes(Shard& owner, runtime::Scheduler& home, TopicIdPartition id,
                                            storage::LogRange range);

}  // namespace tidemark::broker
