// DeleteGroups (key 42), v0-2: groups without members, with all that they have committed (KIP-229). A group
// that is named twice is deleted, and answered, once (as in Kafka).
#include <algorithm>
#include <set>

#include "broker/api/ask_coordinator.h"
#include "broker/api/group_messages.h"
#include "broker/api/handlers.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

// Of one request. A question takes a hundred times the bytes that name a group.
constexpr size_t kGroupsAtOnce = 100;

}  // namespace

std::vector<std::string_view> distinct_groups(const protocol::DeleteGroupsRequest& request) {
  std::vector<std::string_view> distinct;
  std::set<std::string_view> seen;
  for (const std::string_view group : request.groups_names)
    if (seen.insert(group).second) distinct.push_back(group);
  return distinct;
}

protocol::DeleteGroupsResponse response_of(const coordinator::DeleteGroupsReply& reply) {
  protocol::DeleteGroupsResponse response;
  response.results.reserve(reply.results.size());
  for (const auto& result : reply.results) {
    auto& out = response.results.emplace_back();
    out.group_id = result.group;
    out.error_code = static_cast<int16_t>(result.error);
  }
  return response;
}

Task<Result<Response>> handle_delete_groups(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::DeleteGroupsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const std::vector<std::string_view> groups = distinct_groups(*decoded);
  coordinator::DeleteGroupsReply deleted;
  for (size_t from = 0; from < groups.size(); from += kGroupsAtOnce) {
    std::vector<GroupAsk> asks;
    for (size_t i = from; i < std::min(from + kGroupsAtOnce, groups.size()); ++i) {
      coordinator::DeleteGroupsRequest question;
      question.groups.emplace_back(groups[i]);
      asks.push_back({std::string(groups[i]), std::move(question), {}});
    }
    auto asking = ask_coordinators(services, request, asks);
    co_await asking;
    for (GroupAsk& ask : asks)
      deleted.results.push_back(
          std::move(std::get<coordinator::DeleteGroupsReply>(ask.answer).results.at(0)));
  }
  auto response = response_of(deleted);
  co_return respond(request, response);
}

}  // namespace tidemark::broker
