// The Stream, Listener and Connector seams on TCP. Each object lives on one shard's loop and is destroyed
// there, or after that loop has stopped; destroying a task that waits on a stream closes the stream. Reads
// and writes do not block; nothing here starts a thread, except that resolving a name (not an address) uses
// Asio's own.
//
// One acceptor serves all shards and hands each connection to the shard with the fewest: with SO_REUSEPORT
// the kernel picks by a hash, and puts four connections evenly on two shards only three times in eight.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "broker/runtime/asio_scheduler.h"
#include "protocol/runtime/stream.h"

namespace tidemark::broker {

// Connections of several listeners that were accepted and are still there: further ones wait to be accepted
// until one goes.
struct AcceptLimit {
  explicit AcceptLimit(size_t m) : most(m) {}
  const size_t most;
  std::atomic<size_t> open{0};
};

// Listens on `address` (an empty host: every address; port 0: any free port) and returns one listener for
// each shard, in order. The shards may run already. Closing one of them stops accepting for all.
// ErrorKind::io names the address and what is wrong with it.
[[nodiscard]] Result<std::vector<std::unique_ptr<runtime::Listener>>> listen_tcp(
    const runtime::Endpoint& address, std::span<AsioScheduler* const> shards,
    std::shared_ptr<AcceptLimit> limit = nullptr);

class TcpConnector final : public runtime::Connector {
 public:
  // Connections live on `scheduler`'s loop.
  explicit TcpConnector(AsioScheduler& scheduler) : scheduler_(scheduler) {}
  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> connect(runtime::Endpoint to,
                                                                  runtime::MonoTime deadline) override;

 private:
  AsioScheduler& scheduler_;
};

// Raises the soft limit of open files to the hard one (and the hard one, where that is allowed, to `wanted`).
// Returns the soft limit that now holds.
[[nodiscard]] uint64_t raise_open_file_limit(uint64_t wanted);

}  // namespace tidemark::broker
