#include "protocol/frame.h"

namespace tidemark::protocol {

int16_t request_header_version(const ApiInfo& api, int16_t api_version) {
  return !api.flexible_requests.empty() && api_version >= api.flexible_requests.min ? 2 : 1;
}

int16_t response_header_version(const ApiInfo& api, int16_t api_version) {
  if (api.key == ApiKey::ApiVersions) return 0;
  return !api.flexible_responses.empty() && api_version >= api.flexible_responses.min ? 1 : 0;
}

Result<RequestHeader> decode_request_header(Decoder& in) {
  Decoder peek(in.rest());
  const int16_t key = peek.read_int16();
  const int16_t version = peek.read_int16();
  TRY(peek.finish(RequestHeader::kName));
  const ApiInfo* api = find_api(key);
  if (api == nullptr) {
    return fail(ErrorCode::INVALID_REQUEST, fmt::format("a request with the unknown API key {}", key));
  }
  return RequestHeader::decode(in, request_header_version(*api, version));
}

Result<ResponseHeader> decode_response_header(Decoder& in, ApiKey api, int16_t api_version) {
  const ApiInfo* info = find_api(api);
  REQUIRES(info != nullptr);
  return ResponseHeader::decode(in, response_header_version(*info, api_version));
}

namespace frame_internal {

Result<void> check_frame(std::string_view name, VersionRange versions, int16_t version, const Sizer& body,
                         size_t wire_bytes) {
  TRY(check_version(name, versions, version, body));
  if (wire_bytes <= INT32_MAX) return {};
  return fail(ErrorCode::MESSAGE_TOO_LARGE, fmt::format("a {} of {} bytes", name, wire_bytes));
}

}  // namespace frame_internal
}  // namespace tidemark::protocol
