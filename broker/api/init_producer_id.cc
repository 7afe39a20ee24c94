// InitProducerId (key 22), v0-5, for idempotent producers: a new id with epoch 0, from a block that the
// metadata log gave to this shard; also for a producer that names the id and epoch it had, as Kafka does
// where there is no transactional id (one of the two alone is refused). Transactional ids need a coordinator,
// which this release has not.
#include "broker/api/handlers.h"
#include "protocol/messages/init_producer_id_request.h"
#include "protocol/messages/init_producer_id_response.h"

namespace tidemark::broker {

using runtime::Task;

Task<Result<Response>> handle_init_producer_id(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::InitProducerIdRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  protocol::InitProducerIdResponse response;
  response.producer_epoch = -1;
  if ((decoded->producer_id == -1) != (decoded->producer_epoch == -1)) {
    response.error_code = static_cast<int16_t>(ErrorCode::INVALID_REQUEST);
    co_return respond(request, response);
  }
  if (decoded->transactional_id) {
    const bool valid = !decoded->transactional_id->empty();
    response.error_code =
        static_cast<int16_t>(valid ? ErrorCode::COORDINATOR_NOT_AVAILABLE : ErrorCode::INVALID_REQUEST);
    co_return respond(request, response);
  }
  // Without a transactional id Kafka gives every caller a new id, whatever it names.
  auto next = services.producer_ids.next();
  auto id = co_await next;
  if (id) {
    response.producer_id = id->value;
    response.producer_epoch = 0;
  } else {
    response.error_code = static_cast<int16_t>(id.error().code());
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
