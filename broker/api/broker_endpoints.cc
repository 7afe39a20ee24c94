#include "broker/api/broker_endpoints.h"

#include <algorithm>

namespace tidemark::broker {

std::vector<BrokerEndpointView> broker_endpoints(const ClusterView& view, const ConnectionInfo& connection) {
  std::vector<BrokerEndpointView> result;
  for (const auto& [id, broker] : view.image->brokers) {
    if (broker->fenced) continue;
    BrokerEndpointView endpoint{id, connection.local.host, connection.local.port, broker->rack, false};
    const auto advertised = std::find_if(view.advertised.begin(), view.advertised.end(),
                                         [&](const auto& a) { return a.first == connection.listener; });
    if (id == view.node) {
      if (advertised != view.advertised.end()) {
        endpoint.host = advertised->second.host;
        endpoint.port = advertised->second.port;
      }
    } else {
      const auto found = std::find_if(broker->endpoints.begin(), broker->endpoints.end(),
                                      [&](const auto& e) { return e.name == connection.listener; });
      if (found == broker->endpoints.end()) continue;
      endpoint.host = found->host;
      endpoint.port = found->port;
    }
    result.push_back(std::move(endpoint));
  }
  return result;
}

}  // namespace tidemark::broker
