// What the daemon's main needs before anything runs: who this node is, where it listens, where its data lies,
// and every setting as it was written. Made once by load_node_config() (loader.h) from a file and command
// line overrides, already validated; constant afterwards.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/broker_config.h"
#include "protocol/error.h"
#include "protocol/ids.h"

namespace tidemark::config {

// Setting name -> value as text, ordered so that everything printed from it is stable.
using Properties = std::map<std::string, std::string, std::less<>>;

struct Endpoint {
  std::string host;   // empty: every address of this machine
  uint16_t port = 0;  // 0: any free port
  bool operator==(const Endpoint&) const = default;
  // "host:port", an IPv6 host in brackets.
  [[nodiscard]] std::string to_string() const;
};

// "host:port", "[::1]:port", ":port". INVALID_CONFIG if it is none of these.
Result<Endpoint> parse_endpoint(std::string_view text);

struct Listener {
  std::string name;  // the protocol is PLAINTEXT: others are refused until they work
  Endpoint address;
  std::optional<Endpoint> advertised;  // nullopt: a client is told the address that it connected to
  bool operator==(const Listener&) const = default;
};

struct NodeConfig {
  BrokerId node_id{1};
  std::optional<std::string> rack;
  std::vector<Listener> listeners{{"PLAINTEXT", {"127.0.0.1", 9092}, std::nullopt}};
  Endpoint http{"127.0.0.1", 9644};
  // At least one; the first holds the metadata log. (This release's loader refuses several: the node is not
  // ready for everything that disks and their owners may do to one of them.)
  std::vector<std::string> data_dirs{"./tidemark-data"};

  // Kafka's `static broker` layer: every broker setting that was written down, under its Kafka name (the
  // structural sections of the YAML file too).
  Properties properties;
  // The same with the defaults filled in: what holds until a dynamic change.
  BrokerConfig broker;
  // Of node.id and broker.id, which are one thing, the one that is in `properties` without having been
  // written down; else empty.
  std::string mirrored;
  // One line each, to be logged at start: settings without an effect here.
  std::vector<std::string> warnings;
  // One line each, to be logged when the listeners are served: those that other machines reach.
  std::vector<std::string> exposures;
};

}  // namespace tidemark::config
