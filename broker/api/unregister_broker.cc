// UnregisterBroker (key 64), v0 (KIP-500): a broker that is gone for good leaves the metadata. One that runs
// is refused; so on one node there is none to unregister.
#include "broker/api/handlers.h"
#include "protocol/messages/unregister_broker_request.h"
#include "protocol/messages/unregister_broker_response.h"

namespace tidemark::broker {

using replication::ApiError;
using runtime::Task;

Task<Result<Response>> handle_unregister_broker(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::UnregisterBrokerRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  MetadataService::Decide<ApiError> decision =
      [broker = BrokerId(decoded->broker_id)](const replication::Controller& controller) {
        return controller.unregister_broker(broker);
      };
  auto deciding = services.metadata.decide(services.home.loop(), std::move(decision));
  const auto decided = co_await deciding;
  const ApiError error = decided ? *decided : ApiError(decided.error());
  protocol::UnregisterBrokerResponse response;
  response.error_code = static_cast<int16_t>(error.code);
  if (error.message) response.error_message = *error.message;
  co_return respond(request, response);
}

}  // namespace tidemark::broker
