#include "broker/observe/health.h"

namespace tidemark::broker {
namespace {

// Free functions: a capturing coroutine lambda would outlive its captures.
runtime::Task<HttpResponse> metrics_page(runtime::Scheduler& home, runtime::Lane& lane,
                                         const Metrics& metrics) {
  auto work = [&metrics] { return metrics.serialize(); };
  auto writing = runtime::on_lane(lane, home, std::move(work));
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = co_await writing;
  co_return response;
}

runtime::Task<HttpResponse> health_page() {
  HttpResponse response;
  response.body = "ok\n";
  co_return response;
}

runtime::Task<HttpResponse> ready_page(const Readiness& readiness) {
  HttpResponse response;
  const std::string waiting_for = readiness.waiting_for();
  if (waiting_for.empty()) {
    response.body = "ready\n";
  } else {
    response.status = 503;
    response.body = waiting_for + "\n";
  }
  co_return response;
}

}  // namespace

void add_health_routes(HttpServer& server, runtime::Scheduler& home, runtime::Lane& lane,
                       const Metrics& metrics, const Readiness& readiness) {
  server.route("/metrics",
               [&home, &lane, &metrics](const HttpRequest&) { return metrics_page(home, lane, metrics); });
  server.route("/healthz", [](const HttpRequest&) { return health_page(); });
  server.route("/readyz", [&readiness](const HttpRequest&) { return ready_page(readiness); });
}

}  // namespace tidemark::broker
