// FindCoordinator (key 10), v0-6. Advertised from 0 (librdkafka drops lz4 in silence otherwise); until groups
// and transactions exist there is no coordinator to find, and every key is answered so.
#include "broker/api/handlers.h"
#include "protocol/messages/find_coordinator_request.h"
#include "protocol/messages/find_coordinator_response.h"

namespace tidemark::broker {

using runtime::Task;

Task<Result<Response>> handle_find_coordinator(ApiServices&, RequestContext& request) {
  auto decoded = decode_body<protocol::FindCoordinatorRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  protocol::FindCoordinatorResponse response;
  const auto error = static_cast<int16_t>(ErrorCode::COORDINATOR_NOT_AVAILABLE);
  constexpr std::string_view kMessage = "Consumer groups and transactions are not served by this release.";
  if (request.header.request_api_version < 4) {
    response.error_code = error;
    if (request.header.request_api_version >= 1) response.error_message = kMessage;
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
    coordinator.error_message = kMessage;
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
