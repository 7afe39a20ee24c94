// AlterClientQuotas (key 49), v0-1 (KIP-546). In force on every shard when it is answered.
#include "broker/api/handlers.h"
#include "protocol/messages/alter_client_quotas_request.h"
#include "protocol/messages/alter_client_quotas_response.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

std::vector<replication::QuotaAlteration> alterations_of(const protocol::AlterClientQuotasRequest& request) {
  std::vector<replication::QuotaAlteration> alterations;
  for (const auto& entry : request.entries) {
    auto& alteration = alterations.emplace_back();
    for (const auto& part : entry.entity) {
      // A type that is named again counts as it is named last, as in Kafka.
      auto& name = alteration.entity[std::string(part.entity_type)];
      name.reset();
      if (part.entity_name) name.emplace(*part.entity_name);
    }
    for (const auto& op : entry.ops) {
      auto& change = alteration.ops.emplace_back();
      change.key = op.key;
      if (!op.remove) change.value = op.value;
    }
  }
  return alterations;
}

}  // namespace

Task<Result<Response>> handle_alter_client_quotas(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::AlterClientQuotasRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const auto alterations = alterations_of(*decoded);
  MetadataService::Decide<std::vector<replication::AlteredQuota>> decision =
      [alterations, validate = decoded->validate_only](const replication::Controller& controller) {
        return controller.alter_client_quotas(alterations, validate);
      };
  auto deciding = services.metadata.decide(services.home.loop(), std::move(decision));
  auto altered = co_await deciding;

  protocol::Arena arena;
  protocol::AlterClientQuotasResponse response;
  for (size_t i = 0; i < (altered ? altered->size() : alterations.size()); ++i) {
    auto& out = response.entries.emplace_back();
    const replication::ApiError error =
        altered ? (*altered)[i].error : replication::ApiError(altered.error());
    out.error_code = static_cast<int16_t>(error.code);
    out.error_message = std::nullopt;
    if (error.message) out.error_message = arena.copy(*error.message);
    for (const auto& [type, name] : altered ? (*altered)[i].entity : alterations[i].entity) {
      auto& part = out.entity.emplace_back();
      part.entity_type = arena.copy(type);
      part.entity_name = std::nullopt;
      if (name) part.entity_name = arena.copy(*name);
    }
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
