// `listeners`, `advertised.listeners` and `listener.security.protocol.map` read together. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/node_config.h"

namespace tidemark::config {

struct ListenerTexts {
  std::string_view listeners;
  std::string_view advertised;        // empty: none
  std::string_view protocol_map;      // empty: Kafka's default, in which each protocol is a listener's name
  std::string_view controller_names;  // comma separated
};

struct ParsedListeners {
  std::vector<Listener> listeners;      // for clients
  std::vector<std::string> not_opened;  // names of the controllers' listeners
};

// INVALID_CONFIG names the setting that is wrong. A protocol other than PLAINTEXT is refused.
Result<ParsedListeners> parse_listeners(const ListenerTexts& texts);

// Whether the address is reached from this machine only.
bool is_loopback(std::string_view host);

}  // namespace tidemark::config
