// A whole broker in a simulated process: broker::Node and the servers of its shards, on virtual loops, the
// simulated disk and the simulated network. What daemon.cc does, without threads, sockets and HTTP. Dies with
// its process, at any event.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/node.h"
#include "broker/observe/metrics.h"
#include "broker/server/shard_server.h"
#include "tests/simulation/sim_key_value_store.h"
#include "tests/simulation/sim_network.h"
#include "tests/simulation/sim_process.h"

namespace tidemark::simulation {

struct SimBrokerOptions {
  size_t shards = 1;
  config::NodeConfig config;
  broker::ServerOptions server;
  uint64_t request_memory_bytes = 8 << 20;
  uint64_t first_stretch_bytes = 64 << 10;
  uint64_t metadata_headroom_bytes = 32 << 10;
  uint64_t coordinator_headroom_bytes = 8 << 10;
  uint64_t stretch_bytes = 256 << 10;
  uint64_t bypass_bytes = 16 << 10;
  uint64_t checkpoint_bytes = 256 << 10;
  size_t whole_sync_from = storage::kWholeSyncFrom;
  runtime::Duration scrub_interval = std::chrono::hours(24);
  WallClock wall_clock;
  runtime::Duration cross_delay{0};
  storage::Planted planted = storage::Planted::none;
};

class SimBroker {
 public:
  // `on_log`: told of every line that an operator would read.
  SimBroker(SimProcess& process, SimNetwork& network, SimBrokerOptions options, SimStoreContent& derived,
            uint64_t seed, std::function<void(const std::string& line)> on_log);
  ~SimBroker();

  // Binds, recovers, serves; started() or failure() follows.
  void start();
  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  // Orderly: drains the connections, checkpoints, leaves the mark; stopped() or stop_failure() follows.
  void stop();
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] const std::optional<Error>& stop_failure() const { return stop_failure_; }
  // Why its data folder went offline: a daemon ends then.
  [[nodiscard]] const std::optional<Error>& offline() const { return offline_; }
  [[nodiscard]] broker::Node& node() { return *node_; }
  [[nodiscard]] const broker::ServerMetrics& counts() const { return server_metrics_; }
  // What of it is larger than its bound. REQUIRES: it has started, and not stopped.
  [[nodiscard]] std::optional<std::string> beyond_bounds();
  // What requests have taken and not given back. REQUIRES: it has stopped in order.
  [[nodiscard]] std::optional<std::string> still_held() const;

  static runtime::Endpoint address() { return {"broker", 9092}; }

 private:
  class Log;
  runtime::Task<void> run_start();
  runtime::Task<void> run_stop();
  static runtime::Task<bool> drain(broker::ShardServer& server, runtime::MonoTime deadline);
  runtime::Task<void> drain_into(size_t shard, runtime::MonoTime deadline);

  SimProcess& process_;
  SimNetwork& network_;
  const SimBrokerOptions options_;
  SimStoreContent& derived_;
  runtime::SeededRandom random_;
  std::unique_ptr<Log> log_;
  std::vector<VirtualScheduler*> loops_;
  broker::Metrics metrics_;
  broker::ServerMetrics server_metrics_;
  broker::ConnectionLimits limits_;
  broker::RequestMemory memory_;
  std::unique_ptr<broker::Node> node_;
  std::vector<std::unique_ptr<broker::ShardServer>> servers_;
  std::unique_ptr<runtime::Signal> drained_;
  size_t draining_ = 0;
  bool started_ = false;
  bool stopped_ = false;
  std::optional<Error> failure_;
  std::optional<Error> stop_failure_;
  std::optional<Error> offline_;
  runtime::TaskScope scope_;  // of the first loop; goes first
};

}  // namespace tidemark::simulation
