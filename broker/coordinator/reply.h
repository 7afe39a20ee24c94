// What the coordinator answers, as plain values with their own strings: one struct per API. A reply without
// an error field of its own has one in each of its items. Any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker/coordinator/rebalance_history.h"
#include "broker/coordinator/request.h"
#include "protocol/error.h"
#include "protocol/ids.h"

namespace tidemark::coordinator {

struct JoinedMember {
  std::string member;
  std::optional<std::string> instance;
  Bytes metadata;
};
struct JoinReply {
  ErrorCode error = ErrorCode::NONE;
  int32_t generation = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol;
  std::string leader;
  bool skip_assignment = false;
  std::string member;
  std::vector<JoinedMember> members;  // for the leader
};

struct SyncReply {
  ErrorCode error = ErrorCode::NONE;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol;
  Bytes assignment;
};

struct HeartbeatReply {
  ErrorCode error = ErrorCode::NONE;
};

struct LeaveReply {
  struct Member {
    std::string member;
    std::optional<std::string> instance;
    ErrorCode error = ErrorCode::NONE;
  };
  ErrorCode error = ErrorCode::NONE;
  std::vector<Member> members;
};

struct OffsetCommitReply {
  struct Partition {
    PartitionId partition;
    ErrorCode error = ErrorCode::NONE;
  };
  struct Topic {
    std::string name;
    Uuid id;
    std::vector<Partition> partitions;
  };
  std::vector<Topic> topics;
};

struct OffsetFetchReply {
  struct Partition {
    PartitionId partition;
    Offset offset = kNoOffset;  // nothing is committed
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    std::string metadata;
    ErrorCode error = ErrorCode::NONE;
  };
  struct Topic {
    std::string name;
    Uuid id;
    std::vector<Partition> partitions;
  };
  struct Group {
    std::string group;
    ErrorCode error = ErrorCode::NONE;
    std::vector<Topic> topics;
  };
  std::vector<Group> groups;
};

struct OffsetDeleteReply {
  struct Partition {
    PartitionId partition;
    ErrorCode error = ErrorCode::NONE;
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
  };
  ErrorCode error = ErrorCode::NONE;
  std::vector<Topic> topics;  // none where there is an error
};

struct ListGroupsReply {
  struct Group {
    std::string group;
    std::string protocol_type;
    std::string state;
    std::string type;
  };
  ErrorCode error = ErrorCode::NONE;
  std::vector<Group> groups;
  std::optional<std::string> next;  // there may be more after it
};

struct DescribeGroupsReply {
  struct Rebalances {
    std::deque<Rebalance> recent;  // oldest first; the last one may be running
    std::optional<RebalanceLoop> loop;
  };
  struct Member {
    std::string member;
    std::optional<std::string> instance;
    std::string client_id;
    std::string client_host;
    Bytes metadata;  // only while the group is Stable
    Bytes assignment;
  };
  struct Group {
    ErrorCode error = ErrorCode::NONE;
    std::optional<std::string> message;
    std::string group;
    std::string state;
    std::string protocol_type;
    std::string protocol;
    std::vector<Member> members;
    std::optional<Rebalances> rebalances;  // where they were wanted
  };
  std::vector<Group> groups;
};

struct DeleteGroupsReply {
  struct Result {
    std::string group;
    ErrorCode error = ErrorCode::NONE;
  };
  std::vector<Result> results;
};

using ReplyBody =
    std::variant<JoinReply, SyncReply, HeartbeatReply, LeaveReply, OffsetCommitReply, OffsetFetchReply,
                 OffsetDeleteReply, ListGroupsReply, DescribeGroupsReply, DeleteGroupsReply>;

// The request's reply with `error` wherever its API puts one.
[[nodiscard]] ReplyBody refusal(const Request& request, ErrorCode error);
// The reply, had its records not been taken: `error` wherever its API puts one, and nothing that they would
// have made true.
void set_error(ReplyBody& reply, ErrorCode error);

}  // namespace tidemark::coordinator
