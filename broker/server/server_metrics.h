// What the server counts. One for the node, made before the shards run; each shard counts in its own cells.
#pragma once

#include <array>
#include <map>

#include "broker/observe/metrics.h"
#include "broker/quota/quota_kind.h"
#include "protocol/api_key.h"

namespace tidemark::broker {

struct ServerMetrics {
  explicit ServerMetrics(Metrics& metrics);

  struct Api {
    Counter* requests;
    Histogram* seconds;  // from the frame's last byte to the answer's first
  };
  // REQUIRES: the schemas know the API.
  [[nodiscard]] const Api& of(protocol::ApiKey key) const { return apis.at(static_cast<size_t>(key)); }

  Counter& opened;
  Counter& closed;
  Counter& refused;  // over a connection limit
  Counter& broken;   // closed for what the client sent
  Counter& idle;     // closed for idleness
  Counter& stalled;  // dropped half-way through a large frame, for its memory
  Counter& overdue;  // requests that waited too long to be started
  Counter& bytes_in;
  Counter& bytes_out;
  std::vector<Api> apis;  // by key
  // By QuotaKind: answers that told a client to pause (of connections: those turned away), and for how long.
  std::array<Counter*, kQuotaKinds> throttled;
  std::array<Histogram*, kQuotaKinds> throttle_seconds;
};

}  // namespace tidemark::broker
