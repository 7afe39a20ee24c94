// /metrics, /healthz and /readyz. Readiness is what the node says of itself: until it is ready, the reason
// and how far it has come. Both live on the HTTP server's loop.
#pragma once

#include <string>

#include "broker/observe/http_server.h"
#include "broker/observe/metrics.h"

namespace tidemark::broker {

class Readiness {
 public:
  // "recovering logs: 120 of 1000 partitions"; empty: ready.
  void set_waiting_for(std::string what) { waiting_for_ = std::move(what); }
  void set_ready() { waiting_for_.clear(); }
  [[nodiscard]] const std::string& waiting_for() const { return waiting_for_; }

 private:
  std::string waiting_for_ = "starting";
};

// Adds the three routes. `metrics` and `readiness` outlive the server.
void add_health_routes(HttpServer& server, const Metrics& metrics, const Readiness& readiness);

}  // namespace tidemark::broker
