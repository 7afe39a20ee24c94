// One connection to a broker: a window of requests in flight, answered in their order, after ApiVersions has
// settled what to speak. Lives on the loop that opened it, held by shared_ptr: calls in progress keep it. It
// never retries: a connection that failed once stays failed, and its owner opens another.
//
// Error of a call: possibly_persisted() is true if the request may have reached the broker.
#pragma once

#include <deque>

#include "client/core/options.h"
#include "client/core/versions.h"
#include "protocol/frame.h"
#include "protocol/runtime/stream.h"

namespace tidemark::client {

// A decoded response and the frame that its views point into.
template <class Response>
struct Reply {
  std::shared_ptr<const std::vector<std::byte>> frame;
  Response body;
  int16_t version = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // Connects and negotiates.
  static runtime::Task<Result<std::shared_ptr<Connection>>> open(runtime::Scheduler& scheduler,
                                                                 runtime::Connector& connector,
                                                                 runtime::Endpoint to,
                                                                 const ConnectionOptions& options);
  ~Connection();

  // What call() would use.
  template <class Request>
  [[nodiscard]] Result<int16_t> version_of(int16_t highest = INT16_MAX) const {
    return versions_.pick(Request::kApiKey,
                          {Request::kVersions.min, std::min(Request::kVersions.max, highest)});
  }
  [[nodiscard]] const Versions& versions() const { return versions_; }

  // Sends and waits for the answer. What `request` views must live until this returns its task's first
  // suspension only: it is encoded at once. `extra_ms` is added to the request timeout (a broker that may
  // hold the request back that long).
  template <class Request, class Response>
  runtime::Task<Result<Reply<Response>>> call(const Request& request, int16_t version, int32_t extra_ms = 0);
  // Sends a request that has no answer (Produce with acks=0): done when it is written.
  template <class Request>
  runtime::Task<Result<void>> tell(const Request& request, int16_t version);

  // Waits until what is queued now is written, or the connection failed, or `deadline`.
  runtime::Task<void> drain(runtime::MonoTime deadline);

  [[nodiscard]] bool failed() const { return failure_.has_value(); }
  [[nodiscard]] size_t in_flight() const { return pending_.size(); }
  [[nodiscard]] const runtime::Endpoint& endpoint() const { return endpoint_; }
  // Ends every call with `why`.
  void fail_with(const Error& why);

  // Use open().
  Connection(runtime::Scheduler& scheduler, std::unique_ptr<runtime::Stream> stream,
             runtime::Endpoint endpoint, const ConnectionOptions& options);

 private:
  using Frame = std::shared_ptr<const std::vector<std::byte>>;
  using Answer = runtime::OneShot<Result<Frame>>;
  struct Pending {
    int32_t correlation_id;
    Answer::Resolver resolver;
    runtime::TimerId timer;
  };

  runtime::Task<Result<void>> negotiate();
  runtime::Task<Result<Frame>> exchange(std::vector<std::byte> frame, int32_t correlation_id,
                                        int32_t extra_ms);
  runtime::Task<Result<void>> send_only(std::vector<std::byte> frame);
  runtime::Task<void> write_loop();
  runtime::Task<void> read_loop();
  runtime::Task<Result<void>> read_frame(std::vector<std::byte>& frame);
  runtime::Task<Result<void>> fill(std::vector<std::byte>& out, size_t from);
  void queue(std::vector<std::byte> frame);
  void take_frame(std::vector<std::byte> frame);
  [[nodiscard]] Error dead() const;

  runtime::Scheduler& scheduler_;
  std::unique_ptr<runtime::Stream> stream_;
  const runtime::Endpoint endpoint_;
  const ConnectionOptions options_;
  Versions versions_;
  int32_t next_correlation_id_ = 1;
  std::deque<std::vector<std::byte>> to_write_;
  uint64_t queued_ = 0;           // frames ever queued, ...
  uint64_t written_ = 0;          // ... and of those, written
  std::deque<Pending> pending_;   // in the order sent, which is the order of the answers
  std::optional<Error> failure_;  // set once
  runtime::Signal work_;          // something to write, or the end
  runtime::Signal progress_;      // something was written or answered, or the end
  runtime::TaskScope scope_;      // last: its tasks use all of the above
};

template <class Request, class Response>
runtime::Task<Result<Reply<Response>>> Connection::call(const Request& request, int16_t version,
                                                        int32_t extra_ms) {
  const std::shared_ptr<Connection> self = shared_from_this();
  const int32_t correlation_id = next_correlation_id_++;
  auto encoded = protocol::encode_request_frame(correlation_id, options_.client_id, request, version);
  if (!encoded) co_return fail(std::move(encoded).error());
  runtime::Task<Result<Frame>> exchanged = exchange(encoded->flatten(), correlation_id, extra_ms);
  Result<Frame> frame = co_await exchanged;
  if (!frame) co_return fail(std::move(frame).error());
  protocol::Decoder in(**frame);
  const auto header = protocol::decode_response_header(in, Request::kApiKey, version);
  if (!header) {
    fail_with(header.error());
    co_return fail(Error(header.error()).mark_possibly_persisted());
  }
  auto body = Response::decode(in, version);
  if (!body) {
    fail_with(body.error());
    co_return fail(Error(body.error()).mark_possibly_persisted());
  }
  co_return Reply<Response>{std::move(*frame), std::move(*body), version};
}

template <class Request>
runtime::Task<Result<void>> Connection::tell(const Request& request, int16_t version) {
  const std::shared_ptr<Connection> self = shared_from_this();
  auto encoded = protocol::encode_request_frame(next_correlation_id_++, options_.client_id, request, version);
  if (!encoded) co_return fail(std::move(encoded).error());
  runtime::Task<Result<void>> sent = send_only(encoded->flatten());
  Result<void> result = co_await sent;
  co_return result;
}

}  // namespace tidemark::client
