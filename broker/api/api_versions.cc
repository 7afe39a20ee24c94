// ApiVersions (key 18), v0-4 (KIP-511, KIP-584): what is served, straight from the one table. An unknown
// version is answered in version 0 with UNSUPPORTED_VERSION and the same table, so that the client can ask
// again.
#include <algorithm>

#include "broker/api/handlers.h"
#include "protocol/messages/api_versions_request.h"
#include "protocol/messages/api_versions_response.h"
#include "replication/controller/features.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

// KIP-511: letters and digits, with dots and dashes inside.
bool is_software_name(std::string_view text) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || !alphanumeric(text.front()) || !alphanumeric(text.back())) return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return alphanumeric(c) || c == '-' || c == '.'; });
}

}  // namespace

Task<Result<Response>> handle_api_versions(ApiServices& services, RequestContext& request) {
  protocol::ApiVersionsResponse response;
  if (request.unsupported_api_versions) {
    response.error_code = static_cast<int16_t>(ErrorCode::UNSUPPORTED_VERSION);
  } else {
    auto decoded = decode_body<protocol::ApiVersionsRequest>(request);
    if (!decoded) co_return fail(decoded.error());
    if (request.header.request_api_version >= 3) {
      if (!is_software_name(decoded->client_software_name) ||
          !is_software_name(decoded->client_software_version)) {
        response.error_code = static_cast<int16_t>(ErrorCode::INVALID_REQUEST);
        co_return respond(request, response);
      }
      request.connection.client_software_name = decoded->client_software_name;
      request.connection.client_software_version = decoded->client_software_version;
    }
  }
  for (const protocol::ServedApi& api : protocol::served_apis()) {
    auto& out = response.api_keys.emplace_back();
    out.api_key = static_cast<int16_t>(api.key);
    out.min_version = api.min;
    out.max_version = api.max;
  }
  const auto view = services.home.view();
  for (const auto& feature : replication::kSupportedFeatures) {
    if (!feature.public_to_clients) continue;
    auto& supported = response.supported_features.emplace_back();
    supported.name = feature.name;
    supported.min_version = feature.min;
    supported.max_version = feature.max;
    const auto level = view->image->features.find(feature.name);
    if (level == view->image->features.end()) continue;
    auto& finalized = response.finalized_features.emplace_back();
    finalized.name = feature.name;
    finalized.min_version_level = finalized.max_version_level = level->second;
  }
  response.finalized_features_epoch = view->image->last_applied.value;
  co_return respond(request, response);
}

}  // namespace tidemark::broker
