// GetTelemetrySubscriptions (key 71), v0 (KIP-714): which metrics a client shall push, and how often. Its
// instance id is its own choice, or drawn here.
#include "broker/api/handlers.h"
#include "broker/api/paid_answer.h"
#include "broker/api/telemetry_client.h"
#include "broker/telemetry/client_telemetry.h"
#include "protocol/batch/header.h"
#include "protocol/messages/get_telemetry_subscriptions_request.h"
#include "protocol/messages/get_telemetry_subscriptions_response.h"

namespace tidemark::broker {

using protocol::CompressionType;
using runtime::Task;

Task<Result<Response>> handle_get_telemetry_subscriptions(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::GetTelemetrySubscriptionsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const Uuid instance =
      decoded->client_instance_id.is_zero() ? services.random.uuid() : decoded->client_instance_id;
  auto asking = services.telemetry.subscribe(services.home.loop(), telemetry_client(request, instance));
  auto subscribed = co_await asking;
  // A small question, and as many names as the subscriptions have.
  auto paid = std::make_shared<PaidAnswer>(services.answer_memory);
  uint64_t bytes = 0;
  for (const std::string& metric : subscribed.wanted.metrics) bytes += 2 * (metric.size() + sizeof(metric));
  if (!paid->pay(bytes)) subscribed.error = ErrorCode::THROTTLING_QUOTA_EXCEEDED;
  protocol::GetTelemetrySubscriptionsResponse response;
  response.error_code = static_cast<int16_t>(subscribed.error);
  if (subscribed.error == ErrorCode::NONE) {
    response.client_instance_id = subscribed.instance;
    response.subscription_id = subscribed.subscription_id;
    for (const auto codec :
         {CompressionType::zstd, CompressionType::lz4, CompressionType::gzip, CompressionType::snappy})
      response.accepted_compression_types.push_back(static_cast<int8_t>(codec));
    response.push_interval_ms = subscribed.wanted.interval_ms;
    response.telemetry_max_bytes = services.telemetry.max_push_bytes();
    response.delta_temporality = true;
    for (const std::string& metric : subscribed.wanted.metrics) response.requested_metrics.push_back(metric);
  }
  auto answer = respond(request, response);
  if (answer) answer->keep_alive = std::move(paid);
  co_return answer;
}

}  // namespace tidemark::broker
