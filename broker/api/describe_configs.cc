// DescribeConfigs (key 32), v1-4: topics, brokers (an empty broker name: the cluster's dynamic defaults),
// groups and client metrics subscriptions, whether or not there are any of that name; with sources, synonyms
// (KIP-226) and documentation (KIP-569). A few bytes ask for a hundred KiB of a broker's settings: a resource
// that is named again in the same words is answered once, what the answer takes is charged to memory for
// answers, and what finds no room there has an error in its place.
#include <fmt/format.h>

#include <charconv>
#include <map>
#include <set>
#include <tuple>

#include "broker/api/config_description.h"
#include "broker/api/handlers.h"
#include "broker/api/paid_answer.h"
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

Described describe_resource(const ClusterView& view, const config::NodeConfig& node, ConfigResourceType type,
                            config::Scope scope, std::string_view name) {
  Described result;
  const auto layers = broker_layers(view, node);
  for (const config::Setting* setting : config::settings_of(scope))
    result.push_back(config::describe_resource_config(*setting, view.image->config(type, name), layers));
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
    case ConfigResourceType::group:
      if (name.empty()) return fail(ErrorCode::INVALID_REQUEST, "Group name must not be empty");
      return describe_resource(view, node, ConfigResourceType::group, config::Scope::group, name);
    case ConfigResourceType::client_metrics:
      if (name.empty())
        return fail(ErrorCode::INVALID_REQUEST, "Client metrics subscription name must not be empty");
      return describe_resource(view, node, ConfigResourceType::client_metrics, config::Scope::client_metrics,
                               name);
    case ConfigResourceType::broker_logger: break;
  }
  return fail(ErrorCode::INVALID_REQUEST,
              fmt::format("Resources of type {} have no settings in this release", type));
}

constexpr std::string_view kTooManySettings =
    "There is no memory for so much of an answer: ask for fewer resources or keys at once";

using Row = protocol::describe_configs_response_types::DescribeConfigsResult;
using Resource = DescribeConfigsRequest::DescribeConfigsResource;

// Type, name and keys.
using Words = std::tuple<int8_t, std::string_view, std::optional<std::vector<std::string_view>>>;

// Of the row and of its encoded form.
uint64_t bytes_of(const Row& row) {
  uint64_t bytes = sizeof(row) + 2 * row.resource_name.size();
  for (const auto& config : row.configs) {
    bytes += 2 * sizeof(config) + config.name.size() + 2 * config.value.value_or("").size() +
             config.documentation.value_or("").size();
    for (const auto& synonym : config.synonyms)
      bytes += 2 * sizeof(synonym) + synonym.name.size() + 2 * synonym.value.value_or("").size();
  }
  return bytes;
}

std::optional<std::string_view> copied(const std::optional<std::string>& text, protocol::Arena& arena) {
  if (!text) return std::nullopt;
  return arena.copy(*text);
}

void write(const Described& described, const Resource& wanted, const DescribeConfigsRequest& request,
           Row& row, protocol::Arena& arena) {
  const bool all = !wanted.configuration_keys || wanted.configuration_keys->empty();
  // There are few settings, and any number of keys.
  std::map<std::string_view, bool> is_wanted;
  for (const config::DescribedConfig& d : described) is_wanted[d.name] = all;
  if (!all) {
    for (const std::string_view key : *wanted.configuration_keys) {
      if (const auto found = is_wanted.find(key); found != is_wanted.end()) found->second = true;
    }
  }
  for (const config::DescribedConfig& d : described) {
    if (!is_wanted[d.name]) continue;
    auto& config = row.configs.emplace_back();
    config.name = d.name;
    config.value = copied(d.value, arena);
    config.read_only = d.read_only;
    config.config_source = static_cast<int8_t>(d.source);
    config.is_sensitive = d.is_sensitive;
    config.config_type = static_cast<int8_t>(d.type);
    config.documentation = std::nullopt;
    if (request.include_documentation) config.documentation = d.documentation;
    if (!request.include_synonyms) continue;
    for (const config::DescribedSynonym& s : d.synonyms) {
      auto& synonym = config.synonyms.emplace_back();
      synonym.name = s.name;
      synonym.value = copied(s.value, arena);
      synonym.source = static_cast<int8_t>(s.source);
    }
  }
}

}  // namespace

Task<Result<Response>> handle_describe_configs(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<DescribeConfigsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const auto view = services.home.view();
  protocol::Arena arena;
  DescribeConfigsResponse response;
  auto paid = std::make_shared<PaidAnswer>(services.answer_memory);
  bool is_full = false;
  std::set<Words> answered;
  for (const Resource& wanted : decoded->resources) {
    if (!answered.insert({wanted.resource_type, wanted.resource_name, wanted.configuration_keys}).second)
      continue;
    Row& row = response.results.emplace_back();
    row.resource_type = wanted.resource_type;
    row.resource_name = wanted.resource_name;
    if (!is_full) {
      const auto described =
          describe(*view, services.metadata.node_config(), wanted.resource_type, wanted.resource_name);
      if (described) {
        write(*described, wanted, *decoded, row, arena);
      } else {
        row.error_code = static_cast<int16_t>(described.error().code());
        row.error_message = arena.copy(described.error().message());
      }
      is_full = !paid->pay(bytes_of(row));
      auto breathing = runtime::let_others_run(services.home.loop());
      co_await breathing;
    }
    if (is_full) {
      row.configs.clear();
      row.error_code = static_cast<int16_t>(ErrorCode::POLICY_VIOLATION);
      row.error_message = kTooManySettings;
    }
  }
  auto answer = respond(request, response);
  if (answer) answer->keep_alive = std::move(paid);
  co_return answer;
}

}  // namespace tidemark::broker
