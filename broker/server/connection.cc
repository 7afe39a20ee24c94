#include "broker/server/connection.h"

#include "protocol/api_versions.h"
#include "protocol/frame.h"

namespace tidemark::broker {

Connection::Connection(const ConnectionServices& services, std::unique_ptr<runtime::Stream> stream,
                       ConnectionInfo info, runtime::Job on_finished)
    : services_(services),
      stream_(std::move(stream)),
      info_(std::move(info)),
      on_finished_(std::move(on_finished)),
      reader_(services.options.max_frame_bytes),
      writer_(*stream_, services.pins),
      last_moved_(services.loop.mono()),
      room_(services.loop),
      changed_(services.loop) {}

Connection::~Connection() = default;

void Connection::start() {
  tasks_.spawn(write_answers());
  tasks_.spawn(read_requests());
}

runtime::Task<void> Connection::read_requests() {
  while (reading_) {
    switch (reader_.state()) {
      case FrameReader::State::refused:
        break_off(services_.metrics.broken, "connection closed: bad frame", reader_.refusal());
        co_return;
      case FrameReader::State::reading: {
        auto read = stream_->read_some(reader_.space());
        const Result<size_t> count = co_await read;
        if (!count) {
          reader_.drop_frame();
          lose();
          co_return;
        }
        if (*count == 0) {
          // The end of what the client sends; it may still read what it is owed.
          stop_reading();
          hurry_all();
          co_return;
        }
        last_moved_ = services_.loop.mono();
        services_.metrics.bytes_in.add(info_.shard, *count);
        reader_.added(*count);
        break;
      }
      case FrameReader::State::needs_memory: {
        // Room first: a frame whose turn does not come must not hold memory.
        if (muted_until_ != runtime::MonoTime{} && is_muted(services_.loop.mono())) {
          auto unmuted = room_.wait_until(muted_until_);
          co_await unmuted;
          break;
        }
        if (parked_ || exchanges_.size() >= most_in_flight()) {
          auto room = room_.wait();
          co_await room;
          break;
        }
        if (services_.queue.taken() >= services_.options.max_queued) {
          auto room = services_.queue.wait();
          co_await room;
          break;
        }
        const size_t bytes = reader_.frame_bytes();
        runtime::Charge charge = services_.admission.try_take(bytes);
        if (!charge) {
          auto waiting = services_.admission.wait(bytes);
          charge = co_await waiting;
        }
        reader_.admit(std::move(charge));
        progress_bytes_ = reader_.received();
        progress_at_ = services_.loop.mono();
        break;
      }
      case FrameReader::State::has_frame:
        accept_frame(reader_.take());
        reader_.set_max_frame_bytes(services_.options.max_frame_bytes);
        break;
    }
  }
}

void Connection::accept_frame(runtime::BufferSlice frame) {
  auto exchange = std::make_unique<Exchange>(info_, std::move(frame), services_.loop.mono(), services_.queue);
  if (auto decoded = decode_header(exchange->request); !decoded) {
    break_off(services_.metrics.broken, "connection closed: bad request", decoded.error().message());
    return;
  }
  if (parked_) exchange->place.give_back();
  exchanges_.push_back(std::move(exchange));
  pump();
}

Result<void> Connection::decode_header(RequestContext& request) {
  protocol::Decoder in(request.frame.bytes);
  TRY_ASSIGN(request.header, protocol::decode_request_header(in));
  request.body = request.frame.bytes.subspan(in.position());
  const auto key = static_cast<protocol::ApiKey>(request.header.request_api_key);
  const protocol::ServedApi* served = protocol::find_served(key);
  if (served != nullptr && served->serves(request.header.request_api_version)) return {};
  if (key == protocol::ApiKey::ApiVersions) {
    request.unsupported_api_versions = true;
    request.header.request_api_version = 0;
    return {};
  }
  return fail(ErrorCode::UNSUPPORTED_VERSION,
              fmt::format("{} version {} is not served", protocol::api_name(key),
                          request.header.request_api_version));
}

void Connection::pump() {
  if (std::exchange(pumping_, true)) return;
  while (order_free_ && started_ < exchanges_.size()) {
    if (unsent_bytes_ > kMostUnsent && !lost_) {
      hold_up();
      break;
    }
    if (std::exchange(held_up_, false)) end_hold_up();
    Exchange& next = *exchanges_[started_];
    next.started = services_.loop.mono();
    const runtime::Duration waited = next.started - next.request.arrived;
    if (waited > services_.options.max_queue_time) {
      // The client has given up on it, and on those behind it. Nobody can be told so by an answer: each API
      // would need its own.
      services_.metrics.overdue.add(info_.shard, exchanges_.size() - started_);
      exchanges_.resize(started_);
      break_off(services_.metrics.broken, "connection closed: overload",
                fmt::format("a request waited {} ms for its turn",
                            std::chrono::duration_cast<std::chrono::milliseconds>(waited).count()));
      break;
    }
    ++started_;
    order_free_ = false;
    if (services_.handler.counts_work(next.request)) next.request.working_since = next.started;
    next.request.on_release_ = [this, place = &next.place] {
      place->give_back();
      order_free_ = true;
      if (pumping_) return;
      services_.loop.post([weak = weak_from_this()] {
        if (auto self = weak.lock()) self->pump();
      });
    };
    next.request.on_park_ = [this, place = &next.place] {
      place->give_back();
      if (!order_free_) park();
    };
    tasks_.spawn(serve(next));
    stop_working(next.request);  // up to its first wait
  }
  pumping_ = false;
}

void Connection::park() {
  parked_ = true;
  hold_up();
}

void Connection::hold_up() {
  held_up_ = true;
  for (size_t i = started_; i < exchanges_.size(); ++i) exchanges_[i]->place.give_back();
}

void Connection::end_hold_up() {
  for (size_t i = started_; i < exchanges_.size(); ++i)
    exchanges_[i]->request.arrived = services_.loop.mono();
}

void Connection::stop_working(RequestContext& request) {
  if (request.working_since == runtime::kNever) return;
  const runtime::Duration stretch =
      services_.loop.mono() - std::exchange(request.working_since, runtime::kNever);
  request.worked += stretch;
  if (request.settled) services_.handler.answered(request, stretch);
}

void Connection::mute(const Throttle& throttle) {
  const size_t kind = index_of(throttle.kind);
  services_.metrics.throttled[kind]->add(info_.shard);
  services_.metrics.throttle_seconds[kind]->record(info_.shard,
                                                   std::chrono::duration<double>(throttle.pause).count());
  muted_until_ = std::max(muted_until_, services_.loop.mono() + throttle.pause);
}

size_t Connection::most_in_flight() const {
  if (muted_until_ == runtime::MonoTime{}) return services_.options.max_in_flight;
  return services_.loop.mono() < muted_until_ + kCareful ? 1 : services_.options.max_in_flight;
}

runtime::Task<void> Connection::serve(Exchange& exchange) {
  auto handling = services_.handler.handle(exchange.request);
  Result<Response> answer = co_await handling;
  exchange.answer.emplace(std::move(answer));
  exchange.answered = services_.loop.mono();
  if (*exchange.answer) unsent_bytes_ += (*exchange.answer)->frame.bytes.size();
  stop_working(exchange.request);
  if (exchange.request.throttle.pause > runtime::Duration{}) mute(exchange.request.throttle);
  exchange.request.on_hurry(nullptr);
  exchange.place.give_back();
  if (exchange.request.on_release_) {
    exchange.request.on_release_ = nullptr;
    order_free_ = true;
    if (std::exchange(parked_, false)) room_.notify_all();
    pump();
  }
  // Destroyed by the writer from here on, but never inside this call.
  if (exchanges_.front()->answer) changed_.notify_all();
}

runtime::Task<void> Connection::write_answers() {
  for (;;) {
    while (!exchanges_.empty() && exchanges_.front()->answer) {
      const std::unique_ptr<Exchange> exchange = std::move(exchanges_.front());
      exchanges_.pop_front();
      --started_;
      room_.notify_all();
      const size_t bytes = *exchange->answer ? (*exchange->answer)->frame.bytes.size() : 0;
      if (!lost_) {
        writing_ = true;
        auto sending = send(*exchange);
        const Result<void> sent = co_await sending;
        writing_ = false;
        if (!sent) lose();
      }
      unsent_bytes_ -= bytes;
      if (held_up_) pump();
    }
    if (!lost_ && writer_.has_pending()) {
      writing_ = true;
      auto flushing = writer_.flush();
      const Result<void> flushed = co_await flushing;
      writing_ = false;
      if (!flushed) lose();
      continue;
    }
    if (exchanges_.empty() && !reading_) break;
    auto changed = changed_.wait();
    co_await changed;
  }
  stream_->close();
  if (auto finished = std::exchange(on_finished_, nullptr)) finished();
}

void Connection::record_stages(const ServerMetrics::Api& api, const Exchange& exchange) {
  const RequestContext& request = exchange.request;
  const runtime::MonoTime waits = std::min(request.waits_since_, exchange.answered);
  api.record(info_.shard, RequestStage::queue, exchange.started - request.arrived);
  api.record(info_.shard, RequestStage::local, waits - exchange.started);
  api.record(info_.shard, RequestStage::remote, exchange.answered - waits);
  api.record(info_.shard, RequestStage::throttle, request.throttle.pause);
}

// An error: nothing more can be sent.
runtime::Task<Result<void>> Connection::send(Exchange& exchange) {
  const auto& header = exchange.request.header;
  Result<Response>& answer = *exchange.answer;
  if (!answer) {
    break_off(services_.metrics.broken, "connection closed: request failed",
              fmt::format("{} version {}: {}",
                          protocol::api_name(static_cast<protocol::ApiKey>(header.request_api_key)),
                          header.request_api_version, answer.error().to_string()));
    auto flushing = writer_.flush();
    (void)co_await flushing;
    co_return fail(Error::closed("the request failed"));
  }
  const ServerMetrics::Api& api = services_.metrics.of(static_cast<protocol::ApiKey>(header.request_api_key));
  api.requests->add(info_.shard);
  api.seconds->record(
      info_.shard, std::chrono::duration<double>(services_.loop.mono() - exchange.request.arrived).count());
  record_stages(api, exchange);
  if (!answer->has_frame()) co_return Result<void>();
  services_.metrics.bytes_out.add(info_.shard, answer->frame.wire_bytes);
  auto adding = writer_.add(std::move(*answer));
  Result<void> added = co_await adding;
  if (!added && added.error().kind() != ErrorKind::closed) {
    break_off(services_.metrics.broken, "connection closed: answer cut short", added.error().to_string());
  }
  api.record(info_.shard, RequestStage::send, services_.loop.mono() - exchange.answered);
  co_return added;
}

void Connection::sweep(runtime::MonoTime now, bool memory_pressed) {
  if (lost_) return;
  if (const uint64_t written = writer_.bytes_written(); written != written_seen_) {
    written_seen_ = written;
    last_moved_ = now;
  }
  // It is we who do not read. Of one that has sent more meanwhile nobody would see the end: that one's pause
  // is idleness, as in Kafka.
  if (is_muted(now) && reader_.state() == FrameReader::State::reading) last_moved_ = now;
  const runtime::Duration max_idle = services_.options.max_idle;
  if (max_idle.count() > 0 && now - last_moved_ > max_idle && (exchanges_.empty() || writing_)) {
    services_.metrics.idle.add(info_.shard);
    return abort();
  }
  if (!reader_.holds_memory()) return;
  // received() starts anew with each frame.
  if (reader_.received() < progress_bytes_ || reader_.received() - progress_bytes_ >= kLeastProgress) {
    progress_bytes_ = reader_.received();
    progress_at_ = now;
  } else if (memory_pressed && now - progress_at_ >= kProgressTime) {
    break_off(services_.metrics.stalled, "connection closed: stalled inside a request while memory is short",
              fmt::format("{} of {} bytes came", reader_.received(), reader_.frame_bytes()));
    abort();
  }
}

void Connection::drain() {
  stop_reading();
  hurry_all();
}

void Connection::abort() { lose(); }

void Connection::lose() {
  if (std::exchange(lost_, true)) return;
  stream_->close();
  stop_reading();
  // Writes that wait for their turn are still carried out: with acks=0 the client did not mean to wait.
  for (size_t i = exchanges_.size(); i-- > started_;) {
    const auto key = static_cast<protocol::ApiKey>(exchanges_[i]->request.header.request_api_key);
    if (key != protocol::ApiKey::Produce) exchanges_.erase(exchanges_.begin() + static_cast<ptrdiff_t>(i));
  }
  hurry_all();
}

void Connection::stop_reading() {
  reading_ = false;
  room_.notify_all();
  changed_.notify_all();
}

void Connection::hurry_all() {
  for (const auto& exchange : exchanges_) {
    if (!exchange->answer) exchange->request.hurry();
  }
}

void Connection::break_off(Counter& counter, std::string_view event, std::string_view cause) {
  counter.add(info_.shard);
  if (const auto left_out = services_.log_limiter.admit(services_.loop.mono())) {
    services_.log.warn(event, {{"remote", fmt::format("{}:{}", info_.remote.host, info_.remote.port)},
                               {"listener", info_.listener},
                               {"cause", cause},
                               {"left_out", *left_out}});
  }
  stop_reading();
}

}  // namespace tidemark::broker
