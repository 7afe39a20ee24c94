// One connection of the load generator, non-blocking. A request is a prebuilt frame that is sent as it
// stands, with its correlation id written in on the way: the generator spends next to nothing on a record, so
// that the broker is what is measured. Answers come in order; the caller is handed each with when its request
// was due.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

namespace tidemark::bench {

using Nanos = int64_t;

[[nodiscard]] Nanos now_ns();

// A whole request frame, length included.
using Frame = std::vector<std::byte>;

class Wire {
 public:
  struct Answer {
    std::span<const std::byte> frame;  // without the length; valid until the next call
    Nanos since = 0;
    size_t tag = 0;
  };

  // Connects, blocking. Throws what the system says.
  explicit Wire(const std::string& host_port);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] size_t in_flight() const { return pending_.size(); }
  [[nodiscard]] bool wants_write() const { return !outgoing_.empty(); }

  // Queues `frame`, which must stay as it is until answered. `since` and `tag` come back with the answer.
  void send(const Frame& frame, Nanos since, size_t tag = 0);
  // Writes what the socket takes.
  void flush();
  // Reads what the socket has. Throws on the end of the connection.
  void fill();
  // The next whole answer.
  [[nodiscard]] bool next(Answer& answer);
  // Blocking: sends and waits for the answer's frame. REQUIRES: nothing in flight.
  [[nodiscard]] std::vector<std::byte> call(const Frame& frame);

 private:
  struct Outgoing {
    const Frame* frame;
    int32_t correlation_id;
    size_t sent = 0;
  };
  struct Pending {
    int32_t correlation_id;
    Nanos since;
    size_t tag;
  };
  int fd_ = -1;
  int32_t last_id_ = 0;
  std::deque<Outgoing> outgoing_;
  std::deque<Pending> pending_;
  std::vector<std::byte> in_;
  size_t begin_ = 0;  // [begin_, end_) of in_ is read and not yet taken
  size_t end_ = 0;
};

// Waits until one of the wires can be read (or written, where it wants that), or `until`; then flushes and
// fills those.
class Poller {
 public:
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;
  void add(Wire& wire);
  void wait(Nanos until);

 private:
  struct Watched {
    Wire* wire;
    bool writing = false;
  };
  int epoll_ = -1;
  std::vector<Watched> watched_;
};

}  // namespace tidemark::bench
