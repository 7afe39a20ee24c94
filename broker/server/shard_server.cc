#include "broker/server/shard_server.h"

#include <algorithm>

namespace tidemark::broker {
namespace {

constexpr auto kAcceptPause = std::chrono::milliseconds(50);

}  // namespace

ShardServer::ShardServer(size_t shard, runtime::Scheduler& loop, RequestHandler& handler,
                         const Shared& shared, ServerOptions options)
    : shard_(shard),
      loop_(loop),
      shared_(shared),
      options_(bounded(options, shared.memory)),
      admission_(shared.memory, shard, loop),
      queue_(loop),
      services_{loop, handler, admission_, shared.log, log_limiter_, shared.metrics, options_, pins_, queue_},
      emptied_(loop),
      self_(std::make_shared<ShardServer*>(this)) {}

ShardServer::~ShardServer() {
  *self_ = nullptr;
  loop_.cancel(sweep_timer_);
  tasks_.destroy_all();
  connections_.clear();
}

// A frame that the node's memory could never hold must be refused, not waited for.
ServerOptions ShardServer::bounded(ServerOptions options, const RequestMemory& memory) {
  options.max_frame_bytes = std::min<uint64_t>(options.max_frame_bytes, memory.largest_frame());
  return options;
}

void ShardServer::set_options(ServerOptions options) { options_ = bounded(options, shared_.memory); }

void ShardServer::serve(std::unique_ptr<runtime::Listener> listener, std::string name) {
  runtime::Listener& accepting = *listeners_.emplace_back(std::move(listener));
  tasks_.spawn(accept_all(accepting, std::move(name)));
}

runtime::Task<void> ShardServer::accept_all(runtime::Listener& listener, std::string name) {
  while (!draining_) {
    auto accepting = listener.accept();
    Result<std::unique_ptr<runtime::Stream>> stream = co_await accepting;
    if (stream) {
      if (!draining_) open(std::move(*stream), name);
      continue;
    }
    if (stream.error().kind() == ErrorKind::closed) co_return;
    if (const auto left_out = log_limiter_.admit(loop_.mono())) {
      shared_.log.error("cannot accept connections",
                        {{"listener", name},
                         {"cause", stream.error().message()},
                         {"advice", "look at the limits of open files and of the system's memory"},
                         {"left_out", *left_out}});
    }
    auto pause = runtime::sleep_for(loop_, kAcceptPause);
    co_await pause;
  }
}

void ShardServer::open(std::unique_ptr<runtime::Stream> stream, const std::string& listener) {
  ConnectionInfo info;
  info.id = (static_cast<uint64_t>(shard_) << 48) | ++next_id_;
  info.shard = shard_;
  info.home = &loop_;
  info.listener = listener;
  info.local = stream->local();
  info.remote = stream->remote();
  auto lease =
      shared_.limits.take(info.remote.host, options_.max_connections, options_.max_connections_per_address);
  if (!lease) {
    shared_.metrics.refused.add(shard_);
    if (const auto left_out = log_limiter_.admit(loop_.mono())) {
      shared_.log.warn("connection refused",
                       {{"remote", fmt::format("{}:{}", info.remote.host, info.remote.port)},
                        {"listener", listener},
                        {"cause", lease.error().message()},
                        {"left_out", *left_out}});
    }
    return;
  }
  if (const runtime::Duration pause =
          connection_quota_ ? connection_quota_(info.remote.host) : runtime::Duration{};
      pause > runtime::Duration{}) {
    const size_t kind = index_of(QuotaKind::connection);
    shared_.metrics.throttled[kind]->add(shard_);
    shared_.metrics.throttle_seconds[kind]->record(shard_, std::chrono::duration<double>(pause).count());
    // Kept waiting while there is room for everybody else; beyond that closed at once.
    if (turned_away_ < kMostTurnedAway && !shared_.limits.half_taken(options_.max_connections))
      tasks_.spawn(turn_away(std::move(stream), std::move(*lease), pause));
    return;
  }
  shared_.metrics.opened.add(shard_);
  const uint64_t id = info.id;
  // The connection calls this from one of its own tasks: it is removed from the loop.
  auto on_finished = [&loop = loop_, self = self_, id] {
    loop.post([self, id] {
      if (*self != nullptr) (*self)->remove(id);
    });
  };
  auto connection =
      std::make_shared<Connection>(services_, std::move(stream), std::move(info), std::move(on_finished));
  connections_.emplace(id, Open{connection, std::move(*lease)});
  if (!sweep_timer_) sweep_timer_ = loop_.after(kSweepInterval, [this] { sweep(); });
  connection->start();
}

runtime::Task<void> ShardServer::turn_away(std::unique_ptr<runtime::Stream> stream,
                                           [[maybe_unused]] ConnectionLimits::Lease lease,
                                           runtime::Duration pause) {
  ++turned_away_;
  auto waiting = runtime::sleep_for(loop_, pause);
  co_await waiting;
  --turned_away_;
  stream->close();
}

void ShardServer::remove(uint64_t id) {
  if (connections_.erase(id) == 0) return;
  shared_.metrics.closed.add(shard_);
  if (connections_.empty()) emptied_.notify_all();
}

void ShardServer::sweep() {
  sweep_timer_ = {};
  const runtime::MonoTime now = loop_.mono();
  const bool pressed = shared_.memory.pressed();
  for (const auto& [id, open] : connections_) open.connection->sweep(now, pressed);
  if (!connections_.empty()) sweep_timer_ = loop_.after(kSweepInterval, [this] { sweep(); });
}

runtime::Task<void> ShardServer::drain(runtime::MonoTime deadline) {
  draining_ = true;
  for (const auto& listener : listeners_) listener->close();
  for (const auto& [id, open] : connections_) open.connection->drain();
  bool in_time = true;
  while (!connections_.empty() && in_time) {
    auto emptied = emptied_.wait_until(deadline);
    in_time = co_await emptied;
  }
  connections_.clear();
}

}  // namespace tidemark::broker
