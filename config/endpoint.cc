#include <charconv>

#include "config/node_config.h"

namespace tidemark::config {

std::string Endpoint::to_string() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  const auto malformed = [&](std::string_view why) {
    return fail(Error::config(fmt::format("'{}' is not an address: {}", text, why)));
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return malformed("it must be HOST:PORT");
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (!host.empty() && host.front() == '[') {
    if (host.back() != ']' || host.size() < 3) return malformed("an IPv6 address stands in brackets");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return malformed("an IPv6 address stands in brackets, as in [::1]:9092");
  }
  if (host.size() > 255) return malformed("the host is longer than 255 characters");
  for (const char c : host) {
    const bool printable = c > ' ' && c < 0x7f;
    if (!printable || c == '/' || c == ',' || c == '@' || c == '[' || c == ']') {
      return malformed("the host holds a character that no host name has");
    }
  }
  Endpoint endpoint{std::string(host), 0};
  const char* end = port_text.data() + port_text.size();
  const auto [parsed_to, error] = std::from_chars(port_text.data(), end, endpoint.port);
  if (port_text.empty() || error != std::errc() || parsed_to != end) {
    return malformed("the port must be a number from 0 to 65535");
  }
  return endpoint;
}

}  // namespace tidemark::config
