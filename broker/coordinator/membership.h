// The requests of members: JoinGroup, SyncGroup, Heartbeat, LeaveGroup. Functions over the groups within a
// Turn: they validate, change who is in a group, and leave the phases to rebalance.h. Error codes and their
// order are those of Kafka 4's classic groups.
#pragma once

#include <map>
#include <string>

#include "broker/coordinator/group.h"
#include "broker/coordinator/turn.h"

namespace tidemark::coordinator {

using Groups = std::map<std::string, Group, std::less<>>;

// nullptr: no such group is running (a simple group, that only has offsets, never is).
[[nodiscard]] Group* find_group(Groups& groups, std::string_view id);
[[nodiscard]] const Group* find_group(const Groups& groups, std::string_view id);

// Answered at once, or parked until the rebalance has its members.
void join(Turn& turn, Groups& groups, RequestToken token, const JoinRequest& request);
// Answered at once, or parked until the leader brings the assignment.
void sync(Turn& turn, Groups& groups, RequestToken token, const SyncRequest& request);
void heartbeat(Turn& turn, Groups& groups, RequestToken token, const HeartbeatRequest& request);
void leave(Turn& turn, Groups& groups, RequestToken token, const LeaveRequest& request);

}  // namespace tidemark::coordinator
