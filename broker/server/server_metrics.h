// What the server counts. One for the node, made before the shards run; each shard counts in its own cells.
#pragma once

#include <array>
#include <map>

#include "broker/observe/metrics.h"
#include "broker/quota/quota_kind.h"
#include "protocol/api_key.h"
#include "protocol/runtime/time.h"

namespace tidemark::broker {

// Where a request's time goes, as Kafka divides it; each request counts in each, except in the last without
// an answer.
enum class RequestStage : uint8_t {
  queue,     // until it is started
  local,     // until it waits, or is answered
  remote,    // waiting: for the disk, for data, for a coordinator
  throttle,  // the pause that its answer told its client
  send       // until the answer is with the connection's writer, behind those before it
};
inline constexpr std::array<std::string_view, 5> kRequestStageNames = {"queue", "local", "remote", "throttle",
                                                                       "send"};

struct ServerMetrics {
  explicit ServerMetrics(Metrics& metrics);

  struct Api {
    Counter* requests;
    Histogram* seconds;  // from the frame's last byte to the answer's first
    std::array<Histogram*, kRequestStageNames.size()>
        stages;  // by RequestStage; most APIs have theirs in common
    void record(size_t shard, RequestStage stage, runtime::Duration time) const {
      stages[static_cast<size_t>(stage)]->record(shard, std::chrono::duration<double>(time).count());
    }
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
