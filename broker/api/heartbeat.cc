// Heartbeat (key 12), v0-4: a member lives, and hears whether its group rebalances. v3 has static members
// (KIP-345).
#include "broker/api/ask_coordinator.h"
#include "broker/api/group_messages.h"
#include "broker/api/handlers.h"

namespace tidemark::broker {

using runtime::Task;

coordinator::HeartbeatRequest question_of(const protocol::HeartbeatRequest& request) {
  coordinator::HeartbeatRequest question;
  question.group = request.group_id;
  question.generation = request.generation_id;
  question.member = request.member_id;
  question.instance = request.group_instance_id;
  return question;
}

protocol::HeartbeatResponse response_of(const coordinator::HeartbeatReply& reply) {
  protocol::HeartbeatResponse response;
  response.error_code = static_cast<int16_t>(reply.error);
  return response;
}

Task<Result<Response>> handle_heartbeat(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::HeartbeatRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  auto asking = ask_coordinator(services, request, std::string(decoded->group_id), question_of(*decoded));
  const coordinator::ReplyBody reply = co_await asking;
  auto response = response_of(std::get<coordinator::HeartbeatReply>(reply));
  co_return respond(request, response);
}

}  // namespace tidemark::broker
