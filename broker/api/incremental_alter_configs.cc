// IncrementalAlterConfigs (key 44), v0-1 (KIP-339): SET, DELETE, APPEND and SUBTRACT of single settings.
#include "broker/api/altered_configs.h"
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
  auto answering = answer_alterations<protocol::IncrementalAlterConfigsResponse>(
      services, request, std::move(resources), decoded->validate_only);
  auto answer = co_await answering;
  co_return answer;
}

}  // namespace tidemark::broker
