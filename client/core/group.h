// What a cluster says of a consumer group. Values, with Kafka's words for states and types.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/core/metadata.h"

namespace tidemark::client {

struct ListedGroup {
  std::string id;
  std::string type;  // "classic", "consumer", "share", "streams"; empty: the broker's version does not say
  std::string protocol_type;  // "consumer", "connect", ...; empty: a group that only holds offsets
  std::string state;          // "Stable", "Empty", ...; empty: the broker's version does not say
};

struct GroupMember {
  std::string id;
  std::optional<std::string> instance_id;  // group.instance.id
  std::string client_id;
  std::string host;
  std::vector<TopicPartition> assigned;  // in order; of the consumer protocol only
};

// Why a group rebalanced, and where the time went.
struct GroupRebalance {
  std::string cause;    // "join", "rejoin", "leave", "timeout", "other"
  std::string reason;   // in the broker's words
  std::string outcome;  // "stable", "empty", "superseded", or "running"
  int64_t started_ms = 0;
  int64_t joining_ms = 0;
  int64_t assigning_ms = 0;
  int32_t generation = -1;  // that it made; -1: none
  int32_t members = 0;
  struct Change {
    std::string kind;  // "joined", "left", "timed out"
    int32_t count = 0;
    std::vector<std::string> members;  // some of them
  };
  std::vector<Change> changes;
};
struct GroupRebalances {
  std::vector<GroupRebalance> recent;  // oldest first
  int32_t loop_rebalances = 0;         // the group goes on rebalancing; 0: it does not
  int64_t loop_since_ms = 0;
};

struct GroupDescription {
  std::string id;
  std::string type;
  std::string state;
  std::string protocol_type;
  std::string protocol;  // the assignor that the members agreed on
  BrokerNode coordinator;
  std::vector<GroupMember> members;
  std::optional<GroupRebalances> rebalances;  // none: the broker keeps no history
};

// Whether nobody is in it, so that its offsets may be changed and it may be deleted.
[[nodiscard]] inline bool is_inactive(const GroupDescription& group) {
  return group.state == "Empty" || group.state == "Dead";
}

struct CommittedOffset {
  Offset offset = kNoOffset;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::string metadata;
};

}  // namespace tidemark::client
