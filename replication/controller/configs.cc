#include "replication/controller/configs.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <utility>

#include "config/alter.h"
#include "config/settings.h"
#include "protocol/invariant.h"

#include "replication/controller/topic_name.h"

namespace tidemark::replication {

namespace {

Unexpected invalid_request(std::string why) { return fail(ErrorCode::INVALID_REQUEST, std::move(why)); }

Result<void> check_broker_name(const std::string& name, BrokerId receiver) {
  if (name.empty()) return {};  // the default of all brokers
  int32_t id = 0;
  const char* last = name.data() + name.size();
  const auto [end, error] = std::from_chars(name.data(), last, id);
  if (error != std::errc() || end != last)
    return invalid_request("Node id must be an integer, but it is: " + name);
  if (BrokerId(id) != receiver)
    return invalid_request(fmt::format("Unexpected broker id, expected {}, but received {}", receiver, name));
  return {};
}

// Which table of settings the resource's are in, if the resource may be changed at all.
Result<config::Scope> scope_of(const ResourceAlteration& resource, BrokerId receiver) {
  const std::string& name = resource.resource_name;
  switch (static_cast<ConfigResourceType>(resource.resource_type)) {
    case ConfigResourceType::topic:
      if (name.empty()) return invalid_request("Default topic resources are not allowed.");
      TRY(validate_topic_name(name));
      return config::Scope::topic;
    case ConfigResourceType::broker: TRY(check_broker_name(name, receiver)); return config::Scope::broker;
    // Their settings come with what they set.
    case ConfigResourceType::broker_logger:
    case ConfigResourceType::client_metrics:
    case ConfigResourceType::group: break;
  }
  return invalid_request(fmt::format("Unknown resource type {}", resource.resource_type));
}

// What is to be written: a key's new value, or none where it is unset.
using ConfigWrites = std::vector<std::pair<std::string, std::optional<std::string>>>;

Result<ConfigWrites> alter(const MetadataImage& image, BrokerId receiver,
                           const ResourceAlteration& resource) {
  TRY_ASSIGN(const config::Scope scope, scope_of(resource, receiver));
  const ConfigMap& current =
      image.config(static_cast<ConfigResourceType>(resource.resource_type), resource.resource_name);
  std::vector<config::Alteration> changes;
  for (const ConfigChange& change : resource.changes)
    changes.push_back({change.key, change.operation, change.value});
  TRY_ASSIGN(const config::Properties altered, config::alter_configs(scope, current, changes));
  if (scope == config::Scope::topic && image.topic(resource.resource_name) == nullptr) {
    return fail(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                fmt::format("The topic '{}' does not exist.", resource.resource_name));
  }
  ConfigWrites writes;
  for (const ConfigChange& change : resource.changes) {
    const auto before = current.find(change.key);
    const auto after = altered.find(change.key);
    const bool unchanged = before != current.end() ? after != altered.end() && after->second == before->second
                                                   : after == altered.end();
    // A broker reloads what a setting names (a key file, say) even if the name stays: KAFKA-14136.
    if (unchanged && scope == config::Scope::topic) continue;
    writes.emplace_back(change.key, after != altered.end() ? std::optional(after->second) : std::nullopt);
  }
  return writes;
}

}  // namespace

config::BrokerLayers broker_layers(const MetadataImage& image, BrokerId broker,
                                   const config::Properties& static_broker) {
  config::BrokerLayers layers;
  layers.dynamic_broker = &image.config(ConfigResourceType::broker, std::to_string(broker.value));
  layers.dynamic_default = &image.config(ConfigResourceType::broker, "");
  layers.static_broker = &static_broker;
  return layers;
}

bool writes_are_cached(const MetadataImage& image, std::string_view topic,
                       const config::BrokerLayers& layers) {
  const config::Setting* setting = config::find_setting(config::Scope::topic, "write.caching");
  INVARIANT(setting != nullptr, "no setting write.caching");
  return config::topic_value(*setting, image.config(ConfigResourceType::topic, topic), layers) == "true";
}

Decision<std::vector<AlteredResource>> alter_configs(const MetadataImage& image, BrokerId receiver,
                                                     std::span<const ResourceAlteration> resources,
                                                     bool validate_only) {
  std::map<std::pair<int8_t, std::string_view>, int> times;
  for (const ResourceAlteration& resource : resources)
    ++times[{resource.resource_type, resource.resource_name}];
  Decision<std::vector<AlteredResource>> decision;
  for (const ResourceAlteration& resource : resources) {
    AlteredResource& answer = decision.response.emplace_back();
    answer.resource_type = resource.resource_type;
    answer.resource_name = resource.resource_name;
    if (times[{resource.resource_type, resource.resource_name}] > 1) {
      answer.error = {ErrorCode::INVALID_REQUEST, "Each resource must appear at most once."};
      continue;
    }
    const auto writes = alter(image, receiver, resource);
    if (!writes) {
      answer.error = writes.error();
      continue;
    }
    if (validate_only) continue;
    for (const auto& [key, value] : *writes) {
      protocol::ConfigRecord record;
      record.resource_type = resource.resource_type;
      record.resource_name = resource.resource_name;
      record.name = key;
      record.value.reset();
      if (value) record.value = *value;
      decision.records.add(record, 0);
    }
  }
  return decision;
}

}  // namespace tidemark::replication
