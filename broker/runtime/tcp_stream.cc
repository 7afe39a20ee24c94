#include "broker/runtime/tcp_stream.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <boost/asio/buffer.hpp>

namespace tidemark::broker {
namespace {

namespace asio = boost::asio;

constexpr size_t kMaxIovecs = 64;
// What close() reads and throws away, at most.
constexpr size_t kMaxDiscardedBytes = size_t{1} << 20;

Error closed_error() { return Error::closed("the connection is closed"); }

// The socket and who waits for it. Shared with the Asio handlers, which may come after the stream is gone.
struct TcpCore : std::enable_shared_from_this<TcpCore> {
  explicit TcpCore(Tcp::socket s) : socket(std::move(s)) {}

  // One direction's wait. At most one at a time.
  struct Wait {
    std::coroutine_handle<> waiter;
    boost::system::error_code error;
    size_t bytes = 0;
    void finish(const boost::system::error_code& e, size_t n) {
      error = e;
      bytes = n;
      if (auto resume = std::exchange(waiter, nullptr)) resume.resume();
    }
  };

  void close() {
    if (std::exchange(closed, true)) return;
    // Closing with unread bytes resets the connection, and a reset can overtake our last response. So the
    // peer gets our end first, and what it has sent is read away.
    ::shutdown(socket.native_handle(), SHUT_WR);
    std::array<std::byte, 16384> discarded;
    for (size_t total = 0; total < kMaxDiscardedBytes;) {
      const ssize_t n = ::recv(socket.native_handle(), discarded.data(), discarded.size(), MSG_DONTWAIT);
      if (n <= 0) break;
      total += static_cast<size_t>(n);
    }
    boost::system::error_code ignored;
    socket.close(ignored);
  }

  Tcp::socket socket;
  Wait read;
  Wait write;
  bool closed = false;
};

// Waits for one Asio operation. If the waiting frame is destroyed, so is the connection: the operation's
// buffer is gone, and closing takes the operation off the reactor at once.
class OperationAwaiter {
 public:
  OperationAwaiter(std::shared_ptr<TcpCore> core, TcpCore::Wait TcpCore::* direction)
      : core_(std::move(core)), direction_(direction) {}
  OperationAwaiter(const OperationAwaiter&) = delete;
  OperationAwaiter& operator=(const OperationAwaiter&) = delete;
  ~OperationAwaiter() {
    TcpCore::Wait& wait = (*core_).*direction_;
    if (!suspended_ || !wait.waiter) return;
    wait.waiter = nullptr;
    core_->close();
  }
  bool await_ready() const noexcept { return core_->closed; }
  boost::system::error_code await_resume() const {
    if (!suspended_) return asio::error::operation_aborted;
    return ((*core_).*direction_).error;
  }

 protected:
  void suspend(std::coroutine_handle<> h) {
    suspended_ = true;
    ((*core_).*direction_).waiter = h;
  }
  std::shared_ptr<TcpCore> core_;

 private:
  TcpCore::Wait TcpCore::* direction_;
  bool suspended_ = false;
};

struct ReadAwaiter : OperationAwaiter {
  ReadAwaiter(std::shared_ptr<TcpCore> core, std::span<std::byte> b)
      : OperationAwaiter(std::move(core), &TcpCore::read), buffer(b) {}
  void await_suspend(std::coroutine_handle<> h) {
    suspend(h);
    core_->socket.async_read_some(
        asio::buffer(buffer.data(), buffer.size()),
        [core = core_](const boost::system::error_code& e, size_t n) { core->read.finish(e, n); });
  }
  std::span<std::byte> buffer;
};

struct WritableAwaiter : OperationAwaiter {
  explicit WritableAwaiter(std::shared_ptr<TcpCore> core)
      : OperationAwaiter(std::move(core), &TcpCore::write) {}
  void await_suspend(std::coroutine_handle<> h) {
    suspend(h);
    core_->socket.async_wait(Tcp::socket::wait_write, [core = core_](const boost::system::error_code& e) {
      core->write.finish(e, 0);
    });
  }
};

class TcpStream final : public runtime::Stream {
 public:
  TcpStream(Tcp::socket socket, std::shared_ptr<void> lifetime)
      : core_(std::make_shared<TcpCore>(std::move(socket))), lifetime_(std::move(lifetime)) {
    boost::system::error_code ignored;
    core_->socket.set_option(Tcp::no_delay(true), ignored);
    core_->socket.set_option(asio::socket_base::keep_alive(true), ignored);
    core_->socket.non_blocking(true, ignored);
    local_ = to_endpoint(core_->socket.local_endpoint(ignored));
    remote_ = to_endpoint(core_->socket.remote_endpoint(ignored));
  }
  ~TcpStream() override { core_->close(); }

  runtime::Task<Result<size_t>> read_some(std::span<std::byte> buffer) override {
    const std::shared_ptr<TcpCore> core = core_;
    ReadAwaiter done(core, buffer);
    const boost::system::error_code error = co_await done;
    if (!error) {
      const size_t bytes = core->read.bytes;
      co_return bytes;
    }
    if (error == asio::error::eof) co_return size_t{0};
    if (core->closed) co_return fail(closed_error());
    co_return fail(Error::closed(error.message()));
  }

  runtime::Task<Result<void>> write(std::span<const std::span<const std::byte>> parts) override {
    // The system call first: a socket's buffer nearly always has room, and then nothing waits.
    const std::shared_ptr<TcpCore> core = core_;
    std::array<iovec, kMaxIovecs> vectors;
    size_t skip = 0;  // bytes of parts.front() that are written
    while (!parts.empty()) {
      if (core->closed) co_return fail(closed_error());
      size_t count = 0;
      for (; count < std::min(parts.size(), kMaxIovecs); ++count) {
        const auto part = count == 0 ? parts[0].subspan(skip) : parts[count];
        vectors[count] = {const_cast<std::byte*>(part.data()), part.size()};
      }
      msghdr message{};
      message.msg_iov = vectors.data();
      message.msg_iovlen = count;
      const ssize_t sent = ::sendmsg(core->socket.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno != EAGAIN) {
        co_return fail(
            Error::closed(boost::system::error_code(errno, boost::system::system_category()).message()));
      }
      if (sent < 0) {
        WritableAwaiter writable(core);
        const boost::system::error_code error = co_await writable;
        if (error) co_return fail(closed_error());
        continue;
      }
      for (size_t left = static_cast<size_t>(sent);;) {
        if (parts.empty()) break;
        const size_t rest = parts[0].size() - skip;
        if (left < rest) {
          skip += left;
          break;
        }
        left -= rest;
        skip = 0;
        parts = parts.subspan(1);
      }
    }
    co_return Result<void>();
  }

  void close() override { core_->close(); }
  [[nodiscard]] runtime::Endpoint local() const override { return local_; }
  [[nodiscard]] runtime::Endpoint remote() const override { return remote_; }

 private:
  std::shared_ptr<TcpCore> core_;
  std::shared_ptr<void> lifetime_;
  runtime::Endpoint local_;
  runtime::Endpoint remote_;
};

}  // namespace

runtime::Endpoint to_endpoint(const Tcp::endpoint& endpoint) {
  asio::ip::address address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return {address.to_string(), endpoint.port()};
}

std::unique_ptr<runtime::Stream> make_tcp_stream(Tcp::socket socket, std::shared_ptr<void> lifetime) {
  return std::make_unique<TcpStream>(std::move(socket), std::move(lifetime));
}

}  // namespace tidemark::broker
