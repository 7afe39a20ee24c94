// Where clients of one connection reach each broker: the endpoint of the listener that they used; for this
// node, without a configured address, the one they connected to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/cluster_view.h"
#include "broker/server/request.h"

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

}  // namespace tidemark::broker
