// What the members of a consumer group tell each other through the coordinator, which looks at none of it:
// what each reads and holds, and what the leader gives it. Kafka's ConsumerProtocol. Pure.
#pragma once

#include "client/core/assignor.h"

namespace tidemark::client {

[[nodiscard]] std::vector<std::byte> write_subscription(const Subscriber& subscriber);
// The topics, partitions and generation; `id` and `instance_id` are the caller's to fill in. CORRUPT_MESSAGE.
[[nodiscard]] Result<Subscriber> read_subscription(std::span<const std::byte> bytes);

[[nodiscard]] std::vector<std::byte> write_assignment(const std::vector<TopicPartition>& partitions);
// None where there are no bytes: of a member that was not given any yet. CORRUPT_MESSAGE.
[[nodiscard]] Result<std::vector<TopicPartition>> read_assignment(std::span<const std::byte> bytes);

}  // namespace tidemark::client
