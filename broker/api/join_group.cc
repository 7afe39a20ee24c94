// JoinGroup (key 11), v0-9: a member takes part in the next generation of its group, and waits for it. v0 has
// one timeout for both purposes; from v4 on a new member is given its id first (KIP-394); v5 has static
// members (KIP-345), v7 the protocol's type, and null where no protocol is chosen (KIP-559), v8 a reason
// (KIP-800); from v9 on a leader can be told not to assign (KIP-814).
#include "broker/api/ask_coordinator.h"
#include "broker/api/group_messages.h"
#include "broker/api/handlers.h"

namespace tidemark::broker {

using runtime::Task;

coordinator::JoinRequest question_of(const protocol::JoinGroupRequest& request, const JoiningClient& client,
                                     int16_t version) {
  coordinator::JoinRequest question;
  question.group = request.group_id;
  question.client_id = client.id;
  question.client_host = "/";  // as Kafka's tools show addresses
  question.client_host += client.address;
  question.member = request.member_id;
  question.instance = request.group_instance_id;
  question.session_timeout_ms = request.session_timeout_ms;
  question.rebalance_timeout_ms = request.rebalance_timeout_ms;
  question.protocol_type = request.protocol_type;
  question.protocols.reserve(request.protocols.size());
  for (const auto& protocol : request.protocols) {
    question.protocols.push_back(
        {std::string(protocol.name), {protocol.metadata.begin(), protocol.metadata.end()}});
  }
  question.reason = request.reason;
  question.member_id_required = version >= 4;
  question.can_skip_assignment = version >= 9;
  return question;
}

protocol::JoinGroupResponse response_of(const coordinator::JoinReply& reply, int16_t version) {
  protocol::JoinGroupResponse response;
  response.error_code = static_cast<int16_t>(reply.error);
  response.generation_id = reply.generation;
  response.protocol_type = reply.protocol_type;
  response.protocol_name = reply.protocol;
  if (reply.protocol.value_or("").empty()) response.protocol_name = std::nullopt;
  if (!response.protocol_name && version < 7) response.protocol_name = "";
  response.leader = reply.leader;
  response.skip_assignment = reply.skip_assignment;
  response.member_id = reply.member;
  response.members.reserve(reply.members.size());
  for (const auto& member : reply.members) {
    auto& out = response.members.emplace_back();
    out.member_id = member.member;
    out.group_instance_id = member.instance;
    out.metadata = member.metadata;
  }
  return response;
}

Task<Result<Response>> handle_join_group(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::JoinGroupRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const int16_t version = request.header.request_api_version;
  const JoiningClient client{request.header.client_id.value_or(""), request.connection.remote.host};
  auto asking = ask_coordinator(services, request, std::string(decoded->group_id),
                                question_of(*decoded, client, version));
  const coordinator::ReplyBody reply = co_await asking;
  auto response = response_of(std::get<coordinator::JoinReply>(reply), version);
  co_return respond(request, response);
}

}  // namespace tidemark::broker
