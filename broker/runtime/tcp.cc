#include "broker/runtime/tcp.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/ip/v6_only.hpp>
#include <deque>

#include "broker/runtime/asio_loop.h"
#include "broker/runtime/tcp_stream.h"

namespace tidemark::broker {
namespace {

constexpr int kBacklog = 1024;
constexpr size_t kMaxUnclaimed = 1024;  // accepted for a shard that does not take them
constexpr auto kNoFilesPause = std::chrono::milliseconds(50);

std::string describe(const runtime::Endpoint& at) {
  return fmt::format("{}:{}", at.host.empty() ? "*" : at.host, at.port);
}

Error net_error(const runtime::Endpoint& at, const std::string& what) {
  return {ErrorKind::io, ErrorCode::NETWORK_EXCEPTION, describe(at) + ": " + what};
}

// An accepted socket between two loops; closed if it never arrives.
struct OwnedFd {
  explicit OwnedFd(int f) : fd(f) {}
  OwnedFd(OwnedFd&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  ~OwnedFd() {
    if (fd >= 0) ::close(fd);
  }
  int release() { return std::exchange(fd, -1); }
  int fd;
};

// What one shard has been given. On its loop only, but for `open`.
struct Share {
  explicit Share(AsioScheduler& s) : scheduler(s), changed(s) {}
  AsioScheduler& scheduler;
  std::deque<std::unique_ptr<runtime::Stream>> ready;
  runtime::Signal changed;
  bool closed = false;
  std::atomic<size_t> open{0};  // connections of the shard; any thread
};

class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(std::span<AsioScheduler* const> shards, std::shared_ptr<AcceptLimit> limit)
      : home_(*shards[0]), acceptor_(home_.loop().context), limit_(std::move(limit)) {
    for (AsioScheduler* shard : shards) shares_.push_back(std::make_shared<Share>(*shard));
  }

  Result<void> open(const runtime::Endpoint& at) {
    boost::system::error_code error;
    const std::vector<Tcp::endpoint> candidates = resolve(at, error);
    if (candidates.empty()) return fail(net_error(at, error.message()));
    for (const Tcp::endpoint& endpoint : candidates) {
      error = bind(endpoint);
      if (!error) {
        local_ = to_endpoint(acceptor_.local_endpoint());
        return {};
      }
    }
    return fail(net_error(at, error.message()));
  }
  // On home_'s loop.
  void accept_more() {
    if (!acceptor_.is_open()) return;
    acceptor_.async_wait(Tcp::acceptor::wait_read,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                           if (!error) self->take_all();
                         });
  }
  // Any loop.
  void close() {
    if (closing_.exchange(true)) return;
    home_.post([self = shared_from_this()] {
      boost::system::error_code ignored;
      self->acceptor_.close(ignored);
    });
    for (const auto& share : shares_) {
      share->scheduler.post([share] {
        share->closed = true;
        share->ready.clear();
        share->changed.notify_all();
      });
    }
  }
  [[nodiscard]] const std::vector<std::shared_ptr<Share>>& shares() const { return shares_; }
  [[nodiscard]] const runtime::Endpoint& local() const { return local_; }
  [[nodiscard]] AsioScheduler& home() const { return home_; }

 private:
  std::vector<Tcp::endpoint> resolve(const runtime::Endpoint& at, boost::system::error_code& error) {
    if (at.host.empty()) return {{Tcp::v6(), at.port}, {Tcp::v4(), at.port}};
    const auto address = asio::ip::make_address(at.host, error);
    if (!error) return {{address, at.port}};
    Tcp::resolver resolver(home_.loop().context);
    std::vector<Tcp::endpoint> found;
    for (const auto& entry : resolver.resolve(at.host, std::to_string(at.port), error)) {
      found.push_back(entry.endpoint());
    }
    return found;
  }
  boost::system::error_code bind(const Tcp::endpoint& endpoint) {
    boost::system::error_code error, ignored;
    acceptor_.close(ignored);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
    if (!error && endpoint.address() == asio::ip::address_v6::any()) {
      acceptor_.set_option(asio::ip::v6_only(false), error);
    }
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(kBacklog, error);
    if (!error) acceptor_.non_blocking(true, error);
    return error;
  }
  void take_all() {
    for (;;) {
      if (!acceptor_.is_open()) return;
      if (limit_ && limit_->open.load(std::memory_order_relaxed) >= limit_->most) return accept_later();
      OwnedFd fd(::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd.fd >= 0) {
        hand_over(std::move(fd));
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        return accept_later();
      } else if (errno == EAGAIN) {
        return accept_more();
      }
      // Anything else is about that one connection (ECONNABORTED and the like).
    }
  }
  // The pending connection stays readable: asking again at once would spin.
  void accept_later() {
    home_.after(kNoFilesPause, [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->accept_more();
    });
  }
  void hand_over(OwnedFd fd) {
    // The fewest connections; ties in turn.
    std::shared_ptr<Share> chosen = shares_[next_ % shares_.size()];
    for (size_t i = 1; i < shares_.size(); ++i) {
      const auto& share = shares_[(next_ + i) % shares_.size()];
      if (share->open.load(std::memory_order_relaxed) < chosen->open.load(std::memory_order_relaxed)) {
        chosen = share;
      }
    }
    ++next_;
    chosen->open.fetch_add(1, std::memory_order_relaxed);
    if (limit_) limit_->open.fetch_add(1, std::memory_order_relaxed);
    std::shared_ptr<void> counted(nullptr, [chosen, limit = limit_](void*) {
      chosen->open.fetch_sub(1, std::memory_order_relaxed);
      if (limit) limit->open.fetch_sub(1, std::memory_order_relaxed);
    });
    const auto protocol = acceptor_.local_endpoint().protocol();
    chosen->scheduler.post(
        [share = chosen.get(), lifetime = std::move(counted), protocol, owned = std::move(fd)]() mutable {
          if (share->closed || share->ready.size() >= kMaxUnclaimed) return;
          Tcp::socket socket(share->scheduler.loop().context);
          boost::system::error_code error;
          socket.assign(protocol, owned.fd, error);
          if (error) return;
          owned.release();
          share->ready.push_back(make_tcp_stream(std::move(socket), std::move(lifetime)));
          share->changed.notify_all();
        });
  }

  AsioScheduler& home_;
  Tcp::acceptor acceptor_;
  const std::shared_ptr<AcceptLimit> limit_;
  std::vector<std::shared_ptr<Share>> shares_;
  runtime::Endpoint local_;
  std::atomic<bool> closing_{false};
  size_t next_ = 0;
};

class TcpListener final : public runtime::Listener {
 public:
  TcpListener(std::shared_ptr<Acceptor> acceptor, std::shared_ptr<Share> share)
      : acceptor_(std::move(acceptor)), share_(std::move(share)) {}
  ~TcpListener() override {
    acceptor_->close();
    share_->closed = true;
    share_->ready.clear();  // streams must not outlive the loop, and the share may
  }

  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> accept() override {
    while (share_->ready.empty() && !share_->closed) {
      auto changed = share_->changed.wait();
      co_await changed;
    }
    if (share_->closed) co_return fail(Error::closed("the listener is closed"));
    std::unique_ptr<runtime::Stream> stream = std::move(share_->ready.front());
    share_->ready.pop_front();
    co_return std::move(stream);
  }
  void close() override { acceptor_->close(); }
  [[nodiscard]] runtime::Endpoint local() const override { return acceptor_->local(); }

 private:
  std::shared_ptr<Acceptor> acceptor_;
  std::shared_ptr<Share> share_;
};

}  // namespace

Result<std::vector<std::unique_ptr<runtime::Listener>>> listen_tcp(const runtime::Endpoint& address,
                                                                   std::span<AsioScheduler* const> shards,
                                                                   std::shared_ptr<AcceptLimit> limit) {
  REQUIRES(!shards.empty());
  auto acceptor = std::make_shared<Acceptor>(shards, std::move(limit));
  TRY(acceptor->open(address));
  acceptor->home().post([acceptor] { acceptor->accept_more(); });
  std::vector<std::unique_ptr<runtime::Listener>> listeners;
  for (const auto& share : acceptor->shares()) {
    listeners.push_back(std::make_unique<TcpListener>(acceptor, share));
  }
  return listeners;
}

namespace {

// A connection attempt: one address after the other until one answers, all of them before the deadline.
struct Attempt : std::enable_shared_from_this<Attempt> {
  using Done = runtime::OneShot<boost::system::error_code>::Resolver;
  Attempt(asio::io_context& context, Done d) : resolver(context), socket(context), done(std::move(d)) {}

  void resolve(const runtime::Endpoint& to) {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(to.host, error);
    if (!error) {
      candidates.emplace_back(address, to.port);
      return try_next(asio::error::host_not_found);
    }
    resolver.async_resolve(to.host, std::to_string(to.port),
                           [self = shared_from_this()](const boost::system::error_code& failed,
                                                       const Tcp::resolver::results_type& found) {
                             for (const auto& entry : found) self->candidates.push_back(entry.endpoint());
                             self->try_next(failed ? failed : asio::error::host_not_found);
                           });
  }
  void try_next(boost::system::error_code last) {
    if (ended) return;
    if (candidates.empty()) return done.set(last);
    const Tcp::endpoint next = candidates.front();
    candidates.pop_front();
    boost::system::error_code ignored;
    socket.close(ignored);
    socket.async_connect(next, [self = shared_from_this()](const boost::system::error_code& error) {
      if (self->ended) return;
      if (error) return self->try_next(error);
      self->done.set({});
    });
  }
  void end() {
    if (std::exchange(ended, true)) return;
    resolver.cancel();
    boost::system::error_code ignored;
    socket.close(ignored);
  }

  Tcp::resolver resolver;
  Tcp::socket socket;
  std::deque<Tcp::endpoint> candidates;
  Done done;
  bool ended = false;
};

// Ends the attempt and its timer when the connecting frame goes, however it goes.
struct AttemptGuard {
  AsioScheduler& scheduler;
  std::shared_ptr<Attempt> attempt;
  runtime::TimerId timer;
  ~AttemptGuard() {
    scheduler.cancel(timer);
    attempt->end();
  }
};

}  // namespace

runtime::Task<Result<std::unique_ptr<runtime::Stream>>> TcpConnector::connect(runtime::Endpoint to,
                                                                              runtime::MonoTime deadline) {
  runtime::OneShot<boost::system::error_code> done(scheduler_);
  auto attempt = std::make_shared<Attempt>(scheduler_.loop().context, done.resolver());
  AttemptGuard guard{scheduler_, attempt, {}};
  if (deadline != runtime::kNever) {
    guard.timer = scheduler_.at(
        deadline, [resolver = done.resolver()]() mutable { resolver.set(asio::error::timed_out); });
  }
  attempt->resolve(to);
  auto waiting = done.wait();
  const boost::system::error_code error = co_await waiting;
  if (error == asio::error::timed_out)
    co_return fail(Error::timeout(describe(to) + ": no connection in time"));
  if (error) co_return fail(Error::closed(describe(to) + ": " + error.message()));
  co_return make_tcp_stream(std::move(attempt->socket), nullptr);
}

uint64_t raise_open_file_limit(uint64_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_max < wanted) {
    const rlimit more{wanted, wanted};
    if (::setrlimit(RLIMIT_NOFILE, &more) == 0) return wanted;
  }
  const rlimit most{limit.rlim_max, limit.rlim_max};
  if (limit.rlim_cur < limit.rlim_max && ::setrlimit(RLIMIT_NOFILE, &most) == 0) return limit.rlim_max;
  return limit.rlim_cur;
}

}  // namespace tidemark::broker
