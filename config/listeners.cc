#include "config/listeners.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/value.h"

namespace tidemark::config {
namespace {

constexpr size_t kMaxListeners = 64;

struct NamedEndpoint {
  std::string name;
  Endpoint endpoint;
};

// Kafka compares listener names in upper case.
std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

bool is_listener_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

Result<std::vector<NamedEndpoint>> parse_endpoints(std::string_view setting, std::string_view text) {
  std::vector<NamedEndpoint> parsed;
  for (const std::string_view element : list_elements(text)) {
    const auto wrong = [&](std::string_view why) {
      return fail(Error::config(
          fmt::format("Invalid value {} for configuration {}: {}", element.substr(0, 200), setting, why)));
    };
    const size_t separator = element.find("://");
    if (separator == std::string_view::npos) return wrong("it must be NAME://HOST:PORT");
    NamedEndpoint named{upper(element.substr(0, separator)), {}};
    if (!is_listener_name(named.name)) return wrong("a listener's name is letters, digits and _ - .");
    auto endpoint = parse_endpoint(element.substr(separator + 3));
    if (!endpoint) return wrong(endpoint.error().message());
    named.endpoint = std::move(*endpoint);
    for (const NamedEndpoint& other : parsed) {
      if (other.name == named.name) return wrong("each listener needs a name of its own");
      if (setting == "listeners" && named.endpoint.port != 0 && other.endpoint == named.endpoint) {
        return wrong("each listener needs a port of its own");
      }
    }
    if (parsed.size() == kMaxListeners) return wrong("more than 64 listeners");
    parsed.push_back(std::move(named));
  }
  return parsed;
}

Result<std::map<std::string, std::string>> parse_protocol_map(std::string_view text) {
  std::map<std::string, std::string> protocols;
  for (const std::string_view element : list_elements(text)) {
    const size_t colon = element.find(':');
    if (colon == std::string_view::npos || colon == 0) {
      return fail(Error::config(fmt::format(
          "Invalid value {} for configuration listener.security.protocol.map: it must be NAME:PROTOCOL",
          element.substr(0, 200))));
    }
    protocols[upper(trimmed(element.substr(0, colon)))] = upper(trimmed(element.substr(colon + 1)));
  }
  return protocols;
}

// `setting`: the one that gives the listener its protocol.
Result<void> require_plaintext(std::string_view name, std::string_view protocol, std::string_view setting) {
  if (protocol == "PLAINTEXT") return {};
  if (protocol == "SSL" || protocol == "SASL_PLAINTEXT" || protocol == "SASL_SSL") {
    return fail(Error::config(
        fmt::format("Refused configuration {}: the listener {} wants {}, and only PLAINTEXT works in this "
                    "release; pretending otherwise would leave data open",
                    setting, name, protocol)));
  }
  return fail(Error::config(fmt::format(
      "Invalid value {} for configuration listener.security.protocol.map: the protocol of {} must be "
      "one of: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
      protocol.substr(0, 200), name)));
}

// A name's protocol; empty if it has none. Without a map of one's own, controllers speak PLAINTEXT (KIP-631).
std::string protocol_of(const std::string& name, const std::map<std::string, std::string>& map,
                        bool controller) {
  if (const auto found = map.find(name); found != map.end()) return found->second;
  if (!map.empty()) return {};
  if (name == "PLAINTEXT" || name == "SSL" || name == "SASL_PLAINTEXT" || name == "SASL_SSL") return name;
  return controller ? "PLAINTEXT" : "";
}

Result<void> attach_advertised(const std::vector<NamedEndpoint>& advertised,
                               const std::vector<std::string>& controllers,
                               std::vector<Listener>& listeners) {
  for (const NamedEndpoint& named : advertised) {
    if (std::ranges::find(controllers, named.name) != controllers.end()) continue;
    const auto listener = std::ranges::find(listeners, named.name, &Listener::name);
    const auto wrong = [&](std::string_view why) {
      return fail(
          Error::config(fmt::format("Invalid value {}://{} for configuration advertised.listeners: {}",
                                    named.name, named.endpoint.to_string(), why)));
    };
    if (listener == listeners.end()) return wrong("no listener has this name");
    if (named.endpoint.host.empty() || named.endpoint.host == "0.0.0.0" || named.endpoint.host == "::") {
      return wrong("clients cannot connect to an address that stands for all; name a host");
    }
    if (named.endpoint.port == 0) return wrong("clients cannot connect to port 0");
    listener->advertised = named.endpoint;
  }
  return {};
}

}  // namespace

Result<ParsedListeners> parse_listeners(const ListenerTexts& texts) {
  TRY_ASSIGN(const auto endpoints, parse_endpoints("listeners", texts.listeners));
  TRY_ASSIGN(const auto advertised, parse_endpoints("advertised.listeners", texts.advertised));
  TRY_ASSIGN(const auto protocols, parse_protocol_map(texts.protocol_map));
  std::vector<std::string> controllers;
  for (const std::string_view name : list_elements(texts.controller_names))
    controllers.push_back(upper(name));

  ParsedListeners parsed;
  for (const NamedEndpoint& named : endpoints) {
    const bool controller = std::ranges::find(controllers, named.name) != controllers.end();
    const std::string protocol = protocol_of(named.name, protocols, controller);
    if (protocol.empty()) {
      return fail(Error::config(fmt::format(
          "Invalid value {} for configuration listeners: no protocol is defined for this listener; add "
          "{}:PLAINTEXT to listener.security.protocol.map",
          named.name, named.name)));
    }
    const bool mapped = protocols.contains(named.name);
    TRY(require_plaintext(named.name, protocol, mapped ? "listener.security.protocol.map" : "listeners"));
    if (controller) {
      parsed.not_opened.push_back(named.name);
    } else {
      parsed.listeners.push_back({named.name, named.endpoint, std::nullopt});
    }
  }
  if (parsed.listeners.empty()) {
    return fail(Error::config("Invalid value for configuration listeners: there is none for clients"));
  }
  TRY(attach_advertised(advertised, controllers, parsed.listeners));
  return parsed;
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace tidemark::config
