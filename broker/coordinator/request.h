// What the coordinator is asked, as plain values with their own strings: requests cross shards, wait, and are
// written down in tests. One struct per API, without its versions: what depends on a version is a named
// field. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "protocol/ids.h"

namespace tidemark::coordinator {

using Bytes = std::vector<std::byte>;

// A way to assign that a member offers, and what its assignor wants to know of the member.
struct Protocol {
  std::string name;
  Bytes metadata;
  bool operator==(const Protocol&) const = default;
};

struct JoinRequest {
  std::string group;
  std::string client_id;
  std::string client_host;
  std::string member;                   // empty: it has no id yet
  std::optional<std::string> instance;  // a static member's name (KIP-345)
  int32_t session_timeout_ms = 0;
  int32_t rebalance_timeout_ms = -1;  // -1 (v0): as the session timeout
  std::string protocol_type;
  std::vector<Protocol> protocols;  // as preferred
  std::optional<std::string> reason;
  bool member_id_required = true;   // v4+: a new dynamic member is only given its id (KIP-394)
  bool can_skip_assignment = true;  // v9+: a leader may be told not to assign (KIP-814)
};

struct MemberAssignment {
  std::string member;
  Bytes assignment;
};
struct SyncRequest {
  std::string group;
  int32_t generation = -1;
  std::string member;
  std::optional<std::string> instance;
  std::optional<std::string> protocol_type;  // v5+, as is the next: checked where given
  std::optional<std::string> protocol;
  std::vector<MemberAssignment> assignments;  // from the leader
};

struct HeartbeatRequest {
  std::string group;
  int32_t generation = -1;
  std::string member;
  std::optional<std::string> instance;
};

struct LeavingMember {
  std::string member;  // empty: whoever has the instance name
  std::optional<std::string> instance;
  std::optional<std::string> reason;
};
struct LeaveRequest {
  std::string group;
  std::vector<LeavingMember> members;
};

// Topics carry their name and, where the asker knows it, their id: the shell resolves one to the other.
struct OffsetCommitRequest {
  struct Partition {
    PartitionId partition;
    Offset offset;
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    std::optional<std::string> metadata;
  };
  struct Topic {
    std::string name;
    Uuid id;
    std::vector<Partition> partitions;
  };
  std::string group;
  int32_t generation = -1;  // -1: not a member's commit
  std::string member;
  std::optional<std::string> instance;
  int64_t retention_ms = -1;          // v2 to v4
  bool knows_group_not_found = true;  // v9+: GROUP_ID_NOT_FOUND in place of ILLEGAL_GENERATION
  std::vector<Topic> topics;
};

struct OffsetFetchRequest {
  struct Topic {
    std::string name;
    Uuid id;
    std::vector<PartitionId> partitions;
  };
  struct Group {
    std::string group;
    std::optional<std::vector<Topic>> topics;  // none: all that there are
  };
  std::vector<Group> groups;
  // Accepted; without transactional commits every offset is stable.
  bool require_stable = false;
};

struct OffsetDeleteRequest {
  struct Topic {
    std::string name;
    std::vector<PartitionId> partitions;
  };
  std::string group;
  std::vector<Topic> topics;
};

// A coordinator's groups in the order of their names, piece by piece.
struct ListGroupsRequest {
  std::vector<std::string> states;  // none: all; case does not matter, as in the types
  std::vector<std::string> types;
  std::optional<std::string> after;  // none: from the first on
};

struct DescribeGroupsRequest {
  std::vector<std::string> groups;
  bool knows_group_not_found = true;  // v6+: GROUP_ID_NOT_FOUND in place of a group in state Dead
  bool wants_rebalances = false;
};

struct DeleteGroupsRequest {
  std::vector<std::string> groups;
};

using Request = std::variant<JoinRequest, SyncRequest, HeartbeatRequest, LeaveRequest, OffsetCommitRequest,
                             OffsetFetchRequest, OffsetDeleteRequest, ListGroupsRequest,
                             DescribeGroupsRequest, DeleteGroupsRequest>;

}  // namespace tidemark::coordinator
