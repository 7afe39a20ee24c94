// FindCoordinator (key 10), v0-6. Advertised from 0 (librdkafka drops lz4 in silence otherwise); until groups
// and transactions exist there is no coordinator to find, and every key of a known type is answered so.
#include "broker/api/handlers.h"
#include "protocol/messages/find_coordinator_request.h"
#include "protocol/messages/find_coordinator_response.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

constexpr int8_t kGroup = 0;
constexpr int8_t kTransaction = 1;
constexpr int8_t kShare = 2;

bool is_known(int8_t key_type, int16_t version) {
  return key_type == kGroup || key_type == kTransaction || (key_type == kShare && version >= 6);
}

}  // namespace

Task<Result<Response>> handle_find_coordinator(ApiServices&, RequestContext& request) {
  auto decoded = decode_body<protocol::FindCoordinatorRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  protocol::FindCoordinatorResponse response;
  const bool known = is_known(decoded->key_type, request.header.request_api_version);
  const auto error =
      static_cast<int16_t>(known ? ErrorCode::COORDINATOR_NOT_AVAILABLE : ErrorCode::INVALID_REQUEST);
  const std::string_view message = known ? "Consumer groups and transactions are not served by this release."
                                         : "There is no coordinator for keys of this type.";
  if (request.header.request_api_version < 4) {
    response.error_code = error;
    if (request.header.request_api_version >= 1) response.error_message = message;
    response.node_id = -1;
    response.port = -1;
    co_return respond(request, response);
  }
  for (const std::string_view key : decoded->coordinator_keys) {
    auto& coordinator = response.coordinators.emplace_back();
    coordinator.key = key;
    coordinator.node_id = -1;
    coordinator.port = -1;
    coordinator.error_code = error;
    coordinator.error_message = message;
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
