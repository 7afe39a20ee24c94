// Reading HTTP/1.1 requests: GET and HEAD without a body, which is all that metrics and health need. Pure and
// bounded; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace tidemark::broker {

inline constexpr size_t kMaxHttpRequestBytes = 8 << 10;

struct HttpRequest {
  std::string path;   // "/metrics"; not decoded: our paths need no escapes
  std::string query;  // behind the '?', if any
  bool head = false;  // HEAD: the answer has no body
  bool keep_alive = false;
};

struct HttpIncomplete {};
// What cannot be served: the status to say so; then the connection ends.
struct HttpRefusal {
  int status = 400;
};
struct HttpParsed {
  HttpRequest request;
  size_t consumed = 0;  // bytes of the input
};

// The request at the start of `bytes`.
[[nodiscard]] std::variant<HttpIncomplete, HttpRefusal, HttpParsed> parse_http_request(
    std::string_view bytes);

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// Status line and headers, up to the body.
[[nodiscard]] std::string http_response_head(const HttpResponse& response, bool keep_alive);

}  // namespace tidemark::broker
