#include "config/describe.h"

#include <algorithm>

#include "config/settings.h"
#include "config/value.h"
#include "protocol/invariant.h"

namespace tidemark::config {
namespace {

std::optional<std::string> shown(const Setting& setting, std::string_view text) {
  if (setting.is_sensitive()) return std::nullopt;
  return canonical_value(setting, text);
}

// Kafka's order: layer by layer, and in each the names of the family, strongest first. What stands before the
// first mention of `name` itself is left out, which drops a family whose strongest name nobody set.
std::vector<DescribedSynonym> synonyms_of(std::string_view name, const BrokerLayers& layers) {
  std::vector<DescribedSynonym> synonyms;
  const auto family = broker_synonyms(name);
  const auto add = [&](Source source, std::string_view synonym, std::optional<std::string_view> text) {
    const Setting* setting = find_setting(Scope::broker, synonym);
    if (setting == nullptr || !text || !check_value(*setting, *text)) return;
    synonyms.push_back({setting->name, shown(*setting, *text), source});
  };
  for_each_layer(layers, [&](Source source, const Properties& properties) {
    for (const std::string_view synonym : family) {
      const auto found = properties.find(synonym);
      if (found != properties.end()) add(source, synonym, found->second);
    }
  });
  for (const std::string_view synonym : family) {
    const Setting* setting = find_setting(Scope::broker, synonym);
    if (setting != nullptr) add(Source::default_config, synonym, setting->default_value);
  }
  const auto first = std::ranges::find(synonyms, name, &DescribedSynonym::name);
  synonyms.erase(synonyms.begin(), first);
  return synonyms;
}

DescribedConfig described(const Setting& setting, std::optional<std::string> value,
                          std::vector<DescribedSynonym> synonyms) {
  const Source source = synonyms.empty() ? Source::default_config : synonyms.front().source;
  if (setting.is_sensitive()) value = std::nullopt;
  return {setting.name, std::move(value),    false,        setting.is_sensitive(),
          source,       std::move(synonyms), setting.type, setting.doc};
}

}  // namespace

bool is_described(const Setting& setting) { return setting.kafka || setting.status == Status::honoured; }

DescribedConfig describe_topic_config(const Setting& setting, const Properties& topic_overrides,
                                      const BrokerLayers& layers) {
  REQUIRES(setting.scope == Scope::topic);
  std::vector<DescribedSynonym> synonyms;
  const auto own = topic_overrides.find(setting.name);
  if (own != topic_overrides.end() && check_value(setting, own->second)) {
    synonyms.push_back({setting.name, shown(setting, own->second), Source::dynamic_topic});
  }
  if (!setting.broker_synonym.empty()) {
    for (auto& synonym : synonyms_of(setting.broker_synonym, layers)) synonyms.push_back(std::move(synonym));
  }
  // The removed ones, which topics may still carry, have no default and so no value to resolve.
  std::optional<std::string> value;
  if (setting.default_value || !synonyms.empty()) {
    value = synonyms.empty() || setting.default_value ? topic_value(setting, topic_overrides, layers)
                                                      : synonyms.front().value;
  }
  return described(setting, std::move(value), std::move(synonyms));
}

DescribedConfig describe_broker_config(const Setting& setting, const BrokerLayers& layers) {
  REQUIRES(setting.scope == Scope::broker);
  DescribedConfig config =
      described(setting, broker_value(setting, layers), synonyms_of(setting.name, layers));
  // Listeners are fixed while the node runs, though Kafka changes them.
  config.read_only = setting.dynamic != Dynamic::kClusterWide;
  return config;
}

std::optional<DescribedConfig> describe_broker_default(const Setting& setting,
                                                       const Properties& dynamic_default) {
  const auto found = dynamic_default.find(setting.name);
  if (found == dynamic_default.end() || !check_value(setting, found->second)) return std::nullopt;
  std::vector<DescribedSynonym> synonyms{
      {setting.name, shown(setting, found->second), Source::dynamic_default_broker}};
  DescribedConfig config = described(setting, synonyms.front().value, synonyms);
  config.read_only = setting.dynamic != Dynamic::kClusterWide;
  return config;
}

DescribedConfig describe_resource_config(const Setting& setting, const Properties& overrides,
                                         const BrokerLayers& layers) {
  const bool group = setting.scope == Scope::group;
  std::vector<DescribedSynonym> synonyms;
  const auto found = overrides.find(setting.name);
  if (found != overrides.end() && check_value(setting, found->second)) {
    synonyms.push_back({setting.name, canonical_value(setting, found->second),
                        group ? Source::group : Source::client_metrics});
  }
  const std::string fallback(setting.default_value.value_or(std::string_view()));
  if (group && setting.broker_synonym.empty()) {
    synonyms.push_back({setting.name, fallback, Source::default_config});
  } else if (group) {
    for (auto& synonym : synonyms_of(setting.broker_synonym, layers)) synonyms.push_back(std::move(synonym));
  }
  auto value = synonyms.empty() ? std::optional(fallback) : synonyms.front().value;
  return described(setting, std::move(value), std::move(synonyms));
}

}  // namespace tidemark::config
