// The Stream and Connector seams on TCP, and the process's standard input as a Stream, all on a PollLoop.
// Nothing blocks, except that resolving a host *name* asks the system's resolver and waits for it (addresses
// don't). Objects live on the loop and go before it.
#pragma once

#include "client/runtime/poll_loop.h"
#include "protocol/runtime/stream.h"

namespace tidemark::client {

class TcpConnector final : public runtime::Connector {
 public:
  explicit TcpConnector(PollLoop& loop) : loop_(loop) {}
  // Tries the host's addresses in the resolver's order. ErrorKind::io names the endpoint and what is wrong.
  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> connect(runtime::Endpoint to,
                                                                  runtime::MonoTime deadline) override;

 private:
  PollLoop& loop_;
};

// Reads a descriptor that somebody else owns; it cannot be written.
[[nodiscard]] std::unique_ptr<runtime::Stream> input_stream(PollLoop& loop, int descriptor);

}  // namespace tidemark::client
