// DescribeConfigs (key 32), v1-4: topics and brokers (an empty broker name: the cluster's dynamic defaults),
// with sources, synonyms (KIP-226) and documentation (KIP-569).
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "broker/api/config_description.h"
#include "broker/api/handlers.h"
#include "config/settings.h"
#include "protocol/messages/describe_configs_request.h"
#include "protocol/messages/describe_configs_response.h"
#include "replication/controller/topic_name.h"

namespace tidemark::broker {

using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using replication::ConfigResourceType;
using runtime::Task;

namespace {

using Described = std::vector<config::DescribedConfig>;

Result<Described> describe_broker(const ClusterView& view, const config::NodeConfig& node,
                                  std::string_view name) {
  Described result;
  const auto layers = broker_layers(view, node);
  if (name.empty()) {
    for (const config::Setting* setting : config::settings_of(config::Scope::broker)) {
      if (auto described = config::describe_broker_default(*setting, *layers.dynamic_default))
        result.push_back(*described);
    }
    return result;
  }
  int32_t id = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc() || end != name.data() + name.size()) {
    return fail(ErrorCode::INVALID_REQUEST, fmt::format("Broker id must be an integer, but it is: {}", name));
  }
  if (BrokerId(id) != view.node) {
    return fail(
        ErrorCode::INVALID_REQUEST,
        fmt::format("Unexpected broker id, expected {} or empty string, but received {}", view.node, name));
  }
  for (const config::Setting* setting : config::settings_of(config::Scope::broker)) {
    if (config::is_described(*setting)) result.push_back(config::describe_broker_config(*setting, layers));
  }
  return result;
}

Result<Described> describe(const ClusterView& view, const config::NodeConfig& node, int8_t type,
                           std::string_view name) {
  switch (static_cast<ConfigResourceType>(type)) {
    case ConfigResourceType::topic:
      TRY(replication::validate_topic_name(name));
      if (view.image->topic(name) == nullptr) return fail(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "");
      return describe_topic(view, node, view.image->config(ConfigResourceType::topic, name));
    case ConfigResourceType::broker: return describe_broker(view, node, name);
    case ConfigResourceType::broker_logger:
    case ConfigResourceType::client_metrics:
    case ConfigResourceType::group: break;
  }
  return fail(ErrorCode::INVALID_REQUEST,
              fmt::format("Resources of type {} have no settings in this release", type));
}

}  // namespace

Task<Result<Response>> handle_describe_configs(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<DescribeConfigsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const auto view = services.home.view();
  protocol::Arena arena;
  DescribeConfigsResponse response;
  for (const auto& wanted : decoded->resources) {
    auto& out = response.results.emplace_back();
    out.resource_type = wanted.resource_type;
    out.resource_name = wanted.resource_name;
    auto described =
        describe(*view, services.metadata.node_config(), wanted.resource_type, wanted.resource_name);
    if (!described) {
      out.error_code = static_cast<int16_t>(described.error().code());
      if (!described.error().message().empty()) out.error_message = arena.copy(described.error().message());
      continue;
    }
    for (const config::DescribedConfig& d : *described) {
      const auto& keys = wanted.configuration_keys;
      if (keys && !keys->empty() && std::find(keys->begin(), keys->end(), d.name) == keys->end()) continue;
      auto& config = out.configs.emplace_back();
      config.name = d.name;
      if (d.value) config.value = arena.copy(*d.value);
      config.read_only = d.read_only;
      config.config_source = static_cast<int8_t>(d.source);
      config.is_sensitive = d.is_sensitive;
      config.config_type = static_cast<int8_t>(d.type);
      if (decoded->include_documentation) config.documentation = d.documentation;
      if (!decoded->include_synonyms) continue;
      for (const config::DescribedSynonym& s : d.synonyms) {
        auto& synonym = config.synonyms.emplace_back();
        synonym.name = s.name;
        if (s.value) synonym.value = arena.copy(*s.value);
        synonym.source = static_cast<int8_t>(s.source);
      }
    }
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
