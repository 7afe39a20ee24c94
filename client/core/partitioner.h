// Which partition a record goes to when its sender does not say: by the key's hash, as Kafka's Java clients
// compute it; without a key all records stick to one partition until it has got a batch's worth, then to
// another (KIP-480, KIP-794). One per producer; pure.
#pragma once

#include <map>
#include <string>

#include "protocol/batch/record_iterator.h"
#include "protocol/ids.h"
#include "protocol/runtime/random.h"

namespace tidemark::client {

// Austin Appleby's MurmurHash2, 32 bits, with the seed that Kafka's clients use.
[[nodiscard]] uint32_t murmur2(std::span<const std::byte> bytes);
// REQUIRES: partitions > 0.
[[nodiscard]] PartitionId partition_of_key(std::span<const std::byte> key, int32_t partitions);

class Partitioner {
 public:
  // `sticky_bytes`: after how much the keyless records change their partition.
  Partitioner(runtime::Random& random, int64_t sticky_bytes) : random_(random), sticky_bytes_(sticky_bytes) {}

  // REQUIRES: partitions > 0.
  PartitionId choose(const std::string& topic, protocol::NullableBytes key, size_t record_bytes,
                     int32_t partitions);

 private:
  struct Sticky {
    PartitionId partition{-1};
    int64_t bytes = 0;
  };
  runtime::Random& random_;
  const int64_t sticky_bytes_;
  std::map<std::string, Sticky, std::less<>> sticky_;
};

}  // namespace tidemark::client
