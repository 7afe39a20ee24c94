// The settings of groups, by Kafka's names and with Kafka's defaults, and the bounds that Kafka does not
// have. Values; the shell fills them from the configuration.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidemark::coordinator {

struct GroupSettings {
  int32_t group_min_session_timeout_ms = 6'000;
  int32_t group_max_session_timeout_ms = 1'800'000;
  int32_t group_initial_rebalance_delay_ms = 3'000;
  int32_t group_max_size = INT32_MAX;
  int32_t offset_metadata_max_bytes = 4'096;
  int64_t offsets_retention_ms = int64_t{10'080} * 60'000;  // offsets.retention.minutes
  int64_t offsets_retention_check_interval_ms = 600'000;
  // The largest record that the offsets topic takes (its max.message.bytes, less a batch's own bytes).
  size_t max_record_bytes = 1'048'000;
};

// A new member may be silent for this long while its first rebalance goes on, as in Kafka.
inline constexpr int32_t kNewMemberJoinTimeoutMs = 300'000;

// Where nobody has joined in time, a rebalance waits for at least this long before it looks again: members
// may name a rebalance timeout of 0.
inline constexpr int32_t kMinJoinWaitMs = 1'000;

// Groups of one coordinator, that is of one partition of __consumer_offsets.
inline constexpr size_t kMaxGroups = 200'000;
// With more than these, offsets past their retention go whatever their partitions hold.
inline constexpr size_t kMostGroupsKeptForData = kMaxGroups / 2;
// Ids given out to dynamic members of one group that have not joined with them yet.
inline constexpr size_t kMaxPendingMembers = 4'000;
// Ways to assign that one member may offer; Kafka's own clients offer one or two.
inline constexpr size_t kMaxProtocolsOfMember = 64;
// The protocols' metadata of all members of one group.
inline constexpr size_t kMaxGroupMetadataBytes = size_t{64} << 20;
// A client id is the first part of its members' ids; no more of it than this.
inline constexpr size_t kMaxClientIdInMemberId = 255;
// Topics times partitions in one OffsetCommit, and tombstones in one decision of an expiry.
inline constexpr size_t kMaxRecordsPerDecision = 10'000;
// Groups that one piece of a ListGroups looks at.
inline constexpr size_t kMaxGroupsPerList = 1'000;
// Groups that one tick of an expiry looks at.
inline constexpr size_t kMaxGroupsPerTick = 10'000;

}  // namespace tidemark::coordinator
