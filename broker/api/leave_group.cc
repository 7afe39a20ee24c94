// LeaveGroup (key 13), v0-5: members leave. Up to v2 one, whose error stands at the top; from v3 on any
// number, named by id or by instance, each with its error (KIP-345). v5 has reasons (KIP-800).
#include "broker/api/ask_coordinator.h"
#include "broker/api/group_messages.h"
#include "broker/api/handlers.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

constexpr int16_t kFirstVersionWithMembers = 3;

}  // namespace

coordinator::LeaveRequest question_of(const protocol::LeaveGroupRequest& request, int16_t version) {
  coordinator::LeaveRequest question;
  question.group = request.group_id;
  if (version < kFirstVersionWithMembers) {
    question.members.emplace_back().member = request.member_id;
    return question;
  }
  question.members.reserve(request.members.size());
  for (const auto& member : request.members) {
    auto& leaving = question.members.emplace_back();
    leaving.member = member.member_id;
    leaving.instance = member.group_instance_id;
    leaving.reason = member.reason;
  }
  return question;
}

protocol::LeaveGroupResponse response_of(const coordinator::LeaveReply& reply, int16_t version) {
  protocol::LeaveGroupResponse response;
  response.error_code = static_cast<int16_t>(reply.error);
  if (version < kFirstVersionWithMembers) {
    if (reply.error == ErrorCode::NONE && !reply.members.empty())
      response.error_code = static_cast<int16_t>(reply.members.front().error);
    return response;
  }
  response.members.reserve(reply.members.size());
  for (const auto& member : reply.members) {
    auto& out = response.members.emplace_back();
    out.member_id = member.member;
    out.group_instance_id = member.instance;
    out.error_code = static_cast<int16_t>(member.error);
  }
  return response;
}

Task<Result<Response>> handle_leave_group(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::LeaveGroupRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const int16_t version = request.header.request_api_version;
  auto asking =
      ask_coordinator(services, request, std::string(decoded->group_id), question_of(*decoded, version));
  const coordinator::ReplyBody reply = co_await asking;
  auto response = response_of(std::get<coordinator::LeaveReply>(reply), version);
  co_return respond(request, response);
}

}  // namespace tidemark::broker
