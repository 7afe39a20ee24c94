// The limits of connections and requests, as settings give them. A value; a ShardServer holds its own copy
// and takes a new one when a setting changes.
#pragma once

#include <cstdint>

#include "protocol/runtime/time.h"

namespace tidemark::broker {

struct ServerOptions {
  size_t max_frame_bytes = 104'857'600;                   // socket.request.max.bytes
  size_t max_in_flight = 64;                              // of one connection; then reading from it stops
  size_t max_queued = 500;                                // queued.max.requests, of a shard: see RequestQueue
  runtime::Duration max_idle = std::chrono::minutes(10);  // connections.max.idle.ms; 0: no limit
  // A request that has waited longer for its turn is not started: its client has given up.
  runtime::Duration max_queue_time = std::chrono::seconds(30);
  uint32_t max_connections = UINT32_MAX;
  uint32_t max_connections_per_address = UINT32_MAX;
};

}  // namespace tidemark::broker
