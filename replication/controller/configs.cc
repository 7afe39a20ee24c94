#include "replication/controller/configs.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <set>
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
    case ConfigResourceType::group:
      if (name.empty()) return invalid_request("Default group resources are not allowed.");
      return config::Scope::group;
    case ConfigResourceType::client_metrics:
      if (name.empty()) return invalid_request("Subscription name can't be empty");
      return config::Scope::client_metrics;
    case ConfigResourceType::broker_logger: break;
  }
  return invalid_request(fmt::format("Unknown resource type {}", resource.resource_type));
}

size_t subscriptions_in(const MetadataImage& image) {
  constexpr auto kType = ConfigResourceType::client_metrics;
  size_t count = 0;
  for (auto at = image.configs.lower_bound(ConfigResource{kType, ""});
       at != image.configs.end() && at->first.type == kType; ++at)
    ++count;
  return count;
}

// What is to be written: a key's new value, or none where it is unset. Keys of the request or the image.
using ConfigWrites = std::vector<std::pair<std::string_view, std::optional<std::string>>>;

Result<ConfigWrites> alter(const MetadataImage& image, BrokerId receiver,
                           const ResourceAlteration& resource) {
  TRY_ASSIGN(const config::Scope scope, scope_of(resource, receiver));
  const ConfigMap& current =
      image.config(static_cast<ConfigResourceType>(resource.resource_type), resource.resource_name);
  std::vector<config::Alteration> changes;
  for (const ConfigChange& change : resource.changes)
    changes.push_back({change.key, change.operation, change.value});
  if (resource.replaces) {
    std::set<std::string_view> named;
    for (const config::Alteration& change : changes) named.insert(change.name);
    for (const auto& [key, value] : current) {
      if (!named.contains(key))
        changes.push_back({key, static_cast<int8_t>(ConfigOperation::unset), std::nullopt});
    }
  }
  TRY_ASSIGN(const config::Properties altered, config::alter_configs(scope, current, changes));
  if (scope == config::Scope::topic && image.topic(resource.resource_name) == nullptr) {
    return fail(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                fmt::format("The topic '{}' does not exist.", resource.resource_name));
  }
  ConfigWrites writes;
  for (const config::Alteration& change : changes) {
    const auto before = current.find(change.name);
    const auto after = altered.find(change.name);
    const bool unchanged = before != current.end() ? after != altered.end() && after->second == before->second
                                                   : after == altered.end();
    // A broker reloads what a setting names (a key file, say) even if the name stays: KAFKA-14136.
    if (unchanged && scope == config::Scope::topic) continue;
    writes.emplace_back(change.name, after != altered.end() ? std::optional(after->second) : std::nullopt);
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
  size_t subscriptions = subscriptions_in(image);
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
    const auto type = static_cast<ConfigResourceType>(resource.resource_type);
    if (type == ConfigResourceType::client_metrics && !writes->empty() &&
        image.config(type, resource.resource_name).empty() &&
        ++subscriptions > kMaxClientMetricsSubscriptions) {
      answer.error = {
          ErrorCode::POLICY_VIOLATION,
          fmt::format("There are {} client metrics subscriptions already.", kMaxClientMetricsSubscriptions)};
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
