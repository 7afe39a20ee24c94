// The phases of a group's rebalance: from Stable, Empty or CompletingRebalance to PreparingRebalance (members
// join), CompletingRebalance (the leader assigns) and Stable. Functions over a Group within a Turn; what they
// decide goes into the turn. The rules are those of Kafka 4's classic groups.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "broker/coordinator/group.h"
#include "broker/coordinator/turn.h"

namespace tidemark::coordinator {

// Starts a rebalance where one can start, else completes the join phase if everybody is there.
void prepare_rebalance_or_complete_join(Turn& turn, Group& group, RebalanceCause cause,
                                        std::string_view reason);
// REQUIRES: group.can_rebalance().
void prepare_rebalance(Turn& turn, Group& group, RebalanceCause cause, std::string_view reason);
// In the history, and told. REQUIRES: one is running.
void finish_rebalance(Turn& turn, Group& group, RebalanceOutcome outcome);
// Completes the join phase if all members have joined. An initial rebalance waits for its delay instead.
void maybe_complete_join(Turn& turn, Group& group);

// The leader's assignment: recorded, and then everybody who waits for it is answered. REQUIRES:
// CompletingRebalance. False: the group's record would be larger than the log takes; those who waited have
// UNKNOWN_SERVER_ERROR, and the group rebalances.
bool complete_sync(Turn& turn, Group& group, const std::vector<MemberAssignment>& assignments);

// Takes the member out and answers what it had parked with `error`. The caller decides what follows.
void remove_member(Turn& turn, Group& group, std::string_view member, ErrorCode error);
// What follows when members are gone: a rebalance, or its completion.
void after_removal(Turn& turn, Group& group, RebalanceCause cause, std::string_view reason);

// The member has been heard of.
void extend_session(Turn& turn, Group& group, Member& member);
// Everything that was due at turn.now.
void expire(Turn& turn, Group& group);
// Deadlines of a group that has just come from the log, and a rebalance if it is over capacity.
void promote(Turn& turn, Group& group);

// What a member that has joined is told. The members' metadata is for the leader alone.
[[nodiscard]] JoinReply joined(const Group& group, const Member& member);
[[nodiscard]] std::vector<JoinedMember> joined_members(const Group& group);

}  // namespace tidemark::coordinator
