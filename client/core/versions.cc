#include "client/core/versions.h"

#include "protocol/api_key.h"

namespace tidemark::client {

using protocol::ApiVersionsResponse;
using protocol::Decoder;

Result<Negotiation> Versions::take_answer(std::span<const std::byte> body, int16_t asked) {
  // Every version begins with the error code.
  Decoder peek(body);
  const auto code = ErrorCode(peek.read_int16());
  const bool refused = code == ErrorCode::UNSUPPORTED_VERSION && asked > 0;
  Decoder in(body);
  auto decoded = ApiVersionsResponse::decode(in, refused ? int16_t{0} : asked);
  if (!decoded) return fail(std::move(decoded).error());
  if (refused) {
    // Brokers before 2.4 say nothing more than the code; 0 is what all of them speak.
    int16_t again = 0;
    for (const auto& api : decoded->api_keys) {
      if (api.api_key == static_cast<int16_t>(protocol::ApiKey::ApiVersions))
        again = std::clamp<int16_t>(api.max_version, 0, static_cast<int16_t>(asked - 1));
    }
    return Negotiation{again};
  }
  if (code != ErrorCode::NONE) return fail(code, "the broker does not answer ApiVersions");
  take_ranges(*decoded);
  return Negotiation{};
}

void Versions::take_ranges(const ApiVersionsResponse& answer) {
  ranges_.clear();
  for (const auto& api : answer.api_keys) ranges_[api.api_key] = {api.min_version, api.max_version};
}

Result<int16_t> Versions::pick(protocol::ApiKey api, protocol::VersionRange ours) const {
  const protocol::ApiInfo& info = *protocol::find_api(api);
  const protocol::VersionRange stable = info.stable_versions();
  const auto found = ranges_.find(static_cast<int16_t>(api));
  if (found == ranges_.end())
    return fail(ErrorCode::UNSUPPORTED_VERSION, fmt::format("the broker does not serve {}", info.name));
  const int16_t low = std::max({found->second.min, ours.min, stable.min});
  const int16_t high = std::min({found->second.max, ours.max, stable.max});
  if (low > high) {
    return fail(ErrorCode::UNSUPPORTED_VERSION,
                fmt::format("{}: the broker serves versions {} to {}, we speak {} to {}", info.name,
                            found->second.min, found->second.max, std::max(ours.min, stable.min),
                            std::min(ours.max, stable.max)));
  }
  return high;
}

}  // namespace tidemark::client
