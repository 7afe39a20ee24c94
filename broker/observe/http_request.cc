#include "broker/observe/http_request.h"

#include <fmt/format.h>

#include <algorithm>

namespace tidemark::broker {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// Up to the line's end, which is taken off `rest`. REQUIRES: there is one.
std::string_view take_line(std::string_view& rest) {
  const size_t end = rest.find("\r\n");
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  return line;
}

std::string_view reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

}  // namespace

std::variant<HttpIncomplete, HttpRefusal, HttpParsed> parse_http_request(std::string_view bytes) {
  const size_t end = bytes.substr(0, kMaxHttpRequestBytes).find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (bytes.size() >= kMaxHttpRequestBytes) return HttpRefusal{431};
    return HttpIncomplete{};
  }
  std::string_view rest = bytes.substr(0, end + 2);
  const std::string_view line = take_line(rest);
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return HttpRefusal{400};
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return HttpRefusal{505};
  if (target.empty() || target.front() != '/' || target.find(' ') != std::string_view::npos) {
    return HttpRefusal{400};
  }
  HttpParsed parsed{{}, end + 4};
  parsed.request.head = method == "HEAD";
  parsed.request.keep_alive = version == "HTTP/1.1";
  const size_t question = target.find('?');
  parsed.request.path = target.substr(0, question);
  if (question != std::string_view::npos) parsed.request.query = target.substr(question + 1);
  while (!rest.empty()) {
    const std::string_view header = take_line(rest);
    const size_t colon = header.find(':');
    if (colon == std::string_view::npos || colon == 0) return HttpRefusal{400};
    const std::string_view name = header.substr(0, colon);
    const std::string_view value = trimmed(header.substr(colon + 1));
    if (same_word(name, "connection")) {
      if (same_word(value, "close")) parsed.request.keep_alive = false;
      if (same_word(value, "keep-alive")) parsed.request.keep_alive = true;
    }
    if (same_word(name, "transfer-encoding")) return HttpRefusal{413};
    if (same_word(name, "content-length") && value != "0") return HttpRefusal{413};
  }
  if (method != "GET" && method != "HEAD") return HttpRefusal{405};
  return parsed;
}

std::string http_response_head(const HttpResponse& response, bool keep_alive) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {}\r\nCache-Control: "
      "no-store\r\n\r\n",
      response.status, reason(response.status), response.content_type, response.body.size(),
      keep_alive ? "keep-alive" : "close");
}

}  // namespace tidemark::broker
