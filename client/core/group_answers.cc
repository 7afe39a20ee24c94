#include "client/core/group_answers.h"

#include "client/core/admin_wire.h"
#include "client/core/consumer_protocol.h"

namespace tidemark::client {
namespace {

constexpr std::string_view kConsumerProtocol = "consumer";

Error no_such_group(std::string_view id) {
  return Error(ErrorCode::GROUP_ID_NOT_FOUND, fmt::format("there is no group {}", id));
}

Result<BrokerNode> coordinator_of(const auto& answer, const std::optional<std::string_view>& message,
                                  std::string_view group) {
  const auto error = error_of(answer.error_code, message, group);
  if (error) return fail(Error(*error));
  return BrokerNode{
      BrokerId(answer.node_id), {std::string(answer.host), static_cast<uint16_t>(answer.port)}, std::nullopt};
}

PerPartition<CommittedOffset> offsets_of(const auto& topics) {
  PerPartition<CommittedOffset> offsets;
  for (const auto& topic : topics) {
    for (const auto& each : topic.partitions) {
      if (each.error_code == 0 && each.committed_offset < 0) continue;
      take(offsets, topic.name, each,
           CommittedOffset{Offset(each.committed_offset), LeaderEpoch(each.committed_leader_epoch),
                           std::string(each.metadata.value_or(""))});
    }
  }
  return offsets;
}

}  // namespace

NextStep next_step(const Error& error, bool repeatable) {
  if (error.kind() == ErrorKind::io || error.kind() == ErrorKind::closed ||
      error.kind() == ErrorKind::timeout)
    return repeatable || !error.possibly_persisted() ? NextStep::find_again : NextStep::take;
  switch (error.code()) {
    case ErrorCode::COORDINATOR_LOAD_IN_PROGRESS: return NextStep::ask_again;
    case ErrorCode::COORDINATOR_NOT_AVAILABLE:
    case ErrorCode::NOT_COORDINATOR:
    case ErrorCode::BROKER_NOT_AVAILABLE: return NextStep::find_again;
    default: return NextStep::take;
  }
}

ByGroup<BrokerNode> read_coordinators(const protocol::FindCoordinatorResponse& answer, int16_t version,
                                      const std::vector<std::string>& asked) {
  ByGroup<BrokerNode> found;
  if (version < kFindCoordinatorsBatched) {
    found.emplace(asked.front(), coordinator_of(answer, answer.error_message, asked.front()));
  } else {
    for (const auto& each : answer.coordinators)
      found.emplace(std::string(each.key), coordinator_of(each, each.error_message, each.key));
  }
  for (const std::string& group : asked) {
    if (!found.contains(group))
      found.emplace(group, fail(ErrorCode::UNKNOWN_SERVER_ERROR,
                                fmt::format("{}: the broker names no coordinator", group)));
  }
  return found;
}

namespace {

GroupRebalances read_rebalances(const protocol::describe_groups_response_types::RebalanceReport& report) {
  GroupRebalances all;
  all.loop_rebalances = report.loop_rebalances;
  all.loop_since_ms = report.loop_since_ms;
  for (const auto& each : report.recent) {
    GroupRebalance& out = all.recent.emplace_back();
    out.cause = each.cause;
    out.reason = each.reason;
    out.outcome = each.outcome;
    out.started_ms = each.started_ms;
    out.joining_ms = each.joining_ms;
    out.assigning_ms = each.assigning_ms;
    out.generation = each.generation;
    out.members = each.members;
    for (const auto& change : each.changes) {
      auto& told = out.changes.emplace_back();
      told.kind = change.kind;
      told.count = change.count;
      told.members.assign(change.member_ids.begin(), change.member_ids.end());
    }
  }
  return all;
}

}  // namespace

Result<GroupDescription> read_group(const protocol::DescribeGroupsResponse::DescribedGroup& answer) {
  if (ErrorCode(answer.error_code) == ErrorCode::GROUP_ID_NOT_FOUND ||
      (answer.error_code == 0 && answer.group_state == "Dead"))
    return fail(no_such_group(answer.group_id));
  const auto error = error_of(answer.error_code, answer.error_message, answer.group_id);
  if (error) return fail(Error(*error));
  GroupDescription group;
  group.id = std::string(answer.group_id);
  group.type = "classic";
  group.state = std::string(answer.group_state);
  group.protocol_type = std::string(answer.protocol_type);
  group.protocol = std::string(answer.protocol_data);
  if (answer.rebalances) group.rebalances = read_rebalances(*answer.rebalances);
  for (const auto& each : answer.members) {
    GroupMember& member = group.members.emplace_back();
    member.id = std::string(each.member_id);
    if (each.group_instance_id) member.instance_id = std::string(*each.group_instance_id);
    member.client_id = std::string(each.client_id);
    member.host = std::string(each.client_host);
    if (answer.protocol_type != kConsumerProtocol) continue;
    TRY_ASSIGN(member.assigned, read_assignment(each.member_assignment));
  }
  return group;
}

Result<GroupDescription> read_group(const protocol::ConsumerGroupDescribeResponse::DescribedGroup& answer) {
  if (ErrorCode(answer.error_code) == ErrorCode::GROUP_ID_NOT_FOUND)
    return fail(no_such_group(answer.group_id));
  const auto error = error_of(answer.error_code, answer.error_message, answer.group_id);
  if (error) return fail(Error(*error));
  GroupDescription group;
  group.id = std::string(answer.group_id);
  group.type = "consumer";
  group.state = std::string(answer.group_state);
  group.protocol_type = kConsumerProtocol;
  group.protocol = std::string(answer.assignor_name);
  for (const auto& each : answer.members) {
    GroupMember& member = group.members.emplace_back();
    member.id = std::string(each.member_id);
    if (each.instance_id) member.instance_id = std::string(*each.instance_id);
    member.client_id = std::string(each.client_id);
    member.host = std::string(each.client_host);
    for (const auto& topic : each.assignment.topic_partitions) {
      for (const int32_t id : topic.partitions)
        member.assigned.push_back({std::string(topic.topic_name), PartitionId(id)});
    }
    std::sort(member.assigned.begin(), member.assigned.end());
  }
  return group;
}

ByGroup<PerPartition<CommittedOffset>> read_committed(const protocol::OffsetFetchResponse& answer,
                                                      int16_t version, const std::string& asked) {
  ByGroup<PerPartition<CommittedOffset>> found;
  const auto add = [&](const std::string& group, int16_t code, const auto& topics) {
    const auto error = error_of(code, std::nullopt, group);
    if (error) {
      found.emplace(group, fail(Error(*error)));
    } else {
      found.emplace(group, offsets_of(topics));
    }
  };
  if (version < kOffsetFetchBatched) {
    add(asked, answer.error_code, answer.topics);
  } else {
    for (const auto& each : answer.groups) add(std::string(each.group_id), each.error_code, each.topics);
  }
  return found;
}

}  // namespace tidemark::client
