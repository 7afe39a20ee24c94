// ListConfigResources (key 74), v0-1 (KIP-1142): the names of what has settings. v0, once
// ListClientMetricsResources, knows client metrics subscriptions alone. Groups and subscriptions are those
// that have settings. Broker loggers have none here, and so none is listed. One that is asked for a type that
// nobody knows says UNSUPPORTED_VERSION, as Kafka does.
#include <algorithm>
#include <set>

#include "broker/api/handlers.h"
#include "protocol/messages/list_config_resources_request.h"
#include "protocol/messages/list_config_resources_response.h"

namespace tidemark::broker {

using protocol::ListConfigResourcesResponse;
using replication::ConfigResourceType;
using runtime::Task;

namespace {

constexpr ConfigResourceType kTypes[] = {ConfigResourceType::topic, ConfigResourceType::broker,
                                         ConfigResourceType::broker_logger,
                                         ConfigResourceType::client_metrics, ConfigResourceType::group};

}  // namespace

Task<Result<Response>> handle_list_config_resources(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::ListConfigResourcesRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  ListConfigResourcesResponse response;
  std::set<ConfigResourceType> wanted;
  for (const int8_t number : decoded->resource_types) {
    const auto type = static_cast<ConfigResourceType>(number);
    if (std::ranges::find(kTypes, type) == std::end(kTypes)) {
      response.error_code = static_cast<int16_t>(ErrorCode::UNSUPPORTED_VERSION);
      co_return respond(request, response);
    }
    wanted.insert(type);
  }
  if (request.header.request_api_version == 0) {
    wanted = {ConfigResourceType::client_metrics};
  } else if (wanted.empty()) {
    wanted = {std::begin(kTypes), std::end(kTypes)};
  }
  const auto view = services.home.view();
  const replication::MetadataImage& image = *view->image;
  protocol::Arena arena;
  const auto add = [&](ConfigResourceType type, std::string_view name) {
    auto& out = response.config_resources.emplace_back();
    out.resource_name = name;
    out.resource_type = static_cast<int8_t>(type);
  };
  if (wanted.contains(ConfigResourceType::broker)) {
    for (const auto& [id, broker] : image.brokers)
      add(ConfigResourceType::broker, arena.copy(std::to_string(id.value)));
  }
  if (wanted.contains(ConfigResourceType::topic)) {
    for (const auto& [name, topic] : image.topics) add(ConfigResourceType::topic, name);
  }
  for (const ConfigResourceType type : {ConfigResourceType::client_metrics, ConfigResourceType::group}) {
    if (!wanted.contains(type)) continue;
    for (auto at = image.configs.lower_bound(replication::ConfigResource{type, ""});
         at != image.configs.end() && at->first.type == type; ++at)
      add(type, at->first.name);
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
