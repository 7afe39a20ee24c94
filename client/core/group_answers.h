// What coordinators' answers mean: whose coordinator is where, what is to be done about an error, what a
// group looks like. Pure.
#pragma once

#include <set>

#include "client/core/admin.h"
#include "client/core/group.h"
#include "protocol/messages/consumer_group_describe_response.h"
#include "protocol/messages/describe_groups_response.h"
#include "protocol/messages/find_coordinator_response.h"
#include "protocol/messages/offset_fetch_response.h"

namespace tidemark::client {

template <class Value>
using ByGroup = std::map<std::string, Result<Value>>;

// What follows from what became of a request to a group's coordinator.
enum class NextStep : uint8_t {
  take,        // it is the answer
  ask_again,   // it is the coordinator, and is not ready yet
  find_again,  // it is not, or not any more
};
// `repeatable`: the request may be carried out twice; else one that may have arrived is not sent again.
[[nodiscard]] NextStep next_step(const Error& error, bool repeatable);

// FindCoordinator's first version that takes several keys (KIP-699).
inline constexpr int16_t kFindCoordinatorsBatched = 4;
// OffsetFetch's first version that takes several groups (KIP-709).
inline constexpr int16_t kOffsetFetchBatched = 8;
// OffsetFetch's first version that may wait for transactions (KIP-447).
inline constexpr int16_t kOffsetFetchStable = 7;
// OffsetCommit's first version that knows static members (KIP-345).
inline constexpr int16_t kOffsetCommitInstances = 7;
// From version 10 on OffsetFetch and OffsetCommit name topics by id, which would hide the offsets of topics
// that are gone: administration goes by names, as Kafka's own does.
inline constexpr int16_t kOffsetsByTopicName = 9;

// The coordinators of the groups that were asked about.
[[nodiscard]] ByGroup<BrokerNode> read_coordinators(const protocol::FindCoordinatorResponse& answer,
                                                    int16_t version, const std::vector<std::string>& asked);

// GROUP_ID_NOT_FOUND where there is no such group: older versions say that it is dead.
[[nodiscard]] Result<GroupDescription> read_group(
    const protocol::DescribeGroupsResponse::DescribedGroup& answer);
// A group of the consumer protocol of KIP-848.
[[nodiscard]] Result<GroupDescription> read_group(
    const protocol::ConsumerGroupDescribeResponse::DescribedGroup& answer);

// Partitions without a committed offset are left out.
[[nodiscard]] ByGroup<PerPartition<CommittedOffset>> read_committed(
    const protocol::OffsetFetchResponse& answer, int16_t version, const std::string& asked);

}  // namespace tidemark::client
