// How the node divides the open files that the operating system allows it (durability.md, rule 11): its own
// fixed ones first, then half for segments and half for connections, so that neither can take the other's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "config/node_config.h"

namespace tidemark::broker {

struct OpenFiles {
  static constexpr size_t kMostSegments = 4096;  // more are hardly faster
  static constexpr uint64_t kLeast = 32;         // of segments and connections together

  uint64_t limit = 0;
  uint64_t needed = 0;  // below it the node cannot work
  uint64_t wanted = 0;  // below it segments or connections have less than they could use
  size_t segments = 0;
  uint32_t connections = 0;
};

// Connections that are accepted only to be closed with a line in the log; beyond them they wait.
inline constexpr uint32_t kConnectionsToRefuse = 16;

[[nodiscard]] OpenFiles divide_open_files(uint64_t limit, const config::NodeConfig& config, size_t shards);

}  // namespace tidemark::broker
