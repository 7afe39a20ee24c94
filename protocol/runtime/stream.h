// The Stream and Listener seams: Kafka connections. Production: TCP (later TLS) on Asio; simulator: in-memory
// pipes with delay, loss and cuts. A stream lives on one shard. At most one read and one write are in flight
// at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "protocol/error.h"
#include "protocol/runtime/task.h"

namespace tidemark::runtime {

struct Endpoint {
  std::string host;  // a name or an address; IPv4-mapped IPv6 addresses are unwrapped to IPv4
  uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
};

class Stream {
 public:
  virtual ~Stream() = default;
  // Reads 1..buffer.size() bytes; 0 means the peer has finished sending.
  virtual Task<Result<size_t>> read_some(std::span<std::byte> buffer) = 0;
  // Writes all of `parts`, in order, with as few system calls as it can.
  virtual Task<Result<void>> write(std::span<const std::span<const std::byte>> parts) = 0;
  // Ends both directions; pending reads and writes return ErrorKind::closed. Idempotent.
  virtual void close() = 0;
  [[nodiscard]] virtual Endpoint local() const = 0;
  [[nodiscard]] virtual Endpoint remote() const = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;
  // The next connection, on the loop of the shard that the implementation chose for it. Error when closed.
  virtual Task<Result<std::unique_ptr<Stream>>> accept() = 0;
  virtual void close() = 0;
  // The address really bound (port 0 resolved).
  [[nodiscard]] virtual Endpoint local() const = 0;
};

// Opens outgoing connections (the client library; later the fetchers).
class Connector {
 public:
  virtual ~Connector() = default;
  virtual Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to, MonoTime deadline) = 0;
};

}  // namespace tidemark::runtime
