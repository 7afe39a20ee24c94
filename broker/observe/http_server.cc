#include "broker/observe/http_server.h"

#include <array>

namespace tidemark::broker {
namespace {

constexpr auto kAcceptPause = std::chrono::milliseconds(50);

// Closes the stream if it is not destroyed in time.
class Deadline {
 public:
  Deadline(runtime::Scheduler& loop, runtime::Stream& stream, runtime::Duration within)
      : loop_(loop), timer_(loop.after(within, [&stream] { stream.close(); })) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() { loop_.cancel(timer_); }

 private:
  runtime::Scheduler& loop_;
  runtime::TimerId timer_;
};

struct Counted {
  explicit Counted(size_t& c) : count(c) { ++count; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --count; }
  size_t& count;
};

}  // namespace

void HttpServer::serve(std::unique_ptr<runtime::Listener> listener) {
  runtime::Listener& accepting = *listeners_.emplace_back(std::move(listener));
  tasks_.spawn(accept_all(accepting));
}

void HttpServer::close() {
  closing_ = true;
  for (const auto& listener : listeners_) listener->close();
}

runtime::Task<void> HttpServer::accept_all(runtime::Listener& listener) {
  while (!closing_) {
    auto accepting = listener.accept();
    auto stream = co_await accepting;
    if (stream) {
      if (connections_ < kMaxConnections) tasks_.spawn(converse(std::move(*stream)));
      continue;
    }
    if (stream.error().kind() == ErrorKind::closed) co_return;
    auto pause = runtime::sleep_for(loop_, kAcceptPause);
    co_await pause;
  }
}

runtime::Task<void> HttpServer::converse(std::unique_ptr<runtime::Stream> stream) {
  const Counted counted(connections_);
  std::string received;
  std::vector<std::byte> buffer(2048);
  for (bool more = true; more && !closing_;) {
    HttpRequest request;
    {
      const Deadline deadline(loop_, *stream, kRequestTimeout);
      for (;;) {
        auto parsed = parse_http_request(received);
        if (auto* whole = std::get_if<HttpParsed>(&parsed)) {
          request = std::move(whole->request);
          received.erase(0, whole->consumed);
          break;
        }
        if (const auto* refusal = std::get_if<HttpRefusal>(&parsed)) {
          HttpResponse response;
          response.status = refusal->status;
          auto sending = send(*stream, response, false, false);
          co_await sending;
          co_return;
        }
        auto reading = stream->read_some(buffer);
        const Result<size_t> count = co_await reading;
        if (!count || *count == 0) co_return;
        received.append(reinterpret_cast<const char*>(buffer.data()), *count);
      }
    }
    auto answering = answer(request);
    const HttpResponse response = co_await answering;
    const Deadline deadline(loop_, *stream, kRequestTimeout);
    auto sending = send(*stream, response, request.head, request.keep_alive);
    const bool sent = co_await sending;
    more = sent && request.keep_alive;
  }
}

runtime::Task<HttpResponse> HttpServer::answer(const HttpRequest& request) {
  const auto found = routes_.find(request.path);
  if (found == routes_.end()) {
    HttpResponse response;
    response.status = 404;
    response.body = "not found; there are:";
    for (const auto& [path, route] : routes_) response.body += " " + path;
    response.body += "\n";
    co_return response;
  }
  auto answering = found->second(request);
  HttpResponse response = co_await answering;
  co_return response;
}

runtime::Task<bool> HttpServer::send(runtime::Stream& stream, const HttpResponse& response, bool head,
                                     bool keep_alive) {
  const std::string top = http_response_head(response, keep_alive);
  const std::array parts{std::as_bytes(std::span(top)), std::as_bytes(std::span(response.body))};
  auto writing = stream.write(std::span(parts).first(head ? 1 : 2));
  const Result<void> written = co_await writing;
  co_return written.has_value();
}

}  // namespace tidemark::broker
