// AlterConfigs (key 33), v0-2: replaces everything that is set for a topic, a broker, the brokers' default, a
// group or a client metrics subscription; what is not named is unset. Older than IncrementalAlterConfigs, and
// the only such call of some clients.
#include "broker/api/altered_configs.h"
#include "broker/api/handlers.h"
#include "protocol/messages/alter_configs_request.h"
#include "protocol/messages/alter_configs_response.h"

namespace tidemark::broker {

using runtime::Task;

Task<Result<Response>> handle_alter_configs(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::AlterConfigsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  std::vector<replication::ResourceAlteration> resources;
  for (const auto& wanted : decoded->resources) {
    auto& resource = resources.emplace_back();
    resource.resource_type = wanted.resource_type;
    resource.resource_name = wanted.resource_name;
    resource.replaces = true;
    for (const auto& config : wanted.configs) {
      auto& change = resource.changes.emplace_back();
      change.key = config.name;
      if (config.value) change.value.emplace(*config.value);
    }
  }
  auto answering = answer_alterations<protocol::AlterConfigsResponse>(services, request, std::move(resources),
                                                                      decoded->validate_only);
  auto answer = co_await answering;
  co_return answer;
}

}  // namespace tidemark::broker
