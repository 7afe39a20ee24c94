// UpdateFeatures (key 57), v0-2 (KIP-584, KIP-1022): feature levels, all or none. Each feature that this
// release knows has one level; every other one is refused, in Kafka's words.
#include "broker/api/handlers.h"
#include "protocol/messages/update_features_request.h"
#include "protocol/messages/update_features_response.h"
#include "replication/controller/features.h"

namespace tidemark::broker {

using replication::UpgradeType;
using runtime::Task;

Task<Result<Response>> handle_update_features(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::UpdateFeaturesRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  const int16_t version = request.header.request_api_version;
  std::vector<replication::FeatureUpdate> updates;
  for (const auto& wanted : decoded->feature_updates) {
    auto& update = updates.emplace_back();
    update.feature = wanted.feature;
    update.level = wanted.max_version_level;
    update.type = version > 0 ? wanted.upgrade_type
                              : static_cast<int8_t>(wanted.allow_downgrade ? UpgradeType::safe_downgrade
                                                                           : UpgradeType::upgrade);
  }
  const auto updated = replication::update_features(services.metadata.node(), updates);
  protocol::Arena arena;
  protocol::UpdateFeaturesResponse response;
  response.error_message = std::nullopt;
  if (!updated) {
    response.error_code = static_cast<int16_t>(updated.error().code());
    response.error_message =
        arena.copy("The update failed for all features since the following feature had an error: " +
                   updated.error().message());
  } else if (version <= 1) {
    for (const auto& update : updates) {
      auto& result = response.results.emplace_back();
      result.feature = update.feature;
      result.error_message = error_name(ErrorCode::NONE);
    }
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
