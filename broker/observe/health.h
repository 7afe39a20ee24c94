// /metrics, /healthz and /readyz. Readiness is what the node says of itself: until it is ready, the reason
// and how far it has come. Both live on the HTTP server's loop.
#pragma once

#include <functional>
#include <string>

#include "broker/observe/http_server.h"
#include "broker/observe/metrics.h"
#include "protocol/runtime/lane.h"

namespace tidemark::broker {

class Readiness {
 public:
  // "recovering logs: 120 of 1000 partitions"; empty: ready.
  void set_waiting_for(std::string what) { waiting_for_ = std::move(what); }
  void set_ready() { waiting_for_.clear(); }
  // Asked at each look while ready: what has come up since; empty: nothing.
  void watch(std::function<std::string()> hindrance) { hindrance_ = std::move(hindrance); }
  [[nodiscard]] std::string waiting_for() const {
    return waiting_for_.empty() && hindrance_ ? hindrance_() : waiting_for_;
  }

 private:
  std::string waiting_for_ = "starting";
  std::function<std::string()> hindrance_;
};

// Adds the three routes. What they use outlives the server, and `home` is its loop. Metrics are written in
// the lane: thousands of series take milliseconds, which are no shard's to lose.
void add_health_routes(HttpServer& server, runtime::Scheduler& home, runtime::Lane& lane,
                       const Metrics& metrics, const Readiness& readiness);

}  // namespace tidemark::broker
