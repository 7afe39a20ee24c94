// Which partitions nobody serves. Metadata does not say: a broker whose log of one is damaged goes on leading
// it. So each leader is asked for the ends of its logs, and for a group of each partition of
// __consumer_offsets, in pieces, by Kafka's own APIs. On the Cluster's loop; changes nothing.
#pragma once

#include "client/core/cluster.h"

namespace tidemark::client {

inline constexpr std::string_view kOffsetsTopic = "__consumer_offsets";

struct Unserved {
  BrokerId leader = kNoBroker;  // kNoBroker: LEADER_NOT_AVAILABLE
  // Of ListOffsets; or NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE: the log is there, its groups are not.
  ErrorCode error = ErrorCode::NONE;
};

struct PartitionSurvey {
  std::map<TopicPartition, Unserved> unserved;
  std::map<BrokerId, Error> unknown;  // leaders that did not tell, and why
};

// All partitions, or this topic's. What is amiss is looked at once more after a pause: leaders move, topics
// go. Error: nobody tells who leads what.
runtime::Task<Result<PartitionSurvey>> survey_partitions(Cluster& cluster,
                                                         std::optional<std::string> topic = {});

// A group for each partition of __consumer_offsets, whether or not there is one of that name. Pure.
[[nodiscard]] std::map<PartitionId, std::string> groups_of_partitions(int32_t partitions);

}  // namespace tidemark::client
