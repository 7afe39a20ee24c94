// Messages as frames. Throws what cannot be encoded or decoded.
#pragma once

#include <span>
#include <stdexcept>
#include <utility>

#include "protocol/frame.h"
#include "tests/bench/load/wire.h"

namespace tidemark::bench {

template <class Request>
Frame encode(const Request& request, int16_t version) {
  auto encoded = protocol::encode_request_frame(0, "bench-load", request, version);
  if (!encoded) throw std::runtime_error(encoded.error().to_string());
  return encoded->flatten();
}

template <class Response>
Response decode(std::span<const std::byte> frame, int16_t version) {
  protocol::Decoder in(frame);
  auto header = protocol::decode_response_header(in, Response::kApiKey, version);
  if (!header) throw std::runtime_error(header.error().to_string());
  auto response = Response::decode(in, version);
  if (!response) throw std::runtime_error(response.error().to_string());
  return std::move(*response);
}

}  // namespace tidemark::bench
