// From layers of settings as text to typed values: a topic's override wins over the broker's dynamic setting,
// that over the cluster's dynamic default, that over the node's file, that over the default. Pure functions.
// A stored value that this release cannot read (another release wrote it) is passed over, never a crash.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/node_config.h"
#include "config/setting.h"
#include "config/topic_config.h"

namespace tidemark::config {

// Where a value came from: DescribeConfigs' ConfigSource.
enum class Source : int8_t {
  dynamic_topic = 1,
  dynamic_broker = 2,
  dynamic_default_broker = 3,
  static_broker = 4,
  default_config = 5,
  client_metrics = 7,
  group = 8,
};

// The broker's layers, strongest first; a null one is empty. They are borrowed for the call.
struct BrokerLayers {
  const Properties* dynamic_broker = nullptr;
  const Properties* dynamic_default = nullptr;
  const Properties* static_broker = nullptr;
};

TopicConfig resolve_topic_config(const Properties& topic_overrides, const BrokerLayers& layers);
BrokerConfig resolve_broker_config(const BrokerLayers& layers);

// The value of one broker setting by its own name, as text in canonical form; nullopt is null.
std::optional<std::string> broker_value(const Setting& setting, const BrokerLayers& layers);
// The value of a topic setting, hours and minutes made milliseconds.
std::string topic_value(const Setting& setting, const Properties& topic_overrides,
                        const BrokerLayers& layers);

// The layers' values of `name`, strongest first: f(source, text). Values that cannot be read are left out.
template <class F>
void for_each_layer(const BrokerLayers& layers, F&& f) {
  if (layers.dynamic_broker != nullptr) f(Source::dynamic_broker, *layers.dynamic_broker);
  if (layers.dynamic_default != nullptr) f(Source::dynamic_default_broker, *layers.dynamic_default);
  if (layers.static_broker != nullptr) f(Source::static_broker, *layers.static_broker);
}

}  // namespace tidemark::config
