// How the group APIs' messages become questions to a coordinator, and its answers become messages; each API's
// in its file. Pure functions; any thread. A question owns what it says; a response is made of views into
// what it is made from.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "broker/cluster_view.h"
#include "broker/coordinator/reply.h"
#include "broker/coordinator/request.h"
#include "protocol/messages/delete_groups_request.h"
#include "protocol/messages/delete_groups_response.h"
#include "protocol/messages/describe_groups_request.h"
#include "protocol/messages/describe_groups_response.h"
#include "protocol/messages/heartbeat_request.h"
#include "protocol/messages/heartbeat_response.h"
#include "protocol/messages/join_group_request.h"
#include "protocol/messages/join_group_response.h"
#include "protocol/messages/leave_group_request.h"
#include "protocol/messages/leave_group_response.h"
#include "protocol/messages/list_groups_request.h"
#include "protocol/messages/list_groups_response.h"
#include "protocol/messages/offset_commit_request.h"
#include "protocol/messages/offset_commit_response.h"
#include "protocol/messages/offset_delete_request.h"
#include "protocol/messages/offset_delete_response.h"
#include "protocol/messages/offset_fetch_request.h"
#include "protocol/messages/offset_fetch_response.h"
#include "protocol/messages/sync_group_request.h"
#include "protocol/messages/sync_group_response.h"

namespace tidemark::broker {

// Who joins, as a group is described with it.
struct JoiningClient {
  std::string_view id;
  std::string_view address;
};
[[nodiscard]] coordinator::JoinRequest question_of(const protocol::JoinGroupRequest& request,
                                                   const JoiningClient& client, int16_t version);
[[nodiscard]] protocol::JoinGroupResponse response_of(const coordinator::JoinReply& reply, int16_t version);

[[nodiscard]] coordinator::SyncRequest question_of(const protocol::SyncGroupRequest& request);
[[nodiscard]] protocol::SyncGroupResponse response_of(const coordinator::SyncReply& reply);
// From v5 on a member must say what it believes to be the group's protocol (KIP-559).
[[nodiscard]] bool names_protocol(const protocol::SyncGroupRequest& request, int16_t version);

[[nodiscard]] coordinator::HeartbeatRequest question_of(const protocol::HeartbeatRequest& request);
[[nodiscard]] protocol::HeartbeatResponse response_of(const coordinator::HeartbeatReply& reply);

[[nodiscard]] coordinator::LeaveRequest question_of(const protocol::LeaveGroupRequest& request,
                                                    int16_t version);
[[nodiscard]] protocol::LeaveGroupResponse response_of(const coordinator::LeaveReply& reply, int16_t version);

// What the coordinator is asked, and what is refused without it.
struct CommitPlan {
  coordinator::OffsetCommitRequest question;  // no topics: there is nothing to ask
  std::vector<coordinator::OffsetCommitReply::Topic> refused;
};
[[nodiscard]] CommitPlan plan_of(const protocol::OffsetCommitRequest& request, const ClusterView& view,
                                 int16_t version);
// In Kafka's order: topics that have something refused, then the others. A refused topic that is answered too
// is one topic.
[[nodiscard]] coordinator::OffsetCommitReply merge(std::vector<coordinator::OffsetCommitReply::Topic> refused,
                                                   coordinator::OffsetCommitReply answered);
[[nodiscard]] protocol::OffsetCommitResponse response_of(const coordinator::OffsetCommitReply& reply,
                                                         int16_t version);

// The same for offsets that are to be forgotten; asked even without topics, for the group's error.
struct OffsetDeletePlan {
  coordinator::OffsetDeleteRequest question;
  std::vector<coordinator::OffsetDeleteReply::Topic> refused;
};
[[nodiscard]] OffsetDeletePlan plan_of(const protocol::OffsetDeleteRequest& request, const ClusterView& view);
// An error of the group leaves no topics.
[[nodiscard]] coordinator::OffsetDeleteReply merge(std::vector<coordinator::OffsetDeleteReply::Topic> refused,
                                                   coordinator::OffsetDeleteReply answered);
[[nodiscard]] protocol::OffsetDeleteResponse response_of(const coordinator::OffsetDeleteReply& reply);

// One group of an OffsetFetch, the same in every version; views into the request and the cluster view.
struct WantedOffsets {
  struct Topic {
    std::string_view name;  // empty: nobody knows its id
    Uuid id;                // v10+
    std::span<const int32_t> partitions;
  };
  std::string_view group;
  bool all = false;           // whatever there is
  std::vector<Topic> topics;  // none if `all`
};
[[nodiscard]] std::vector<WantedOffsets> wanted_offsets(const protocol::OffsetFetchRequest& request,
                                                        const ClusterView& view, int16_t version);

// The questions about one group: pieces of bounded size, because a partition takes four bytes to name and
// kilobytes to answer, however often it is named. At least one, for the group's error.
class OffsetQuestions {
 public:
  OffsetQuestions(const WantedOffsets& wanted, bool require_stable)
      : wanted_(wanted), require_stable_(require_stable) {}
  [[nodiscard]] bool done() const { return done_; }
  // REQUIRES: !done().
  [[nodiscard]] coordinator::OffsetFetchRequest next();
  // Adds the answer to the question that next() made last.
  void add(coordinator::OffsetFetchReply::Group&& answer, coordinator::OffsetFetchReply::Group& to) const;

  static constexpr size_t kPartitionsPerQuestion = 1'000;

 private:
  const WantedOffsets& wanted_;
  bool require_stable_;
  bool done_ = false;
  bool continues_ = false;  // the last question began inside a topic
  size_t topic_ = 0;        // the next one to ask for, ...
  size_t partition_ = 0;    // ... from this partition on
};

// v10+: everything that a group has is told by the ids that its topics have now; without one it is left out.
void fill_topic_ids(coordinator::OffsetFetchReply::Group& group, const ClusterView& view);
// The error for an unknown topic's partitions.
void add_unknown(const WantedOffsets::Topic& topic, coordinator::OffsetFetchReply::Group& group);
// v1 has no other place for a group's error.
void put_error_on_partitions(const WantedOffsets& wanted, coordinator::OffsetFetchReply::Group& group);
// What it takes until it is sent: itself, the response's rows, and their encoded form.
[[nodiscard]] uint64_t bytes_of(const coordinator::OffsetFetchReply::Group& group);
[[nodiscard]] uint64_t bytes_of_unknown(const WantedOffsets::Topic& topic);
[[nodiscard]] protocol::OffsetFetchResponse response_of(const coordinator::OffsetFetchReply& reply,
                                                        int16_t version);

[[nodiscard]] coordinator::ListGroupsRequest question_of(const protocol::ListGroupsRequest& request);
// A piece of one coordinator's groups; whether it has more. Who does not coordinate has no groups; another
// error is the answer's, and leaves no groups.
bool add(coordinator::ListGroupsReply piece, coordinator::ListGroupsReply& to);
[[nodiscard]] uint64_t bytes_of(const coordinator::ListGroupsReply& reply);
[[nodiscard]] protocol::ListGroupsResponse response_of(const coordinator::ListGroupsReply& reply);

[[nodiscard]] uint64_t bytes_of(const coordinator::DescribeGroupsReply::Group& group);
[[nodiscard]] protocol::DescribeGroupsResponse response_of(const coordinator::DescribeGroupsReply& reply,
                                                           bool with_operations, int16_t version);

// Each once, as first named.
[[nodiscard]] std::vector<std::string_view> distinct_groups(const protocol::DeleteGroupsRequest& request);
[[nodiscard]] protocol::DeleteGroupsResponse response_of(const coordinator::DeleteGroupsReply& reply);

}  // namespace tidemark::broker
