// ListGroups (key 16), v0-5: the groups that this node coordinates. v4 tells their states and takes a filter
// of them (KIP-518), v5 the same with types (KIP-848). Made by all coordinators of this node and charged to
// memory for answers.
#include <algorithm>
#include <iterator>

#include "broker/api/ask_coordinator.h"
#include "broker/api/group_messages.h"
#include "broker/api/handlers.h"
#include "broker/api/paid_answer.h"

namespace tidemark::broker {

using runtime::Task;

coordinator::ListGroupsRequest question_of(const protocol::ListGroupsRequest& request) {
  coordinator::ListGroupsRequest question;
  question.states.assign(request.states_filter.begin(), request.states_filter.end());
  question.types.assign(request.types_filter.begin(), request.types_filter.end());
  return question;
}

coordinator::ListGroupsReply merge(std::vector<coordinator::ReplyBody> answers) {
  coordinator::ListGroupsReply merged;
  for (coordinator::ReplyBody& body : answers) {
    auto& answer = std::get<coordinator::ListGroupsReply>(body);
    if (answer.error == ErrorCode::NOT_COORDINATOR) continue;
    if (answer.error != ErrorCode::NONE) {
      merged.error = answer.error;
      merged.groups.clear();
      break;
    }
    std::ranges::move(answer.groups, std::back_inserter(merged.groups));
  }
  return merged;
}

uint64_t bytes_of(const coordinator::ListGroupsReply& reply) {
  using Row = protocol::list_groups_response_types::ListedGroup;
  uint64_t bytes = 0;
  for (const auto& group : reply.groups) {
    bytes += sizeof(group) + 2 * sizeof(Row);
    bytes += 2 * (group.group.size() + group.protocol_type.size() + group.state.size() + group.type.size());
  }
  return bytes;
}

protocol::ListGroupsResponse response_of(const coordinator::ListGroupsReply& reply) {
  protocol::ListGroupsResponse response;
  response.error_code = static_cast<int16_t>(reply.error);
  response.groups.reserve(reply.groups.size());
  for (const auto& group : reply.groups) {
    auto& out = response.groups.emplace_back();
    out.group_id = group.group;
    out.protocol_type = group.protocol_type;
    out.group_state = group.state;
    out.group_type = group.type;
  }
  return response;
}

Task<Result<Response>> handle_list_groups(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::ListGroupsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  auto asking = ask_all_coordinators(services, request, question_of(*decoded));
  auto answers = co_await asking;
  coordinator::ListGroupsReply merged = merge(std::move(answers));
  auto paid = std::make_shared<PaidAnswer>(services.answer_memory);
  if (!paid->pay(bytes_of(merged))) {
    // Others' answers are in the way, and will have been sent: a client comes again.
    merged.groups.clear();
    merged.error = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
  }
  const auto response = response_of(merged);
  auto answer = respond(request, response);
  if (answer) answer->keep_alive = std::move(paid);
  co_return answer;
}

}  // namespace tidemark::broker
