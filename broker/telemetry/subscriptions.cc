#include "broker/telemetry/subscriptions.h"

#include <algorithm>
#include <set>

#include "config/resolver.h"
#include "config/settings.h"
#include "config/value.h"
#include "protocol/invariant.h"

namespace tidemark::broker {

using config::ClientAttribute;
using replication::ConfigResourceType;

namespace {

std::string value_of(const config::Properties& properties, std::string_view name) {
  const config::Setting* setting = config::find_setting(config::Scope::client_metrics, name);
  INVARIANT(setting != nullptr, "no client metrics setting {}", name);
  const auto found = properties.find(name);
  if (found != properties.end() && config::validate_client_metrics_config(name, found->second))
    return config::canonical_value(*setting, found->second);
  return std::string(setting->default_value.value_or(std::string_view()));
}

std::string attribute_of(const TelemetryClient& client, ClientAttribute attribute) {
  switch (attribute) {
    case ClientAttribute::instance_id: return client.instance.to_string();
    case ClientAttribute::client_id: return client.client_id;
    case ClientAttribute::software_name: return client.software_name;
    case ClientAttribute::software_version: return client.software_version;
    case ClientAttribute::source_address: return client.source_address;
    case ClientAttribute::source_port: return std::to_string(client.source_port);
  }
  return "";
}

}  // namespace

Subscriptions Subscriptions::of(const replication::MetadataImage& image) {
  constexpr auto kType = ConfigResourceType::client_metrics;
  Subscriptions all;
  for (auto at = image.configs.lower_bound(replication::ConfigResource{kType, ""});
       at != image.configs.end() && at->first.type == kType; ++at) {
    // Who it is for must be known: for want of that it is for nobody.
    const auto stored = at->second->find("match");
    auto match = config::parse_client_match(stored != at->second->end() ? std::string_view(stored->second)
                                                                        : std::string_view());
    if (!match) continue;
    Subscription& one = all.subscriptions_.emplace_back();
    one.interval_ms = std::stoi(value_of(*at->second, "interval.ms"));
    const std::string metrics = value_of(*at->second, "metrics");
    for (const std::string_view metric : config::list_elements(metrics)) one.metrics.emplace_back(metric);
    one.match = std::move(*match);
  }
  return all;
}

Subscriptions::Wanted Subscriptions::wanted_by(const TelemetryClient& client) const {
  Wanted wanted;
  std::set<std::string> metrics;
  for (const Subscription& one : subscriptions_) {
    const bool is_for_it = std::ranges::all_of(one.match, [&](const config::ClientMatch& match) {
      return match.pattern.matches(attribute_of(client, match.attribute));
    });
    if (!is_for_it) continue;
    wanted.interval_ms = std::min(wanted.interval_ms, one.interval_ms);
    metrics.insert(one.metrics.begin(), one.metrics.end());
  }
  if (metrics.contains(std::string(kAllMetrics))) metrics = {std::string(kAllMetrics)};
  wanted.metrics.assign(metrics.begin(), metrics.end());
  return wanted;
}

}  // namespace tidemark::broker
