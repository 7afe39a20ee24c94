// What AlterConfigs and IncrementalAlterConfigs share: the decision, and the answer of each resource. In
// force on every shard when it is answered.
#pragma once

#include "broker/api/services.h"

namespace tidemark::broker {

template <class AnswerMessage>
runtime::Task<Result<Response>> answer_alterations(ApiServices& services, RequestContext& request,
                                                   std::vector<replication::ResourceAlteration> resources,
                                                   bool validate_only) {
  const BrokerId node = services.metadata.node();
  MetadataService::Decide<std::vector<replication::AlteredResource>> decision =
      [resources, node, validate_only](const replication::Controller& controller) {
        return controller.alter_configs(node, resources, validate_only);
      };
  auto deciding = services.metadata.decide(services.home.loop(), std::move(decision));
  auto altered = co_await deciding;

  protocol::Arena arena;
  AnswerMessage response;
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
