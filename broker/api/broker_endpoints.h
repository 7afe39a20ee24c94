// Where clients of one connection reach each broker: the endpoint of the listener that they used; for this
// node, without a configured address, the one they connected to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/cluster_view.h"
#include "broker/server/request.h"
#include "protocol/arena.h"

namespace tidemark::broker {

struct BrokerEndpointView {
  BrokerId id;
  std::string host;
  int32_t port = 0;
  std::optional<std::string> rack;
  bool fenced = false;
};

// Without fenced brokers. By id.
[[nodiscard]] std::vector<BrokerEndpointView> broker_endpoints(const ClusterView& view,
                                                               const ConnectionInfo& connection);

// Host, port and rack into a response's broker; their text goes into the arena.
template <class Broker>
void describe_endpoint(const BrokerEndpointView& endpoint, protocol::Arena& arena, Broker& out) {
  out.host = arena.copy(endpoint.host);
  out.port = endpoint.port;
  if (endpoint.rack) out.rack = arena.copy(*endpoint.rack);
}

}  // namespace tidemark::broker
