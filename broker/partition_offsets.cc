#include "broker/partition_offsets.h"

#include <algorithm>

namespace tidemark::broker {

std::vector<PartitionOffsets> largest_offsets(Shard& shard, size_t most) {
  std::vector<std::pair<uint64_t, TopicIdPartition>> by_size;
  for (const auto& [id, partition] : shard.partitions()) {
    if (!partition->log().offline()) by_size.emplace_back(partition->log().size_bytes(), id);
  }
  if (by_size.size() > most) {
    std::ranges::nth_element(by_size, by_size.begin() + static_cast<ptrdiff_t>(most), std::greater<>());
    by_size.resize(most);
  }
  std::vector<PartitionOffsets> offsets;
  offsets.reserve(by_size.size());
  for (const auto& [size, id] : by_size) {
    const auto partition = shard.partition(id);
    const storage::Log& log = partition->log();
    offsets.push_back({partition->topic(), id.partition, log.start(), log.durable(),
                       partition->high_watermark(), log.end()});
  }
  return offsets;
}

}  // namespace tidemark::broker
