#include "client/core/partitioner.h"

#include "protocol/invariant.h"

namespace tidemark::client {

uint32_t murmur2(std::span<const std::byte> bytes) {
  constexpr uint32_t kSeed = 0x9747B28C;
  constexpr uint32_t kMultiplier = 0x5BD1E995;
  constexpr int kShift = 24;
  uint32_t hash = kSeed ^ static_cast<uint32_t>(bytes.size());
  while (bytes.size() >= 4) {
    uint32_t word = 0;
    for (int i = 3; i >= 0; --i)
      word = (word << 8) | std::to_integer<uint32_t>(bytes[static_cast<size_t>(i)]);
    word *= kMultiplier;
    word ^= word >> kShift;
    word *= kMultiplier;
    hash = (hash * kMultiplier) ^ word;
    bytes = bytes.subspan(4);
  }
  if (!bytes.empty()) {
    for (size_t i = bytes.size(); i-- > 0;) hash ^= std::to_integer<uint32_t>(bytes[i]) << (8 * i);
    hash *= kMultiplier;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return hash;
}

PartitionId partition_of_key(std::span<const std::byte> key, int32_t partitions) {
  REQUIRES(partitions > 0);
  return PartitionId(static_cast<int32_t>(murmur2(key) & 0x7FFFFFFF) % partitions);
}

PartitionId Partitioner::choose(const std::string& topic, protocol::NullableBytes key, size_t record_bytes,
                                int32_t partitions) {
  REQUIRES(partitions > 0);
  if (key) return partition_of_key(*key, partitions);
  Sticky& sticky = sticky_[topic];
  if (sticky.partition.value < 0 || sticky.partition.value >= partitions || sticky.bytes >= sticky_bytes_) {
    const auto drawn = static_cast<int32_t>(random_.below(static_cast<uint64_t>(partitions)));
    const bool same = drawn == sticky.partition.value;
    sticky.partition = PartitionId(same ? (drawn + 1) % partitions : drawn);
    sticky.bytes = 0;
  }
  sticky.bytes += static_cast<int64_t>(record_bytes);
  return sticky.partition;
}

}  // namespace tidemark::client
