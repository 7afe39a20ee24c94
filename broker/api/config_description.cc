#include "broker/api/config_description.h"

#include "config/settings.h"
#include "replication/controller/configs.h"

namespace tidemark::broker {

config::BrokerLayers broker_layers(const ClusterView& view, const config::NodeConfig& node) {
  return replication::broker_layers(*view.image, view.node, node.properties);
}

std::vector<config::DescribedConfig> describe_topic(const ClusterView& view, const config::NodeConfig& node,
                                                    const config::Properties& overrides) {
  std::vector<config::DescribedConfig> result;
  const auto layers = broker_layers(view, node);
  for (const config::Setting* setting : config::settings_of(config::Scope::topic)) {
    if (config::is_described(*setting))
      result.push_back(config::describe_topic_config(*setting, overrides, layers));
  }
  return result;
}

}  // namespace tidemark::broker
