#include "broker/server/server_metrics.h"

#include "broker/server/named_apis.h"

namespace tidemark::broker {

namespace {

// 1 ms to five minutes.
std::vector<double> throttle_bounds() { return {0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300}; }

std::array<Histogram*, kRequestStageNames.size()> stages_of(Metrics& metrics, size_t row) {
  std::array<Histogram*, kRequestStageNames.size()> stages{};
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    stages[stage] = &metrics.histogram(
        "tidemark_request_stage_seconds", "How the time from request to answer divides into stages",
        latency_bounds(),
        {{"api", std::string(api_row_name(row))}, {"stage", std::string(kRequestStageNames[stage])}});
  }
  return stages;
}

}  // namespace

ServerMetrics::ServerMetrics(Metrics& metrics)
    : opened(metrics.counter("tidemark_connections_opened_total", "Connections accepted")),
      closed(metrics.counter("tidemark_connections_closed_total", "Connections ended, whoever ended them")),
      refused(metrics.counter("tidemark_connections_refused_total", "Connections over a connection limit")),
      broken(metrics.counter("tidemark_connections_broken_total",
                             "Connections closed because of what the client sent")),
      idle(metrics.counter("tidemark_connections_idle_total", "Connections closed for idleness")),
      stalled(metrics.counter("tidemark_connections_stalled_total",
                              "Connections dropped half-way through a large request, for its memory")),
      overdue(metrics.counter("tidemark_requests_overdue_total",
                              "Requests dropped because they waited too long for their turn")),
      bytes_in(metrics.counter("tidemark_request_bytes_total", "Bytes of requests")),
      bytes_out(metrics.counter("tidemark_response_bytes_total", "Bytes of responses")) {
  for (size_t kind = 0; kind < kQuotaKinds; ++kind) {
    const MetricLabels labels{{"quota", std::string(kQuotaKindNames[kind])}};
    throttled[kind] = &metrics.counter("tidemark_throttled_total",
                                       "Requests whose client was throttled, and connections turned away for "
                                       "their address's rate",
                                       labels);
    throttle_seconds[kind] =
        &metrics.histogram("tidemark_throttle_seconds", "For how long they were", throttle_bounds(), labels);
  }
  for (const protocol::ApiInfo& api : protocol::all_apis()) {
    const auto key = static_cast<size_t>(api.key);
    if (apis.size() <= key) apis.resize(key + 1);
    const MetricLabels labels{{"api", std::string(api.name)}};
    apis[key] = {&metrics.counter("tidemark_requests_total", "Requests answered", labels),
                 &metrics.histogram("tidemark_request_seconds", "Time from request to answer",
                                    latency_bounds(), labels),
                 stages_of(metrics, api_row(api.key))};
  }
}

}  // namespace tidemark::broker
