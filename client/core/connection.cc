#include "client/core/connection.h"

#include "client/core/co_try.h"
#include "protocol/messages/api_versions_request.h"
#include "protocol/version.h"

namespace tidemark::client {
namespace {

using runtime::Task;

// A response is read in pieces of at most this, so that a length that lies costs no memory.
constexpr size_t kReadPieceBytes = size_t{1} << 20;

std::chrono::milliseconds millis(int64_t ms) { return std::chrono::milliseconds(ms); }

}  // namespace

Connection::Connection(runtime::Scheduler& scheduler, std::unique_ptr<runtime::Stream> stream,
                       runtime::Endpoint endpoint, const ConnectionOptions& options)
    : scheduler_(scheduler),
      stream_(std::move(stream)),
      endpoint_(std::move(endpoint)),
      options_(options),
      work_(scheduler),
      progress_(scheduler) {}

Connection::~Connection() {
  for (const Pending& pending : pending_) scheduler_.cancel(pending.timer);
}

Task<Result<std::shared_ptr<Connection>>> Connection::open(runtime::Scheduler& scheduler,
                                                           runtime::Connector& connector,
                                                           runtime::Endpoint to,
                                                           const ConnectionOptions& options) {
  const runtime::MonoTime deadline = scheduler.mono() + millis(options.connect_timeout_ms);
  Task<Result<std::unique_ptr<runtime::Stream>>> connecting = connector.connect(to, deadline);
  auto stream = co_await connecting;
  if (!stream) co_return fail(std::move(stream).error());
  auto connection = std::make_shared<Connection>(scheduler, std::move(*stream), to, options);
  connection->scope_.spawn(connection->read_loop());
  connection->scope_.spawn(connection->write_loop());
  Task<Result<void>> negotiating = connection->negotiate();
  const Result<void> negotiated = co_await negotiating;
  if (!negotiated) {
    const std::string what = fmt::format("{}:{}: {}", to.host, to.port, negotiated.error().message());
    co_return fail(Error(negotiated.error().kind(), negotiated.error().code(), what));
  }
  co_return connection;
}

Task<Result<void>> Connection::negotiate() {
  int16_t version = protocol::find_api(protocol::ApiKey::ApiVersions)->stable_versions().max;
  for (int attempt = 0; attempt < 3; ++attempt) {
    protocol::ApiVersionsRequest request;
    request.client_software_name = "tidemark";
    request.client_software_version = TIDEMARK_VERSION;
    const int32_t correlation_id = next_correlation_id_++;
    auto encoded = protocol::encode_request_frame(correlation_id, options_.client_id, request, version);
    if (!encoded) co_return fail(std::move(encoded).error());
    Task<Result<Frame>> exchanged = exchange(encoded->flatten(), correlation_id, 0);
    const Result<Frame> frame = co_await exchanged;
    if (!frame) co_return fail(Error(frame.error()));
    protocol::Decoder in(**frame);
    CO_TRY(protocol::decode_response_header(in, protocol::ApiKey::ApiVersions, version));
    CO_TRY_ASSIGN(const Negotiation outcome, versions_.take_answer(in.rest(), version));
    if (!outcome.ask_again) co_return Result<void>();
    version = *outcome.ask_again;
  }
  co_return fail(ErrorCode::UNSUPPORTED_VERSION, "the broker refuses every version of ApiVersions");
}

Task<Result<Connection::Frame>> Connection::exchange(std::vector<std::byte> frame, int32_t correlation_id,
                                                     int32_t extra_ms) {
  while (!failure_ && pending_.size() >= static_cast<size_t>(options_.max_in_flight)) {
    auto waiting = progress_.wait();
    co_await waiting;
  }
  if (failure_) co_return fail(dead());
  Answer answer(scheduler_);
  const runtime::MonoTime deadline =
      scheduler_.mono() + millis(int64_t{options_.request_timeout_ms} + extra_ms);
  // The peer may still be at it, and its answer would come in the middle of others: the connection goes.
  const runtime::TimerId timer = scheduler_.at(deadline, [this] {
    fail_with(Error::timeout(fmt::format("{}:{} did not answer in time", endpoint_.host, endpoint_.port)));
  });
  pending_.push_back({correlation_id, answer.resolver(), timer});
  queue(std::move(frame));
  auto waiting = answer.wait();
  Result<Frame> result = co_await waiting;
  co_return result;
}

Task<Result<void>> Connection::send_only(std::vector<std::byte> frame) {
  if (failure_) co_return fail(dead());
  queue(std::move(frame));
  const uint64_t mine = queued_;
  // There will be no answer whose absence could tell that the broker is gone.
  const runtime::MonoTime deadline = scheduler_.mono() + millis(options_.request_timeout_ms);
  while (!failure_ && written_ < mine) {
    auto waiting = progress_.wait_until(deadline);
    (void)co_await waiting;
    if (!failure_ && written_ < mine && scheduler_.mono() >= deadline)
      fail_with(Error::timeout(fmt::format("{}:{} takes nothing any more", endpoint_.host, endpoint_.port)));
  }
  if (written_ < mine) co_return fail(Error(dead()).mark_possibly_persisted());
  co_return Result<void>();
}

Task<void> Connection::drain(runtime::MonoTime deadline) {
  const std::shared_ptr<Connection> self = shared_from_this();
  const uint64_t last = queued_;
  while (!failure_ && written_ < last && scheduler_.mono() < deadline) {
    auto waiting = progress_.wait_until(deadline);
    (void)co_await waiting;
  }
}

void Connection::queue(std::vector<std::byte> frame) {
  to_write_.push_back(std::move(frame));
  ++queued_;
  work_.notify_all();
}

Task<void> Connection::write_loop() {
  while (!failure_) {
    if (to_write_.empty()) {
      auto waiting = work_.wait();
      co_await waiting;
      continue;
    }
    const std::vector<std::byte> frame = std::move(to_write_.front());
    to_write_.pop_front();
    const std::span<const std::byte> part(frame);
    Task<Result<void>> writing = stream_->write(std::span(&part, 1));
    const Result<void> result = co_await writing;
    if (!result) {
      fail_with(result.error());
      co_return;
    }
    ++written_;
    progress_.notify_all();
  }
}

Task<void> Connection::read_loop() {
  while (!failure_) {
    std::vector<std::byte> frame;
    Task<Result<void>> reading = read_frame(frame);
    const Result<void> result = co_await reading;
    if (!result) {
      fail_with(result.error());
      co_return;
    }
    take_frame(std::move(frame));
  }
}

Task<Result<void>> Connection::read_frame(std::vector<std::byte>& frame) {
  frame.resize(protocol::kFrameLengthBytes);
  Task<Result<void>> reading = fill(frame, 0);
  Result<void> got = co_await reading;
  if (!got) co_return got;
  protocol::Decoder length(frame);
  const int32_t size = length.read_int32();
  if (size < 4 || static_cast<size_t>(size) > options_.max_response_bytes) {
    co_return fail(Error::closed(
        fmt::format("{}:{} announces a response of {} bytes", endpoint_.host, endpoint_.port, size)));
  }
  frame.clear();
  while (frame.size() < static_cast<size_t>(size)) {
    const size_t from = frame.size();
    frame.resize(std::min(static_cast<size_t>(size), from + std::max(from, kReadPieceBytes)));
    Task<Result<void>> rest = fill(frame, from);
    got = co_await rest;
    if (!got) co_return got;
  }
  co_return Result<void>();
}

Task<Result<void>> Connection::fill(std::vector<std::byte>& out, size_t from) {
  while (from < out.size()) {
    Task<Result<size_t>> reading = stream_->read_some(std::span(out).subspan(from));
    const Result<size_t> got = co_await reading;
    if (!got) co_return fail(Error(got.error()));
    if (*got == 0)
      co_return fail(
          Error::closed(fmt::format("{}:{} closed the connection", endpoint_.host, endpoint_.port)));
    from += *got;
  }
  co_return Result<void>();
}

void Connection::take_frame(std::vector<std::byte> frame) {
  protocol::Decoder in(frame);
  const int32_t correlation_id = in.read_int32();
  if (pending_.empty() || pending_.front().correlation_id != correlation_id) {
    fail_with(Error::closed(fmt::format("{}:{} answers request {}, which is not the oldest one",
                                        endpoint_.host, endpoint_.port, correlation_id)));
    return;
  }
  Pending pending = std::move(pending_.front());
  pending_.pop_front();
  scheduler_.cancel(pending.timer);
  pending.resolver.set(std::make_shared<const std::vector<std::byte>>(std::move(frame)));
  progress_.notify_all();
}

void Connection::fail_with(const Error& why) {
  if (failure_) return;
  failure_ = why;
  stream_->close();
  to_write_.clear();
  for (Pending& pending : std::exchange(pending_, {})) {
    scheduler_.cancel(pending.timer);
    pending.resolver.set(fail(Error(why).mark_possibly_persisted()));
  }
  work_.notify_all();
  progress_.notify_all();
}

Error Connection::dead() const {
  return Error::closed(fmt::format("{}:{}: {}", endpoint_.host, endpoint_.port, failure_->message()));
}

}  // namespace tidemark::client
