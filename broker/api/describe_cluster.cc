// DescribeCluster (key 60), v0-2 (KIP-700): the brokers and the controller. v1 asks for one kind of endpoint
// (KIP-919); only brokers are served here.
#include "broker/api/authorized_operations.h"
#include "broker/api/broker_endpoints.h"
#include "broker/api/handlers.h"
#include "protocol/messages/describe_cluster_request.h"
#include "protocol/messages/describe_cluster_response.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

constexpr int8_t kBrokerEndpoints = 1;
constexpr int8_t kControllerEndpoints = 2;

}  // namespace

Task<Result<Response>> handle_describe_cluster(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::DescribeClusterRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const auto view = services.home.view();
  protocol::Arena arena;
  protocol::DescribeClusterResponse response;
  response.cluster_id = view->image->cluster_id;
  response.endpoint_type = decoded->endpoint_type;
  if (decoded->endpoint_type != kBrokerEndpoints) {
    const bool controllers = decoded->endpoint_type == kControllerEndpoints;
    response.error_code = static_cast<int16_t>(controllers ? ErrorCode::MISMATCHED_ENDPOINT_TYPE
                                                           : ErrorCode::UNSUPPORTED_ENDPOINT_TYPE);
    response.error_message =
        controllers ? "The request was sent to an endpoint of the wrong type." : "Unsupported endpoint type.";
    co_return respond(request, response);
  }
  response.controller_id = view->node.value;
  if (decoded->include_cluster_authorized_operations)
    response.cluster_authorized_operations = kClusterOperations;
  for (const BrokerEndpointView& broker : broker_endpoints(*view, request.connection)) {
    auto& out = response.brokers.emplace_back();
    out.broker_id = broker.id.value;
    describe_endpoint(broker, arena, out);
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
