// IncrementalAlterConfigs (key 44), v0-1 (KIP-339): SET, DELETE, APPEND and SUBTRACT for topics and brokers.
// In force on every shard when it is answered.
#include "broker/api/handlers.h"
#include "protocol/messages/incremental_alter_configs_request.h"
#include "protocol/messages/incremental_alter_configs_response.h"

namespace tidemark::broker {

using runtime::Task;

Task<Result<Response>> handle_incremental_alter_configs(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::IncrementalAlterConfigsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  std::vector<replication::ResourceAlteration> resources;
  for (const auto& wanted : decoded->resources) {
    auto& resource = resources.emplace_back();
    resource.resource_type = wanted.resource_type;
    resource.resource_name = wanted.resource_name;
    for (const auto& config : wanted.configs) {
      auto& change = resource.changes.emplace_back();
      change.key = config.name;
      change.operation = config.config_operation;
      if (config.value) change.value.emplace(*config.value);
    }
  }
  const BrokerId node = services.metadata.node();
  MetadataService::Decide<std::vector<replication::AlteredResource>> decision =
      [resources, node, validate = decoded->validate_only](const replication::Controller& controller) {
        return controller.alter_configs(node, resources, validate);
      };
  auto deciding = services.metadata.decide(services.home.loop(), std::move(decision));
  auto altered = co_await deciding;

  protocol::Arena arena;
  protocol::IncrementalAlterConfigsResponse response;
  for (size_t i = 0; i < (altered ? altered->size() : resources.size()); ++i) {
    auto& out = response.responses.emplace_back();
    const replication::ApiError error =
        altered ? (*altered)[i].error : replication::ApiError(altered.error());
    out.resource_type = altered ? (*altered)[i].resource_type : resources[i].resource_type;
    out.resource_name = arena.copy(altered ? (*altered)[i].resource_name : resources[i].resource_name);
    out.error_code = static_cast<int16_t>(error.code);
    out.error_message = std::nullopt;
    if (error.message) out.error_message = arena.copy(*error.message);
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
