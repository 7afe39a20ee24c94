#include "tests/simulation/sim_broker.h"

#include <utility>

namespace tidemark::simulation {

using runtime::Task;

namespace {

constexpr auto kDrainTime = std::chrono::seconds(10);

// The node owns its lanes, the process owns the simulated ones: a node's lane is a handle.
class LaneHandle final : public runtime::Lane {
 public:
  explicit LaneHandle(SimLane& lane) : lane_(lane) {}
  void submit(runtime::Job work, runtime::Scheduler& home, runtime::Job done) override {
    lane_.submit(std::move(work), home, std::move(done));
  }
  [[nodiscard]] size_t depth() const override { return lane_.depth(); }

 private:
  SimLane& lane_;
};

}  // namespace

class SimBroker::Log final : public broker::Log {
 public:
  explicit Log(std::function<void(const std::string&)> tell) : tell_(std::move(tell)) {}
  void write(broker::LogLevel, std::string_view event, std::span<const broker::LogField> fields) override {
    tell_(broker::format_event(broker::LogFormat::text, event, fields));
  }

 private:
  std::function<void(const std::string&)> tell_;
};

SimBroker::SimBroker(SimProcess& process, SimNetwork& network, SimBrokerOptions options,
                     SimStoreContent& derived, uint64_t seed,
                     std::function<void(const std::string& line)> on_log)
    : process_(process),
      network_(network),
      options_(std::move(options)),
      derived_(derived),
      random_(seed),
      log_(std::make_unique<Log>(std::move(on_log))),
      metrics_(options_.shards),
      server_metrics_(metrics_),
      memory_(options_.request_memory_bytes, options_.shards) {
  broker::NodeSeams seams(process.files(), random_);
  for (size_t i = 0; i < options_.shards; ++i) {
    loops_.push_back(&process.add_loop(options_.wall_clock, options_.cross_delay));
    seams.shards.push_back(loops_.back());
  }
  seams.make_lane = [this](const std::string&) -> std::unique_ptr<runtime::Lane> {
    return std::make_unique<LaneHandle>(process_.add_lane(options_.cross_delay));
  };
  seams.open_store = [this](const std::string& path) -> Result<std::unique_ptr<storage::KeyValueStore>> {
    const bool first = path.starts_with(options_.config.data_dirs.front() + "/");
    return std::make_unique<SimKeyValueStore>(derived_, first ? "" : path + " ");
  };
  seams.log = log_.get();
  seams.on_offline = [this](const Error& error) { offline_ = error; };
  seams.planted = options_.planted;
  seams.first_stretch_bytes = options_.first_stretch_bytes;
  seams.metadata_headroom_bytes = options_.metadata_headroom_bytes;
  seams.coordinator_headroom_bytes = options_.coordinator_headroom_bytes;
  seams.stretch_bytes = options_.stretch_bytes;
  seams.bypass_bytes = options_.bypass_bytes;
  seams.checkpoint_bytes = options_.checkpoint_bytes;
  seams.scrub_interval = options_.scrub_interval;
  node_ = std::make_unique<broker::Node>(options_.config, std::move(seams));
}

SimBroker::~SimBroker() {
  scope_.destroy_all();
  servers_.clear();
  node_.reset();
  // What is still on its way between the shards holds frames, which are paid for out of memory_.
  process_.drop_work();
}

void SimBroker::start() {
  loops_[0]->post([this] { scope_.spawn(run_start()); });
}

Task<void> SimBroker::run_start() {
  // Bound before the recovery, as in the daemon: who connects early waits to be accepted.
  std::vector<std::shared_ptr<std::unique_ptr<runtime::Listener>>> listeners;
  for (VirtualScheduler* loop : loops_) {
    auto bound = network_.listen(address(), *loop);
    listeners.push_back(std::make_shared<std::unique_ptr<runtime::Listener>>(std::move(bound)));
  }
  auto starting = node_->start();
  auto started = co_await starting;
  if (!started) {
    failure_ = started.error();
    co_return;
  }
  const broker::ShardServer::Shared shared{memory_, limits_, *log_, server_metrics_};
  for (size_t i = 0; i < loops_.size(); ++i) {
    servers_.push_back(
        std::make_unique<broker::ShardServer>(i, *loops_[i], node_->handler(i), shared, options_.server));
  }
  for (size_t i = 0; i < loops_.size(); ++i) {
    loops_[i]->post(
        [server = servers_[i].get(), held = listeners[i]] { server->serve(std::move(*held), "PLAINTEXT"); });
  }
  started_ = true;
}

Task<bool> SimBroker::drain(broker::ShardServer& server, runtime::MonoTime deadline) {
  auto draining = server.drain(deadline);
  co_await draining;
  co_return true;
}

Task<void> SimBroker::drain_into(size_t shard, runtime::MonoTime deadline) {
  auto make = [server = servers_[shard].get(), deadline] { return drain(*server, deadline); };
  auto calling = node_->shards()[shard]->call(*loops_[0], std::move(make));
  (void)co_await calling;
  --draining_;
  drained_->notify_all();
}

void SimBroker::stop() {
  loops_[0]->post([this] { scope_.spawn(run_stop()); });
}

Task<void> SimBroker::run_stop() {
  const runtime::MonoTime deadline = loops_[0]->clock().mono() + kDrainTime;
  drained_ = std::make_unique<runtime::Signal>(*loops_[0]);
  draining_ = servers_.size();
  for (size_t i = 0; i < servers_.size(); ++i) scope_.spawn(drain_into(i, deadline));
  while (draining_ > 0) {
    auto waiting = drained_->wait();
    co_await waiting;
  }
  auto stopping = node_->stop();
  auto stopped = co_await stopping;
  if (!stopped) stop_failure_ = stopped.error();
  stopped_ = stopped.has_value();
}

}  // namespace tidemark::simulation
