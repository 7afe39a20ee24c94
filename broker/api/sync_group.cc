// SyncGroup (key 14), v0-5: the leader brings what every member is assigned, the others wait for theirs. v3
// has static members (KIP-345); v5 says which protocol the member believes in, and must (KIP-559).
#include "broker/api/ask_coordinator.h"
#include "broker/api/group_messages.h"
#include "broker/api/handlers.h"

namespace tidemark::broker {

using runtime::Task;

coordinator::SyncRequest question_of(const protocol::SyncGroupRequest& request) {
  coordinator::SyncRequest question;
  question.group = request.group_id;
  question.generation = request.generation_id;
  question.member = request.member_id;
  question.instance = request.group_instance_id;
  question.protocol_type = request.protocol_type;
  question.protocol = request.protocol_name;
  question.assignments.reserve(request.assignments.size());
  for (const auto& assigned : request.assignments) {
    question.assignments.push_back(
        {std::string(assigned.member_id), {assigned.assignment.begin(), assigned.assignment.end()}});
  }
  return question;
}

bool names_protocol(const protocol::SyncGroupRequest& request, int16_t version) {
  return version < 5 || (request.protocol_type && request.protocol_name);
}

protocol::SyncGroupResponse response_of(const coordinator::SyncReply& reply) {
  protocol::SyncGroupResponse response;
  response.error_code = static_cast<int16_t>(reply.error);
  response.protocol_type = reply.protocol_type;
  response.protocol_name = reply.protocol;
  response.assignment = reply.assignment;
  return response;
}

Task<Result<Response>> handle_sync_group(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::SyncGroupRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  if (!names_protocol(*decoded, request.header.request_api_version)) {
    coordinator::SyncReply refused;
    refused.error = ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
    auto response = response_of(refused);
    co_return respond(request, response);
  }
  auto asking = ask_coordinator(services, request, std::string(decoded->group_id), question_of(*decoded));
  const coordinator::ReplyBody reply = co_await asking;
  auto response = response_of(std::get<coordinator::SyncReply>(reply));
  co_return respond(request, response);
}

}  // namespace tidemark::broker
