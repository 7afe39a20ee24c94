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

struct GroupDescription {
  std::string id;
  std::string type;
  std::string state;
  std::string protocol_type;
  std::string protocol;  // the assignor that the members agreed on
  BrokerNode coordinator;
  std::vector<GroupMember> members;
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
