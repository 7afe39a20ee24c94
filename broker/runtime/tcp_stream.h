// A TCP connection as a Stream; for the .cc files of this folder that speak to Asio.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "protocol/runtime/stream.h"

namespace tidemark::broker {

using Tcp = boost::asio::ip::tcp;

// IPv4-mapped addresses become IPv4: a client of a dual-stack socket must be told an address of its own kind.
[[nodiscard]] runtime::Endpoint to_endpoint(const Tcp::endpoint& endpoint);
// A connected socket, on its loop. `lifetime` is dropped when the stream goes.
[[nodiscard]] std::unique_ptr<runtime::Stream> make_tcp_stream(Tcp::socket socket,
                                                               std::shared_ptr<void> lifetime);

}  // namespace tidemark::broker
