// Frames of a Kafka connection: a length, a header, a body. Which header version belongs to which body,
// reading headers, and encoding whole frames. No I/O: bytes come from and go to whoever owns the connection.
#pragma once

#include <optional>
#include <string_view>

#include "protocol/api_key.h"
#include "protocol/message_codec.h"
#include "protocol/messages/request_header.h"
#include "protocol/messages/response_header.h"

namespace tidemark::protocol {

inline constexpr size_t kFrameLengthBytes = 4;

// 2 where the request's version is flexible, else 1. Versions beyond the schema's count as flexible if its
// newest is: a client may ask for an ApiVersions version that is too new, and its header must still be read.
[[nodiscard]] int16_t request_header_version(const ApiInfo& api, int16_t api_version);
// 1 where the response's version is flexible, else 0; for ApiVersions always 0, because the client cannot
// know yet what the broker speaks (KIP-511).
[[nodiscard]] int16_t response_header_version(const ApiInfo& api, int16_t api_version);

// The header at the start of a request frame (the length is not part of it); the decoder is left at the body.
// INVALID_REQUEST for an API key without a schema: the connection cannot go on, as nobody knows what follows.
[[nodiscard]] Result<RequestHeader> decode_request_header(Decoder& in);
[[nodiscard]] Result<ResponseHeader> decode_response_header(Decoder& in, ApiKey api, int16_t api_version);

namespace frame_internal {

[[nodiscard]] Result<void> check_frame(std::string_view name, VersionRange versions, int16_t version,
                                       const Sizer& body, size_t wire_bytes);

template <class Header, class Body>
Result<EncodedMessage> encode_frame(const Header& header, int16_t header_version, const Body& body,
                                    int16_t version) {
  const Sizer header_size = header.measure(header_version);
  TRY(header_size.check(Header::kName, header_version));
  const Sizer body_size = body.measure(version);
  const size_t content = header_size.wire_bytes() + body_size.wire_bytes();
  TRY(check_frame(Body::kName, Body::kVersions, version, body_size, content));
  Encoder out(kFrameLengthBytes + header_size.buffer_bytes() + body_size.buffer_bytes());
  out.put(static_cast<int32_t>(content));
  header.encode(out, header_version);
  body.encode(out, version);
  return EncodedMessage{
      .bytes = out.take_buffer(), .holes = out.take_holes(), .wire_bytes = kFrameLengthBytes + content};
}

}  // namespace frame_internal

// A whole response frame, length included; record bytes stay outside, in its holes.
template <class M>
Result<EncodedMessage> encode_response_frame(int32_t correlation_id, const M& body, int16_t version) {
  static_assert(M::kKind == MessageKind::response);
  ResponseHeader header;
  header.correlation_id = correlation_id;
  return frame_internal::encode_frame(header, response_header_version(*find_api(M::kApiKey), version), body,
                                      version);
}

// A whole request frame.
template <class M>
Result<EncodedMessage> encode_request_frame(int32_t correlation_id, std::optional<std::string_view> client_id,
                                            const M& body, int16_t version) {
  static_assert(M::kKind == MessageKind::request);
  RequestHeader header;
  header.request_api_key = static_cast<int16_t>(M::kApiKey);
  header.request_api_version = version;
  header.correlation_id = correlation_id;
  header.client_id = client_id;
  return frame_internal::encode_frame(header, request_header_version(*find_api(M::kApiKey), version), body,
                                      version);
}

}  // namespace tidemark::protocol
