// What the log of groups and offsets says: the durable half of a coordinator, the same on leader and
// followers. It changes by apply() alone, one record at a time, and depends only on the last record of each
// key: a compacted log gives the same image. Owned by the coordinator; no timers, no parked requests.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/coordinator/request.h"
#include "protocol/ids.h"

namespace tidemark::coordinator {

struct MemberMetadata {
  std::string id;
  std::optional<std::string> instance;
  std::string client_id;
  std::string client_host;
  int32_t rebalance_timeout_ms = 0;
  int32_t session_timeout_ms = 0;
  Bytes subscription;  // its metadata for the group's protocol
  Bytes assignment;
  bool operator==(const MemberMetadata&) const = default;
};

// A group as its last rebalance left it: members mean Stable, none mean Empty.
struct GroupMetadata {
  std::string protocol_type;  // empty: it never had a member
  int32_t generation = 0;
  std::optional<std::string> protocol;
  std::optional<std::string> leader;
  int64_t state_timestamp_ms = -1;  // Unix time; since when it has been so
  std::vector<MemberMetadata> members;
  bool operator==(const GroupMetadata&) const = default;
};

struct CommittedOffset {
  Offset offset;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::string metadata;
  int64_t commit_timestamp_ms = -1;
  std::optional<int64_t> expire_timestamp_ms;  // from clients that asked for a retention of their own
  Uuid topic_id;                               // zero: the committer did not know
  bool operator==(const CommittedOffset&) const = default;
};

using PartitionOffsets = std::map<PartitionId, CommittedOffset>;
using TopicOffsets = std::map<std::string, PartitionOffsets, std::less<>>;

// Without metadata it is a simple group: somebody only commits. Without offsets too it is the shell of one
// whose offsets are gone, which as in Kafka is there until an expiry finds it, or the log is compacted.
struct GroupImage {
  std::optional<GroupMetadata> metadata;
  TopicOffsets offsets;  // Invariant: no topic without partitions
  [[nodiscard]] const CommittedOffset* offset(std::string_view topic, PartitionId partition) const;
  [[nodiscard]] bool is_shell() const { return !metadata && offsets.empty(); }
  bool operator==(const GroupImage&) const = default;
};

// A record, decoded. Without the value it is a tombstone.
struct GroupChange {
  std::string group;
  std::optional<GroupMetadata> metadata;
};
struct OffsetChange {
  std::string group;
  std::string topic;
  PartitionId partition;
  std::optional<CommittedOffset> offset;
};
using Change = std::variant<GroupChange, OffsetChange>;

class Image {
 public:
  void apply(Change change);

  // nullptr: no such group.
  [[nodiscard]] const GroupImage* group(std::string_view id) const;
  [[nodiscard]] const std::map<std::string, GroupImage, std::less<>>& groups() const { return groups_; }
  [[nodiscard]] size_t offset_count() const { return offset_count_; }
  // Shells of groups say nothing, and do not count.
  bool operator==(const Image& other) const;

 private:
  void apply_group(GroupChange change);
  void apply_offset(OffsetChange change);

  std::map<std::string, GroupImage, std::less<>> groups_;
  size_t offset_count_ = 0;  // Invariant: the committed offsets of all groups
};

}  // namespace tidemark::coordinator
