// The settings of topics and brokers as DescribeConfigs and CreateTopics tell them: from the image's layers
// and the node's file. Views live as long as `view` and `node`, but for the values, which are owned.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "broker/cluster_view.h"
#include "config/describe.h"

namespace tidemark::broker {

// The layers under a topic's own settings, as this node has them.
[[nodiscard]] config::BrokerLayers broker_layers(const ClusterView& view, const config::NodeConfig& node);
// Every topic setting, in the table's order.
[[nodiscard]] std::vector<config::DescribedConfig> describe_topic(const ClusterView& view,
                                                                  const config::NodeConfig& node,
                                                                  const config::Properties& overrides);

}  // namespace tidemark::broker
