// ListGroups (key 16), v0-5: the groups that this node coordinates. v4 tells their states and takes a filter
// of them (KIP-518), v5 the same with types (KIP-848). A few bytes ask for all of them: the coordinators of
// this node are asked one after the other, piece by piece, and every piece is charged to memory for answers.
#include <algorithm>
#include <iterator>

#include "broker/api/ask_coordinator.h"
#include "broker/api/group_messages.h"
#include "broker/api/handlers.h"
#include "broker/api/paid_answer.h"
#include "broker/coordinator/placement.h"

namespace tidemark::broker {

using runtime::Task;

coordinator::ListGroupsRequest question_of(const protocol::ListGroupsRequest& request) {
  coordinator::ListGroupsRequest question;
  question.states.assign(request.states_filter.begin(), request.states_filter.end());
  question.types.assign(request.types_filter.begin(), request.types_filter.end());
  return question;
}

bool add(coordinator::ListGroupsReply piece, coordinator::ListGroupsReply& to) {
  // Of another node, or failed: left out, as in Kafka. An error would take the other coordinators' groups out
  // of the answer too. `tidemark group list`, `cluster health` and the metrics tell of one that failed.
  if (piece.error == ErrorCode::NOT_COORDINATOR) return false;
  if (piece.error != ErrorCode::NONE) {
    to.error = piece.error;
    to.groups.clear();
    return false;
  }
  std::ranges::move(piece.groups, std::back_inserter(to.groups));
  return piece.next.has_value();
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

namespace {

// One coordinator's groups, as far as there is memory for them.
Task<void> list_of(ApiServices& services, PartitionId partition, coordinator::ListGroupsRequest question,
                   PaidAnswer& paid, coordinator::ListGroupsReply& listed) {
  bool has_more = true;
  while (has_more) {
    auto asking = ask_coordinator(services, partition, coordinator::Request(question));
    coordinator::ReplyBody body = co_await asking;
    auto& piece = std::get<coordinator::ListGroupsReply>(body);
    question.after = piece.next;
    if (!paid.pay(bytes_of(piece))) {
      // Others' answers are in the way, and will have been sent: a client comes again.
      piece = coordinator::ListGroupsReply();
      piece.error = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
    }
    has_more = add(std::move(piece), listed);
    auto breathing = runtime::let_others_run(services.home.loop());
    co_await breathing;
  }
}

}  // namespace

Task<Result<Response>> handle_list_groups(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::ListGroupsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const auto view = services.home.view();
  const TopicView* topic = view->topic(coordinator::kOffsetsTopic);
  const size_t coordinators = topic == nullptr ? 0 : topic->shards.size();
  auto paid = std::make_shared<PaidAnswer>(services.answer_memory);
  coordinator::ListGroupsReply listed;
  for (size_t i = 0; i < coordinators && listed.error == ErrorCode::NONE; ++i) {
    const PartitionId partition(static_cast<int32_t>(i));
    auto listing = list_of(services, partition, question_of(*decoded), *paid, listed);
    co_await listing;
  }
  auto response = response_of(listed);
  auto answer = respond(request, response);
  if (answer) answer->keep_alive = std::move(paid);
  co_return answer;
}

}  // namespace tidemark::broker
