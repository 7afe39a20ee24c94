// DescribeUserScramCredentials (key 50), v0 (KIP-554). There is no authentication, and so nobody has any: the
// answer says so for each user by name. Served because kafka-configs asks it whenever users' quotas are
// shown.
#include <fmt/format.h>

#include <map>

#include "broker/api/handlers.h"
#include "broker/api/paid_answer.h"
#include "protocol/messages/describe_user_scram_credentials_request.h"
#include "protocol/messages/describe_user_scram_credentials_response.h"

namespace tidemark::broker {

using runtime::Task;

Task<Result<Response>> handle_describe_user_scram_credentials(ApiServices& services,
                                                              RequestContext& request) {
  auto decoded = decode_body<protocol::DescribeUserScramCredentialsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  protocol::Arena arena;
  protocol::DescribeUserScramCredentialsResponse response;
  response.error_message = "";
  std::map<std::string_view, int> times;
  auto paid = std::make_shared<PaidAnswer>(services.answer_memory);
  if (decoded->users && !paid->pay_for_items(decoded->users->size())) {
    response.error_code = static_cast<int16_t>(ErrorCode::POLICY_VIOLATION);
    response.error_message = "There is no memory for so much of an answer: ask for fewer users at once";
    co_return respond(request, response);
  }
  if (decoded->users) {
    for (const auto& user : *decoded->users) ++times[user.name];
  }
  for (const auto& [name, count] : times) {
    auto& out = response.results.emplace_back();
    out.user = name;
    if (count > 1) {
      out.error_code = static_cast<int16_t>(ErrorCode::DUPLICATE_RESOURCE);
      out.error_message = arena.copy(fmt::format(
          "Cannot describe SCRAM credentials for the same user twice in a single request: {}", name));
    } else {
      out.error_code = static_cast<int16_t>(ErrorCode::RESOURCE_NOT_FOUND);
      out.error_message =
          arena.copy(fmt::format("Attempt to describe a user credential that does not exist: {}", name));
    }
  }
  auto answer = respond(request, response);
  if (answer) answer->keep_alive = std::move(paid);
  co_return answer;
}

}  // namespace tidemark::broker
