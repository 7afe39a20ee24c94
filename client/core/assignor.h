// How a group's leader divides partitions among the members: the consumer protocol's "range", "roundrobin"
// and "cooperative-sticky" (KIP-429), which have to agree with what Kafka's own clients expect of a leader.
// Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "protocol/error.h"
#include "protocol/ids.h"

namespace tidemark::client {

enum class Assignor : uint8_t { range, round_robin, cooperative_sticky };

// As members name it to each other.
[[nodiscard]] std::string_view name_of(Assignor assignor);
// By that name, or that of Kafka's class ("org.apache.kafka.clients.consumer.RangeAssignor").
[[nodiscard]] std::optional<Assignor> find_assignor(std::string_view name);

// What a member says of itself when it joins.
struct Subscriber {
  std::string id;
  std::optional<std::string> instance_id;
  std::set<std::string, std::less<>> topics;
  std::vector<TopicPartition> owned;  // that it has not given up
  int32_t generation = -1;            // in which it got them
};

using PartitionCounts = std::map<std::string, int32_t, std::less<>>;
using Shares = std::map<std::string, std::vector<TopicPartition>>;  // by member; each in order

// Every member has a share, an empty one at least. Topics without a count are nobody's. Of
// cooperative_sticky: a partition that is to move is nobody's until its owner has given it up, for which the
// group rebalances once more.
[[nodiscard]] Shares divide(Assignor assignor, std::vector<Subscriber> members,
                            const PartitionCounts& partitions);

}  // namespace tidemark::client
