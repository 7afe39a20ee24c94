// A small HTTP/1.1 server above the seams, for metrics and health: few clients, short answers. Lives on one
// shard's loop; destroyed there or after the loop has stopped. Bounded in connections, request size and the
// time that a request may take to arrive, so that nobody can tie it up.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/observe/http_request.h"
#include "protocol/runtime/stream.h"

namespace tidemark::broker {

class HttpServer {
 public:
  static constexpr size_t kMaxConnections = 64;
  // From the connection's start, or the last answer, to the end of the next request; and for an answer to be
  // taken.
  static constexpr runtime::Duration kRequestTimeout = std::chrono::seconds(10);

  using Route = std::function<runtime::Task<HttpResponse>(const HttpRequest&)>;

  explicit HttpServer(runtime::Scheduler& loop) : loop_(loop) {}
  ~HttpServer() { tasks_.destroy_all(); }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Answers requests for exactly `path`. REQUIRES: not yet serving.
  void route(std::string path, Route route) { routes_.emplace(std::move(path), std::move(route)); }
  void serve(std::unique_ptr<runtime::Listener> listener);
  // Accepts no more; what is being answered is.
  void close();

  [[nodiscard]] size_t connections() const { return connections_; }

 private:
  runtime::Task<void> accept_all(runtime::Listener& listener);
  runtime::Task<void> converse(std::unique_ptr<runtime::Stream> stream);
  runtime::Task<HttpResponse> answer(const HttpRequest& request);
  static runtime::Task<bool> send(runtime::Stream& stream, const HttpResponse& response, bool head,
                                  bool keep_alive);

  runtime::Scheduler& loop_;
  std::map<std::string, Route, std::less<>> routes_;
  std::vector<std::unique_ptr<runtime::Listener>> listeners_;
  size_t connections_ = 0;
  bool closing_ = false;
  runtime::TaskScope tasks_;
};

}  // namespace tidemark::broker
