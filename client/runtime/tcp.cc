#include "client/runtime/tcp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "client/core/co_try.h"

namespace tidemark::client {
namespace {

using runtime::Endpoint;
using runtime::MonoTime;
using runtime::Task;

constexpr size_t kMaxIovecs = 64;

std::string errno_words(int error) { return ::strerror(error); }

Endpoint endpoint_of(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return {text, ntohs(v4.sin_port)};
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
  return {text, ntohs(v6.sin6_port)};
}

// Owns a descriptor; waiters are woken before it goes.
class Descriptor {
 public:
  Descriptor(PollLoop& loop, int value) : loop_(loop), value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  void close() {
    if (value_ < 0) return;
    loop_.wake(value_);
    ::close(std::exchange(value_, -1));
  }
  [[nodiscard]] int value() const { return value_; }
  [[nodiscard]] bool closed() const { return value_ < 0; }

 private:
  PollLoop& loop_;
  int value_;
};

class TcpStream final : public runtime::Stream {
 public:
  TcpStream(PollLoop& loop, std::shared_ptr<Descriptor> socket) : loop_(loop), socket_(std::move(socket)) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    if (::getsockname(socket_->value(), reinterpret_cast<sockaddr*>(&address), &size) == 0)
      local_ = endpoint_of(address);
    size = sizeof(address);
    if (::getpeername(socket_->value(), reinterpret_cast<sockaddr*>(&address), &size) == 0)
      remote_ = endpoint_of(address);
  }
  ~TcpStream() override { socket_->close(); }

  Task<Result<size_t>> read_some(std::span<std::byte> buffer) override {
    const std::shared_ptr<Descriptor> socket = socket_;
    for (;;) {
      if (socket->closed()) co_return fail(Error::closed("the connection is closed"));
      const ssize_t got = ::recv(socket->value(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got >= 0) co_return static_cast<size_t>(got);
      if (errno == EINTR) continue;
      if (errno != EAGAIN) co_return fail(Error::closed(errno_words(errno)));
      PollLoop::ReadyAwaiter ready = loop_.readable(socket->value());
      co_await ready;
    }
  }

  Task<Result<void>> write(std::span<const std::span<const std::byte>> parts) override {
    const std::shared_ptr<Descriptor> socket = socket_;
    size_t skip = 0;  // bytes of parts.front() that are written
    while (!parts.empty()) {
      if (socket->closed()) co_return fail(Error::closed("the connection is closed"));
      std::array<iovec, kMaxIovecs> vectors;
      size_t count = 0;
      for (; count < std::min(parts.size(), kMaxIovecs); ++count) {
        const auto part = count == 0 ? parts[0].subspan(skip) : parts[count];
        vectors[count] = {const_cast<std::byte*>(part.data()), part.size()};
      }
      msghdr message{};
      message.msg_iov = vectors.data();
      message.msg_iovlen = count;
      const ssize_t sent = ::sendmsg(socket->value(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) {
        PollLoop::ReadyAwaiter ready = loop_.writable(socket->value());
        co_await ready;
        continue;
      }
      if (sent < 0) co_return fail(Error::closed(errno_words(errno)));
      skip += static_cast<size_t>(sent);
      while (!parts.empty() && skip >= parts[0].size()) {
        skip -= parts[0].size();
        parts = parts.subspan(1);
      }
    }
    co_return Result<void>();
  }

  void close() override { socket_->close(); }
  [[nodiscard]] Endpoint local() const override { return local_; }
  [[nodiscard]] Endpoint remote() const override { return remote_; }

 private:
  PollLoop& loop_;
  std::shared_ptr<Descriptor> socket_;
  Endpoint local_;
  Endpoint remote_;
};

class InputStream final : public runtime::Stream {
 public:
  InputStream(PollLoop& loop, int descriptor) : loop_(loop), descriptor_(descriptor) {}
  Task<Result<size_t>> read_some(std::span<std::byte> buffer) override {
    for (;;) {
      if (closed_) co_return fail(Error::closed("the input is closed"));
      PollLoop::ReadyAwaiter ready = loop_.readable(descriptor_);
      co_await ready;
      const ssize_t got = ::read(descriptor_, buffer.data(), buffer.size());
      if (got >= 0) co_return static_cast<size_t>(got);
      if (errno != EINTR && errno != EAGAIN) co_return fail(Error::io(errno_words(errno)));
    }
  }
  Task<Result<void>> write(std::span<const std::span<const std::byte>>) override {
    co_return fail(Error::io("an input cannot be written"));
  }
  void close() override {
    closed_ = true;
    loop_.wake(descriptor_);
  }
  [[nodiscard]] Endpoint local() const override { return {}; }
  [[nodiscard]] Endpoint remote() const override { return {}; }

 private:
  PollLoop& loop_;
  int descriptor_;
  bool closed_ = false;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Result<std::vector<Address>> resolve(const Endpoint& to) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(to.host.c_str(), std::to_string(to.port).c_str(), &hints, &found);
  if (status != 0)
    return fail(Error::io(fmt::format("cannot resolve {}: {}", to.host, ::gai_strerror(status))));
  std::vector<Address> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    Address& address = addresses.emplace_back();
    std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
    address.size = each->ai_addrlen;
  }
  ::freeaddrinfo(found);
  return addresses;
}

}  // namespace

Task<Result<std::unique_ptr<runtime::Stream>>> TcpConnector::connect(Endpoint to, MonoTime deadline) {
  CO_TRY_ASSIGN(const std::vector<Address> addresses, resolve(to));
  std::string reason = "no address";
  for (const Address& address : addresses) {
    const int descriptor = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
      reason = errno_words(errno);
      continue;
    }
    const auto socket = std::make_shared<Descriptor>(loop_, descriptor);
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    int error = 0;
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0) {
      error = errno;
    }
    if (error == EINPROGRESS) {
      const runtime::TimerId timer = loop_.at(deadline, [socket] { socket->close(); });
      PollLoop::ReadyAwaiter ready = loop_.writable(descriptor);
      co_await ready;
      loop_.cancel(timer);
      socklen_t size = sizeof(error);
      if (socket->closed()) {
        error = ETIMEDOUT;
      } else if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
      }
    }
    if (error == 0) {
      std::unique_ptr<runtime::Stream> stream = std::make_unique<TcpStream>(loop_, socket);
      co_return stream;
    }
    reason = errno_words(error);
  }
  co_return fail(Error::io(fmt::format("cannot connect to {}:{}: {}", to.host, to.port, reason)));
}

std::unique_ptr<runtime::Stream> input_stream(PollLoop& loop, int descriptor) {
  return std::make_unique<InputStream>(loop, descriptor);
}

}  // namespace tidemark::client
