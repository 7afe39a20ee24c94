// PushTelemetry (key 72), v0 (KIP-714): a client's metrics, which become the node's (ClientSeries). Opened
// and read in the compression lane unless they are few.
#include "broker/api/handlers.h"
#include "broker/api/telemetry_client.h"
#include "broker/telemetry/client_telemetry.h"
#include "protocol/batch/codec.h"
#include "protocol/messages/push_telemetry_request.h"
#include "protocol/messages/push_telemetry_response.h"

namespace tidemark::broker {

using protocol::CompressionType;
using runtime::Task;

namespace {

// What a push may open to. Metrics are text that repeats, so that a megabyte of them is a lot of it.
constexpr size_t kMaxOpenedBytes = 16 << 20;
constexpr size_t kFewBytes = 16 << 10;

Result<void> open_and_record(const ClientTelemetry& telemetry, const TelemetryClient& client,
                             CompressionType codec, std::span<const std::byte> metrics, size_t most_bytes) {
  if (codec == CompressionType::none) return telemetry.record(client, metrics);
  protocol::Decompressor decompressor;
  auto opened = protocol::decompress(codec, metrics, decompressor, most_bytes);
  if (!opened) {
    return fail(opened.error().code() == ErrorCode::MESSAGE_TOO_LARGE ? ErrorCode::TELEMETRY_TOO_LARGE
                                                                      : ErrorCode::INVALID_RECORD,
                opened.error().message());
  }
  return telemetry.record(client, *opened);
}

}  // namespace

Task<Result<Response>> handle_push_telemetry(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::PushTelemetryRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const TelemetryClient client = telemetry_client(request, decoded->client_instance_id);
  const std::span<const std::byte> metrics = decoded->metrics;
  const ClientInstances::Push push{decoded->subscription_id, decoded->terminating, decoded->compression_type,
                                   metrics.size()};
  auto asking = services.telemetry.push(services.home.loop(), client, push);
  ErrorCode error = co_await asking;
  if (error == ErrorCode::NONE && !metrics.empty()) {
    const auto codec = static_cast<CompressionType>(decoded->compression_type);
    Result<void> recorded;
    // What it says of its size may be a lie.
    bool few = protocol::decompressed_bound(codec, metrics) <= kFewBytes;
    if (few) {
      recorded = open_and_record(services.telemetry, client, codec, metrics, kFewBytes);
      few = recorded || recorded.error().code() != ErrorCode::TELEMETRY_TOO_LARGE;
    }
    if (!few) {
      const auto from = static_cast<size_t>(metrics.data() - request.frame.bytes.data());
      auto work = [telemetry = &services.telemetry, client, codec,
                   slice = request.frame.sub(from, metrics.size())] {
        return open_and_record(*telemetry, client, codec, slice.bytes, kMaxOpenedBytes);
      };
      auto recording = runtime::on_lane(services.compression, services.home.loop(), std::move(work));
      recorded = co_await recording;
    }
    if (!recorded) error = recorded.error().code();
  }
  protocol::PushTelemetryResponse response;
  response.error_code = static_cast<int16_t>(error);
  co_return respond(request, response);
}

}  // namespace tidemark::broker
