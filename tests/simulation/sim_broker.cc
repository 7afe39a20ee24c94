#include "tests/simulation/sim_broker.h"

#include <fmt/format.h>

#include <utility>

#include "broker/api/fetch_session.h"

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
  seams.whole_sync_from = options_.whole_sync_from;
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

std::optional<std::string> SimBroker::beyond_bounds() {
  const auto over = [](std::string_view what, uint64_t used, uint64_t most) {
    return used <= most ? std::nullopt
                        : std::optional(fmt::format("{} are {}, and {} at most", what, used, most));
  };
  const auto of_budget = [&](std::string_view what, const runtime::ByteBudget& memory) {
    return over(what, memory.used(), memory.limit());
  };
  if (auto found = over("bytes of requests", memory_.used(), memory_.limit())) return found;
  if (auto found = of_budget("bytes of answers", node_->answer_memory())) return found;
  if (auto found = of_budget("bytes of elements", node_->element_memory())) return found;
  if (auto found = of_budget("bytes of fetch sessions", node_->session_memory())) return found;
  const auto slots = static_cast<size_t>(options_.config.broker.max_incremental_fetch_session_cache_slots);
  for (size_t shard = 0; shard < loops_.size(); ++shard) {
    const size_t share = (slots + loops_.size() - 1) / loops_.size();
    if (auto found = over("fetch sessions of a shard", node_->sessions(shard).size(), share)) return found;
    for (size_t folder = 0; folder < node_->shards()[shard]->folders(); ++folder) {
      storage::LogStore* const store = node_->shards()[shard]->store(folder);
      if (store == nullptr) continue;
      const storage::LogStoreOptions& o = store->options();
      // The buffer that goes over the bound is let in.
      const uint64_t unwritten = o.max_unwritten_bytes + memory_.largest_frame();
      if (auto found = over("unwritten bytes", store->unwritten_bytes(), unwritten)) return found;
      const bool may_evict = store->evictable_appends() > 0;
      if (auto found = over("bytes of tails", may_evict ? store->tail_bytes() : 0, o.tail_cache_bytes))
        return found;
      if (auto found = over("bytes of live journal", store->journal().live_bytes(), o.journal.max_bytes))
        return found;
    }
  }
  return std::nullopt;
}

std::optional<std::string> SimBroker::still_held() const {
  const auto held = [](std::string_view what, uint64_t used) {
    return used == 0 ? std::nullopt
                     : std::optional(fmt::format("{} bytes of {} are held by nobody", used, what));
  };
  if (auto found = held("requests", memory_.used())) return found;
  if (auto found = held("answers", node_->answer_memory().used())) return found;
  return held("elements", node_->element_memory().used());
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
