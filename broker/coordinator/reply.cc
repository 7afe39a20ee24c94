#include "broker/coordinator/reply.h"

namespace tidemark::coordinator {

namespace {

// An empty reply with the items that the request asks about.
struct Skeleton {
  ReplyBody operator()(const JoinRequest&) const { return JoinReply(); }
  ReplyBody operator()(const SyncRequest&) const { return SyncReply(); }
  ReplyBody operator()(const HeartbeatRequest&) const { return HeartbeatReply(); }
  ReplyBody operator()(const LeaveRequest&) const { return LeaveReply(); }
  ReplyBody operator()(const OffsetCommitRequest& request) const {
    OffsetCommitReply reply;
    for (const auto& topic : request.topics) {
      auto& out = reply.topics.emplace_back(OffsetCommitReply::Topic{topic.name, topic.id, {}});
      for (const auto& partition : topic.partitions) out.partitions.push_back({partition.partition});
    }
    return reply;
  }
  ReplyBody operator()(const OffsetFetchRequest& request) const {
    OffsetFetchReply reply;
    for (const auto& group : request.groups) reply.groups.push_back({.group = group.group, .topics = {}});
    return reply;
  }
  ReplyBody operator()(const OffsetDeleteRequest&) const { return OffsetDeleteReply(); }
  ReplyBody operator()(const ListGroupsRequest&) const { return ListGroupsReply(); }
  ReplyBody operator()(const DescribeGroupsRequest& request) const {
    DescribeGroupsReply reply;
    for (const std::string& group : request.groups) reply.groups.emplace_back().group = group;
    return reply;
  }
  ReplyBody operator()(const DeleteGroupsRequest& request) const {
    DeleteGroupsReply reply;
    for (const std::string& group : request.groups) reply.results.push_back({group});
    return reply;
  }
};

struct SetError {
  ErrorCode error;

  void operator()(JoinReply& reply) const {
    reply = JoinReply();
    reply.error = error;
  }
  void operator()(SyncReply& reply) const {
    reply = SyncReply();
    reply.error = error;
  }
  void operator()(HeartbeatReply& reply) const { reply.error = error; }
  void operator()(LeaveReply& reply) const {
    reply.error = error;
    reply.members.clear();
  }
  void operator()(OffsetCommitReply& reply) const {
    for (auto& topic : reply.topics)
      for (auto& partition : topic.partitions) partition.error = error;
  }
  void operator()(OffsetFetchReply& reply) const {
    for (auto& group : reply.groups) {
      group.error = error;
      group.topics.clear();
    }
  }
  void operator()(OffsetDeleteReply& reply) const {
    reply.error = error;
    reply.topics.clear();
  }
  void operator()(ListGroupsReply& reply) const {
    reply = ListGroupsReply();
    reply.error = error;
  }
  void operator()(DescribeGroupsReply& reply) const {
    for (auto& group : reply.groups) {
      DescribeGroupsReply::Group refused;
      refused.group = std::move(group.group);
      refused.error = error;
      group = std::move(refused);
    }
  }
  void operator()(DeleteGroupsReply& reply) const {
    for (auto& result : reply.results) result.error = error;
  }
};

}  // namespace

ReplyBody refusal(const Request& request, ErrorCode error) {
  ReplyBody reply = std::visit(Skeleton(), request);
  set_error(reply, error);
  if (const auto* join = std::get_if<JoinRequest>(&request)) std::get<JoinReply>(reply).member = join->member;
  return reply;
}

void set_error(ReplyBody& reply, ErrorCode error) { std::visit(SetError{error}, reply); }

}  // namespace tidemark::coordinator
