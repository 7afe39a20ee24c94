// The Admin's functions for consumer groups.
#include "client/facade/client_impl.h"
#include "tidemark/admin.h"

namespace tidemark_client {
namespace {

using tidemark::Error;
using tidemark::PartitionId;
using tidemark::Result;
using tidemark::TopicPartition;
using tidemark::runtime::Task;

// Runs make(groups) on the client's loop and waits.
template <class T>
Result<T> ask(const Client& client, const std::function<Task<Result<T>>(core::GroupAdmin&)>& make) {
  Client::Impl& impl = *client.impl();
  return impl.thread.call<Result<T>>([&] { return make(impl.on_loop->groups); });
}

GroupMember member_of(const core::GroupMember& from) {
  GroupMember member{from.id, from.instance_id, from.client_id, from.host, {}};
  for (const TopicPartition& tp : from.assigned) member.assignment[tp.topic].push_back(tp.partition.value);
  return member;
}

}  // namespace

Answer<std::vector<Group>> Admin::list_groups() {
  const auto listed =
      ask<core::GroupListing>(client_, [](core::GroupAdmin& groups) { return groups.list({}); });
  if (!listed) return status_of(listed.error());
  if (!listed->failed.empty()) return status_of(listed->failed.begin()->second);
  std::vector<Group> all;
  for (const core::ListedGroup& group : listed->groups)
    all.push_back({group.id, group.type, group.protocol_type, group.state});
  return all;
}

Answer<GroupInfo> Admin::describe_group(const std::string& group) {
  const auto described = ask<core::ByGroup<core::GroupDescription>>(
      client_, [&](core::GroupAdmin& groups) { return groups.describe({group}); });
  if (!described) return status_of(described.error());
  const auto& found = described->begin()->second;
  if (!found) return status_of(found.error());
  GroupInfo info{{found->id, found->type, found->protocol_type, found->state},
                 found->protocol,
                 found->coordinator.id.value,
                 {}};
  for (const core::GroupMember& member : found->members) info.members.push_back(member_of(member));
  return info;
}

Status Admin::delete_group(const std::string& group) {
  const auto removed = ask<std::vector<core::Outcome>>(
      client_, [&](core::GroupAdmin& groups) { return groups.remove({group}); });
  if (!removed) return status_of(removed.error());
  const auto& error = removed->front().error;
  return error ? status_of(*error) : Status{};
}

Answer<GroupOffsets> Admin::group_offsets(const std::string& group) {
  const auto committed = ask<core::PerPartition<core::CommittedOffset>>(
      client_, [&](core::GroupAdmin& groups) { return groups.committed(group); });
  if (!committed) return status_of(committed.error());
  GroupOffsets offsets;
  for (const auto& [tp, offset] : *committed) {
    if (!offset) return status_of(offset.error());
    offsets[{tp.topic, tp.partition.value}] = offset->offset.value;
  }
  return offsets;
}

Status Admin::commit_group_offsets(const std::string& group, const GroupOffsets& offsets) {
  core::GroupAdmin::Offsets wanted;
  for (const auto& [place, offset] : offsets)
    wanted[{place.first, PartitionId(place.second)}].offset = tidemark::Offset(offset);
  const auto committed = ask<core::PerPartition<tidemark::Offset>>(
      client_, [&](core::GroupAdmin& groups) { return groups.commit(group, wanted); });
  if (!committed) return status_of(committed.error());
  for (const auto& [tp, result] : *committed) {
    if (!result) return status_of(result.error());
  }
  return {};
}

Status Admin::delete_group_offsets(const std::string& group, const std::string& topic,
                                   const std::vector<int32_t>& partitions) {
  std::vector<TopicPartition> wanted;
  for (const int32_t id : partitions) wanted.push_back({topic, PartitionId(id)});
  const auto removed = ask<core::PartitionOutcomes>(
      client_, [&](core::GroupAdmin& groups) { return groups.remove_offsets(group, wanted); });
  if (!removed) return status_of(removed.error());
  for (const auto& [tp, error] : *removed) {
    if (error) return status_of(*error);
  }
  return {};
}

}  // namespace tidemark_client
