#include "tests/bench/load/wire.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace tidemark::bench {
namespace {

constexpr size_t kCorrelationAt = 8;  // behind the length, key and version
constexpr size_t kHeadBytes = kCorrelationAt + sizeof(int32_t);
constexpr size_t kReadBytes = size_t{1} << 18;

[[noreturn]] void fail_errno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

int32_t load_int32(const std::byte* at) {
  uint32_t wire;
  std::memcpy(&wire, at, sizeof(wire));
  return static_cast<int32_t>(__builtin_bswap32(wire));
}

}  // namespace

Nanos now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Wire::Wire(const std::string& host_port) : in_(kReadBytes) {
  const size_t colon = host_port.rfind(':');
  if (colon == std::string::npos) throw std::runtime_error("an address is HOST:PORT, not " + host_port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host_port.substr(0, colon).c_str(), host_port.substr(colon + 1).c_str(), &hints,
                    &found) != 0)
    throw std::runtime_error("unknown address " + host_port);
  fd_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int connected = fd_ < 0 ? -1 : ::connect(fd_, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  if (connected != 0) {
    const int error = errno;
    if (fd_ >= 0) ::close(fd_);
    errno = error;
    fail_errno("connect");
  }
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::fcntl(fd_, F_SETFL, O_NONBLOCK);
}

Wire::~Wire() { ::close(fd_); }

void Wire::send(const Frame& frame, Nanos since, size_t tag) {
  const int32_t id = ++last_id_;
  outgoing_.push_back({&frame, id});
  pending_.push_back({id, since, tag});
}

void Wire::flush() {
  while (!outgoing_.empty()) {
    Outgoing& out = outgoing_.front();
    const Frame& frame = *out.frame;
    std::array<std::byte, kHeadBytes> head;
    std::memcpy(head.data(), frame.data(), kCorrelationAt);
    const uint32_t id = __builtin_bswap32(static_cast<uint32_t>(out.correlation_id));
    std::memcpy(head.data() + kCorrelationAt, &id, sizeof(id));
    std::array<iovec, 2> parts;
    size_t count = 0;
    if (out.sent < kHeadBytes) parts[count++] = {head.data() + out.sent, kHeadBytes - out.sent};
    const size_t from = std::max(out.sent, kHeadBytes);
    parts[count++] = {const_cast<std::byte*>(frame.data()) + from, frame.size() - from};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) fail_errno("send");
    out.sent += static_cast<size_t>(sent);
    if (out.sent == frame.size()) outgoing_.pop_front();
  }
}

void Wire::fill() {
  if (begin_ > 0) {
    std::memmove(in_.data(), in_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (in_.size() - end_ < kReadBytes / 2) in_.resize(2 * in_.size());
  const ssize_t got = ::recv(fd_, in_.data() + end_, in_.size() - end_, 0);
  if (got == 0) throw std::runtime_error("the broker closed the connection");
  if (got < 0 && errno != EAGAIN && errno != EINTR) fail_errno("receive");
  if (got > 0) end_ += static_cast<size_t>(got);
}

bool Wire::next(Answer& answer) {
  if (end_ - begin_ < kHeadBytes - kCorrelationAt) return false;
  const auto size = static_cast<size_t>(load_int32(in_.data() + begin_));
  if (end_ - begin_ < sizeof(int32_t) + size) return false;
  const std::byte* frame = in_.data() + begin_ + sizeof(int32_t);
  if (pending_.empty() || load_int32(frame) != pending_.front().correlation_id)
    throw std::runtime_error("an answer to another request");
  answer = {.frame = std::span(frame, size), .since = pending_.front().since, .tag = pending_.front().tag};
  pending_.pop_front();
  begin_ += sizeof(int32_t) + size;
  return true;
}

std::vector<std::byte> Wire::call(const Frame& frame) {
  send(frame, now_ns());
  for (;;) {
    flush();
    Answer answer;
    if (next(answer)) return {answer.frame.begin(), answer.frame.end()};
    pollfd polled{
        .fd = fd_, .events = static_cast<short>(POLLIN | (wants_write() ? POLLOUT : 0)), .revents = 0};
    if (::poll(&polled, 1, 60'000) == 0) throw std::runtime_error("no answer within a minute");
    if ((polled.revents & ~POLLOUT) != 0) fill();
  }
}

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) fail_errno("epoll_create1");
}

Poller::~Poller() { ::close(epoll_); }

void Poller::add(Wire& wire) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = watched_.size()}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, wire.fd(), &event) != 0) fail_errno("epoll_ctl");
  watched_.push_back({&wire});
}

void Poller::wait(Nanos until) {
  for (size_t i = 0; i < watched_.size(); ++i) {
    Watched& watched = watched_[i];
    if (watched.wire->wants_write()) watched.wire->flush();
    if (watched.wire->wants_write() == watched.writing) continue;
    watched.writing = !watched.writing;
    epoll_event event{.events = watched.writing ? EPOLLIN | EPOLLOUT : EPOLLIN, .data = {.u64 = i}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, watched.wire->fd(), &event) != 0) fail_errno("epoll_ctl");
  }
  const Nanos left = std::max<Nanos>(until - now_ns(), 0);
  const timespec timeout{.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
  std::array<epoll_event, 64> events;
  const int count = ::epoll_pwait2(epoll_, events.data(), events.size(), &timeout, nullptr);
  if (count < 0 && errno != EINTR) fail_errno("epoll_pwait2");
  for (int i = 0; i < count; ++i) {
    Wire& wire = *watched_[events[static_cast<size_t>(i)].data.u64].wire;
    if ((events[static_cast<size_t>(i)].events & EPOLLOUT) != 0) wire.flush();
    if ((events[static_cast<size_t>(i)].events & ~uint32_t{EPOLLOUT}) != 0) wire.fill();
  }
}

}  // namespace tidemark::bench
