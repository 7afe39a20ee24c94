// One shard's connections: accepts them, keeps them within the node's limits, sweeps out the idle and the
// stalled, and drains them when the node stops. Owned by the node, used on the shard's loop, destroyed there
// or after the loop has stopped. Handler, memory, limits, log and metrics outlive it.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "broker/server/connection.h"
#include "broker/server/connection_limits.h"

namespace tidemark::broker {

class ShardServer {
 public:
  // The node's, shared by its shards.
  struct Shared {
    RequestMemory& memory;
    ConnectionLimits& limits;
    Log& log;
    ServerMetrics& metrics;
  };
  static constexpr runtime::Duration kSweepInterval = std::chrono::milliseconds(100);
  static constexpr uint32_t kLogLinesPerSecond = 10;  // of those that strangers cause

  ShardServer(size_t shard, runtime::Scheduler& loop, RequestHandler& handler, const Shared& shared,
              ServerOptions options);
  ~ShardServer();
  ShardServer(const ShardServer&) = delete;
  ShardServer& operator=(const ShardServer&) = delete;

  // Accepts from `listener` until it is closed or drain(); may be called for several.
  void serve(std::unique_ptr<runtime::Listener> listener, std::string name);
  // Accepts no more, reads no more, lets parked requests be answered, and returns when the last connection
  // has closed; those left at `deadline` are cut off, and what they had started is abandoned. Called once.
  runtime::Task<void> drain(runtime::MonoTime deadline);
  // Asked for each new connection: how long its address has to pause (KIP-612); zero: it is welcome. As in
  // Kafka a connection that comes too early is not read from, and closed when the pause is over.
  using ConnectionQuota = std::function<runtime::Duration(const std::string& address)>;
  void set_connection_quota(ConnectionQuota quota) { connection_quota_ = std::move(quota); }
  static constexpr size_t kMostTurnedAway = 1000;  // held open at a time; what is beyond is closed at once
  // For connections and requests to come.
  void set_options(ServerOptions options);

  [[nodiscard]] size_t connections() const { return connections_.size(); }

 private:
  struct Open {
    std::shared_ptr<Connection> connection;
    ConnectionLimits::Lease lease;
  };
  runtime::Task<void> accept_all(runtime::Listener& listener, std::string name);
  void open(std::unique_ptr<runtime::Stream> stream, const std::string& listener);
  void remove(uint64_t id);
  // Closes it when the pause is over.
  runtime::Task<void> turn_away(std::unique_ptr<runtime::Stream> stream, ConnectionLimits::Lease lease,
                                runtime::Duration pause);
  void sweep();
  [[nodiscard]] static ServerOptions bounded(ServerOptions options, const RequestMemory& memory);

  const size_t shard_;
  runtime::Scheduler& loop_;
  Shared shared_;
  ServerOptions options_;
  Admission admission_;
  LogLimiter log_limiter_{kLogLinesPerSecond};
  WritePins pins_;
  RequestQueue queue_;
  ConnectionServices services_;
  ConnectionQuota connection_quota_;
  size_t turned_away_ = 0;  // and not closed yet
  bool draining_ = false;
  uint64_t next_id_ = 0;
  runtime::TimerId sweep_timer_;
  runtime::Signal emptied_;  // the last connection has closed
  std::vector<std::unique_ptr<runtime::Listener>> listeners_;
  std::map<uint64_t, Open> connections_;  // by id
  std::shared_ptr<ShardServer*> self_;    // empties when this goes: for jobs in the queue
  runtime::TaskScope tasks_;
};

}  // namespace tidemark::broker
