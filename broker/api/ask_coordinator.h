// Requests that belong to groups: which partition of __consumer_offsets coordinates a group, and how its
// coordinator on this node is asked. Called on the connection's shard.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "broker/api/services.h"
#include "broker/coordinator/reply.h"
#include "broker/coordinator/request.h"

namespace tidemark::broker {

// One question to the coordinator of `group`, and its answer; the question names this group alone.
struct GroupAsk {
  std::string group;
  coordinator::Request question;
  coordinator::ReplyBody answer;
};

// Answers them all, at the same time. Where the group has no coordinator here, or the answer is wanted at
// once (the node drains) and a JoinGroup or SyncGroup is parked, the answer is the question's refusal with
// NOT_COORDINATOR. An empty group's name is the coordinator's to refuse.
runtime::Task<void> ask_coordinators(ApiServices& services, RequestContext& request,
                                     std::vector<GroupAsk>& asks);
// The same for one.
runtime::Task<coordinator::ReplyBody> ask_coordinator(ApiServices& services, RequestContext& request,
                                                      std::string group, coordinator::Request question);
// The same for the coordinator of a partition of __consumer_offsets; never for what parks.
runtime::Task<coordinator::ReplyBody> ask_coordinator(ApiServices& services, PartitionId partition,
                                                      coordinator::Request question);

}  // namespace tidemark::broker
