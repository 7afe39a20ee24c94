// What a tidemark_client::Client stands on, and how core values become the facade's. The facade's own; lives
// in its shared_ptr, and everything but `thread` on that thread's loop.
#pragma once

#include "client/core/group_admin.h"
#include "client/runtime/loop_thread.h"
#include "client/runtime/tcp.h"
#include "tidemark/client.h"
#include "tidemark/consumer.h"

namespace tidemark_client {

namespace core = tidemark::client;

class Client::Impl {
 public:
  explicit Impl(core::ClientOptions given);
  ~Impl();

  const core::ClientOptions options;
  core::LoopThread thread;
  // On the loop.
  struct OnLoop {
    OnLoop(core::PollLoop& loop, const core::ClusterOptions& options);
    tidemark::runtime::SeededRandom random;
    core::TcpConnector connector;
    core::Cluster cluster;
    core::Admin admin;
    core::GroupAdmin groups;
  };
  std::unique_ptr<OnLoop> on_loop;
};

[[nodiscard]] Status status_of(const tidemark::Error& error);
// As ListOffsets takes it; none of an offset.
[[nodiscard]] std::optional<int64_t> time_of(const Start& start);

}  // namespace tidemark_client
