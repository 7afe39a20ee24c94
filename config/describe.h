// DescribeConfigs' answers: each setting's value, where it came from, and its synonyms in Kafka's order.
// Pure functions over the same layers as the resolver's.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/resolver.h"

namespace tidemark::config {

struct DescribedSynonym {
  std::string_view name;
  std::optional<std::string> value;  // nullopt for a sensitive one
  Source source;
  bool operator==(const DescribedSynonym&) const = default;
};

struct DescribedConfig {
  std::string_view name;
  std::optional<std::string> value;  // nullopt: null, or sensitive
  bool read_only;
  bool is_sensitive;
  Source source;
  // Strongest first. For version 0 of the API, `is default` is source == default_config.
  std::vector<DescribedSynonym> synonyms;
  Type type;
  std::string_view documentation;
  [[nodiscard]] bool is_default() const { return source == Source::default_config; }
};

// Whether DescribeConfigs lists the setting: what Kafka documents, and ours.
bool is_described(const Setting& setting);

// REQUIRES: `setting` is a topic's. The caller picks the rows: all of settings_of(Scope::topic), or the keys
// asked.
DescribedConfig describe_topic_config(const Setting& setting, const Properties& topic_overrides,
                                      const BrokerLayers& layers);
// REQUIRES: `setting` is a broker's.
DescribedConfig describe_broker_config(const Setting& setting, const BrokerLayers& layers);
// The cluster's dynamic default of a broker setting; nullopt if none is set.
std::optional<DescribedConfig> describe_broker_default(const Setting& setting,
                                                       const Properties& dynamic_default);
// A group's, over the broker's default for groups, or a client metrics subscription's.
DescribedConfig describe_resource_config(const Setting& setting, const Properties& overrides,
                                         const BrokerLayers& layers);

}  // namespace tidemark::config
