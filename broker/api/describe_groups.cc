// DescribeGroups (key 15), v0-6: groups and their members. v3 tells what the client may do with them
// (KIP-430), v4 has instance names (KIP-345), v6 GROUP_ID_NOT_FOUND with a message where older clients see a
// group in state Dead (KIP-1043). Answered in the order asked, a group as often as it is named (as in Kafka).
// A field of our own asks for the group's last rebalances, and has them in the answer.
// A few bytes ask for a whole group: they are asked one after the other, each is charged to memory for
// answers, and one that finds no room there has an error in its place.
#include "broker/api/ask_coordinator.h"
#include "broker/api/authorized_operations.h"
#include "broker/api/group_messages.h"
#include "broker/api/handlers.h"
#include "broker/api/paid_answer.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

using Reply = coordinator::DescribeGroupsReply;

constexpr std::string_view kTooManyGroups =
    "There is no memory for so much of an answer: ask for fewer groups at once";

using GroupRow = protocol::describe_groups_response_types::DescribedGroup;
using RebalanceRow = protocol::describe_groups_response_types::GroupRebalance;
using ChangeRow = protocol::describe_groups_response_types::MemberChange;

uint64_t bytes_of(const Reply::Rebalances& rebalances) {
  uint64_t bytes = 0;
  for (const coordinator::Rebalance& rebalance : rebalances.recent) {
    bytes += sizeof(rebalance) + 2 * sizeof(RebalanceRow) + 2 * rebalance.reason.size();
    const auto& changes = rebalance.changes;
    for (const auto* named : {&changes.joined, &changes.left, &changes.timed_out}) {
      bytes += 2 * sizeof(ChangeRow);
      for (const std::string& name : named->first)
        bytes += sizeof(name) + 2 * (sizeof(std::string_view) + name.size());
    }
  }
  return bytes;
}

void add_change(std::string_view kind, const coordinator::NamedMembers& members, RebalanceRow& to) {
  if (members.count == 0) return;
  ChangeRow& out = to.changes.emplace_back();
  out.kind = kind;
  out.count = static_cast<int32_t>(members.count);
  out.member_ids.assign(members.first.begin(), members.first.end());
}

void write(const Reply::Rebalances& rebalances, GroupRow& row) {
  auto& report = row.rebalances.emplace();
  if (rebalances.loop) {
    report.loop_rebalances = static_cast<int32_t>(rebalances.loop->rebalances);
    report.loop_since_ms = rebalances.loop->since_ms;
  }
  report.recent.reserve(rebalances.recent.size());
  for (const coordinator::Rebalance& rebalance : rebalances.recent) {
    RebalanceRow& out = report.recent.emplace_back();
    out.cause = coordinator::cause_name(rebalance.cause);
    out.reason = rebalance.reason;
    out.outcome = coordinator::outcome_name(rebalance.outcome);
    out.started_ms = rebalance.started_ms;
    out.joining_ms = rebalance.joining_ms;
    out.assigning_ms = rebalance.assigning_ms;
    out.generation = rebalance.generation;
    out.members = static_cast<int32_t>(rebalance.members);
    add_change("joined", rebalance.changes.joined, out);
    add_change("left", rebalance.changes.left, out);
    add_change("timed out", rebalance.changes.timed_out, out);
  }
}

}  // namespace

uint64_t bytes_of(const Reply::Group& group) {
  using MemberRow = protocol::describe_groups_response_types::DescribedGroupMember;
  uint64_t text = group.group.size() + group.state.size() + group.protocol_type.size() +
                  group.protocol.size() + group.message.value_or("").size();
  for (const auto& member : group.members) {
    text += member.member.size() + member.instance.value_or("").size() + member.client_id.size() +
            member.client_host.size() + member.metadata.size() + member.assignment.size();
  }
  return sizeof(group) + 2 * sizeof(GroupRow) +
         group.members.size() * (sizeof(Reply::Member) + 2 * sizeof(MemberRow)) + 2 * text +
         (group.rebalances ? bytes_of(*group.rebalances) : 0);
}

protocol::DescribeGroupsResponse response_of(const Reply& reply, bool with_operations, int16_t version) {
  protocol::DescribeGroupsResponse response;
  response.groups.reserve(reply.groups.size());
  for (const auto& group : reply.groups) {
    auto& out = response.groups.emplace_back();
    out.error_code = static_cast<int16_t>(group.error);
    if (version >= 6) out.error_message = group.message;
    out.group_id = group.group;
    out.group_state = group.state;
    out.protocol_type = group.protocol_type;
    out.protocol_data = group.protocol;
    if (with_operations && group.error == ErrorCode::NONE) out.authorized_operations = kGroupOperations;
    if (group.rebalances) write(*group.rebalances, out);
    out.members.reserve(group.members.size());
    for (const auto& member : group.members) {
      auto& m = out.members.emplace_back();
      m.member_id = member.member;
      m.group_instance_id = member.instance;
      m.client_id = member.client_id;
      m.client_host = member.client_host;
      m.member_metadata = member.metadata;
      m.member_assignment = member.assignment;
    }
  }
  return response;
}

Task<Result<Response>> handle_describe_groups(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::DescribeGroupsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const int16_t version = request.header.request_api_version;
  auto paid = std::make_shared<PaidAnswer>(services.answer_memory);
  bool is_full = false;
  Reply described;
  for (const std::string_view wanted : decoded->groups) {
    Reply::Group& group = described.groups.emplace_back();
    if (!is_full) {
      coordinator::DescribeGroupsRequest question;
      question.groups.emplace_back(wanted);
      question.knows_group_not_found = version >= 6;
      question.wants_rebalances = decoded->wants_rebalances;
      auto asking = ask_coordinator(services, request, std::string(wanted), std::move(question));
      coordinator::ReplyBody reply = co_await asking;
      group = std::move(std::get<Reply>(reply).groups.at(0));
      is_full = !paid->pay(bytes_of(group));
      auto breathing = runtime::let_others_run(services.home.loop());
      co_await breathing;
    }
    if (is_full) {
      group = Reply::Group();
      group.group = wanted;
      group.error = ErrorCode::POLICY_VIOLATION;
      group.message = kTooManyGroups;
    }
  }
  auto response = response_of(described, decoded->include_authorized_operations, version);
  auto answer = respond(request, response);
  if (answer) answer->keep_alive = std::move(paid);
  co_return answer;
}

}  // namespace tidemark::broker
