#include "broker/daemon.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "broker/node.h"
#include "broker/observe/health.h"
#include "broker/observe/http_server.h"
#include "broker/observe/metrics.h"
#include "broker/open_files.h"
#include "broker/runtime/os_random.h"
#include "broker/runtime/process_usage.h"
#include "broker/runtime/shard_thread.h"
#include "broker/runtime/system_clock.h"
#include "broker/runtime/tcp.h"
#include "broker/runtime/thread_lane.h"
#include "broker/runtime/timed_lane.h"
#include "broker/server/shard_server.h"
#include "protocol/runtime/milliseconds.h"
#include "protocol/version.h"
#include "storage/posix/posix_file_system.h"
#include "storage/rocksdb/rocksdb_store.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

constexpr auto kDrainTime = std::chrono::seconds(10);
constexpr uint64_t kWantedOpenFiles = 100'000;

// A task on another thread's loop, and the calling thread until it has its value.
template <class T>
class Waited {
 public:
  void start(runtime::Scheduler& loop, runtime::TaskScope& scope, std::function<Task<T>()> make) {
    loop.post([this, &scope, make] { scope.spawn(finish(make())); });
  }
  T wait() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return value_.has_value(); });
    return std::move(*value_);
  }

 private:
  Task<void> finish(Task<T> task) {
    auto value = co_await task;
    const std::lock_guard lock(mutex_);
    value_.emplace(std::move(value));
    done_.notify_one();
  }
  std::mutex mutex_;
  std::condition_variable done_;
  std::optional<T> value_;
};

template <class T>
T wait_for(runtime::Scheduler& loop, runtime::TaskScope& scope, std::function<Task<T>()> make) {
  Waited<T> waited;
  waited.start(loop, scope, std::move(make));
  return waited.wait();
}

ServerOptions server_options(const config::BrokerConfig& c) {
  ServerOptions options;
  options.max_frame_bytes = static_cast<size_t>(c.socket_request_max_bytes);
  options.max_in_flight = static_cast<size_t>(c.connection_max_in_flight);
  options.max_queued = static_cast<size_t>(c.queued_max_requests);
  options.max_idle = runtime::saturating_ms(std::max<int64_t>(c.connections_max_idle_ms, 0));
  options.max_queue_time = runtime::saturating_ms(c.request_queue_time_max_ms);
  options.max_connections = static_cast<uint32_t>(c.max_connections);
  options.max_connections_per_address = static_cast<uint32_t>(c.max_connections_per_ip);
  return options;
}

// What requests may hold: half of the memory, or what queued.max.request.bytes leaves of it. On top of that
// RequestMemory keeps an eighth for small frames: the largest frame that is allowed must still fit.
uint64_t request_memory(const config::BrokerConfig& c) {
  const auto half = static_cast<uint64_t>(c.memory_limit) / 2;
  if (c.queued_max_request_bytes <= 0) return half;
  const auto queued = static_cast<uint64_t>(c.queued_max_request_bytes);
  return std::min(half, queued + queued / 7 + 8);
}

// What keeps an address from being listened on, and what to do.
Error cannot_listen(const Error& error, std::string_view remedy) {
  return Error::io(fmt::format("{}: {}", error.message(), remedy));
}

size_t shard_count(const config::NodeConfig& config) {
  if (config.broker.shards > 0) return static_cast<size_t>(config.broker.shards);
  return std::clamp<size_t>(std::thread::hardware_concurrency(), 1, config::kMostShards);
}

// Before anything is opened.
Result<OpenFiles> allowed_open_files(const config::NodeConfig& config, Log& log) {
  const OpenFiles files =
      divide_open_files(raise_open_file_limit(kWantedOpenFiles), config, shard_count(config));
  if (files.limit < files.needed) {
    return fail(Error::config(
        fmt::format("the limit of open files is {}, and this node needs at least {}: raise it (ulimit -n, "
                    "LimitNOFILE); {} are wanted",
                    files.limit, files.needed, files.wanted)));
  }
  if (files.limit < files.wanted) {
    log.warn("few open files are allowed: raise the limit (ulimit -n, LimitNOFILE)",
             {{"limit", files.limit},
              {"wanted", files.wanted},
              {"segment_files", files.segments},
              {"connections", files.connections}});
  }
  return files;
}

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// The threads, from the first to the last; whatever lives on them goes before they do.
class Daemon {
 public:
  Daemon(const config::NodeConfig& config, const OpenFiles& open_files, Log& log, storage::Planted planted)
      : config_(config),
        log_(log),
        random_(os_random_seed()),
        metrics_(shard_count(config)),
        server_metrics_(metrics_),
        node_metrics_(metrics_, metrics_.shards(), config.data_dirs.size()),
        limits_(open_files.connections),
        accept_limit_(std::make_shared<AcceptLimit>(size_t{open_files.connections} + kConnectionsToRefuse)) {
    for (size_t i = 0; i < metrics_.shards(); ++i)
      threads_.push_back(std::make_unique<ShardThread>(clock_, fmt::format("shard-{}", i)));
    NodeSeams seams(files_, random_);
    for (auto& thread : threads_) seams.shards.push_back(&thread->scheduler());
    seams.make_lane = [this](const std::string& name) {
      Histogram& seconds =
          metrics_.histogram("tidemark_lane_seconds",
                             "Time of each piece of blocking work; of a journal's lane: a synced "
                             "write",
                             latency_bounds(), {{"lane", name}});
      return std::make_unique<TimedLane>(std::make_unique<ThreadLane>(name), clock_, seconds);
    };
    seams.open_store = [this](const std::string& path) -> Result<std::unique_ptr<storage::KeyValueStore>> {
      auto on_drop = [log = &log_](const std::string& reason) {
        log->warn("the key-value store is given up until the next start, which will read more",
                  {{"reason", reason}});
      };
      TRY_ASSIGN(auto opened, storage::open_rocksdb(path, std::move(on_drop)));
      if (!opened.set_aside.empty())
        log_.warn("the key-value store was begun anew", {{"reason", opened.set_aside}});
      return std::move(opened.store);
    };
    seams.log = &log_;
    seams.on_offline = [this](const Error& error) { fail_folder(error); };
    seams.metrics = &node_metrics_;
    seams.planted = planted;
    seams.max_open_segments = open_files.segments;
    node_ = std::make_unique<Node>(config_, std::move(seams));
    NodeMetrics::watch_folders(metrics_, node_->folders());
  }

  ~Daemon() {
    for (auto& thread : threads_) thread->stop();
    metrics_lane_.reset();  // what is scraped looks at the others
    servers_.clear();
    listeners_.clear();
    http_.reset();
    scope_.destroy_all();
    node_.reset();
  }

  Result<void> start() {
    for (auto& thread : threads_) thread->start();
    TRY(bind());
    TRY(serve_http());
    runtime::Scheduler& loop = threads_[0]->scheduler();
    TRY(wait_for<Result<void>>(loop, scope_, [this] { return node_->start(); }));
    for (const std::string& exposure : config_.exposures) log_.warn(exposure);
    serve();
    loop.post([this] {
      readiness_.watch([this] { return node_->stalled(clock_.mono()); });
      if (!folder_failed_) readiness_.set_ready();
    });
    return {};
  }

  // Accepts no more, answers what waits, checkpoints, leaves the mark.
  Result<void> stop() {
    const runtime::MonoTime deadline = clock_.mono() + kDrainTime;
    if (!folder_failed_) threads_[0]->scheduler().post([this] { readiness_.set_waiting_for("stopping"); });
    // All at once: while one shard drains, the others must not take new requests.
    std::vector<Waited<bool>> drained(servers_.size());
    for (size_t i = 0; i < servers_.size(); ++i) {
      drained[i].start(threads_[i]->scheduler(), node_->shards()[i]->tasks(),
                       [this, i, deadline] { return drain(*servers_[i], deadline); });
    }
    for (auto& one : drained) one.wait();
    runtime::Scheduler& loop = threads_[0]->scheduler();
    return wait_for<Result<void>>(loop, scope_, [this] { return node_->stop(); });
  }

  [[nodiscard]] bool folder_failed() const { return folder_failed_; }
  [[nodiscard]] const std::string& addresses() const { return addresses_; }
  [[nodiscard]] const std::string& http_address() const { return http_address_; }
  [[nodiscard]] const Node& node() const { return *node_; }

 private:
  // As Kafka does when its last log folder fails: a broker that can only refuse had better end, and its next
  // start writes again what the journal holds.
  void fail_folder(const Error& error) {
    readiness_.set_waiting_for("the data folder is offline: " + error.message());
    folder_failed_ = true;
    kill(getpid(), SIGTERM);
  }

  static Task<bool> drain(ShardServer& server, runtime::MonoTime deadline) {
    auto draining = server.drain(deadline);
    co_await draining;
    co_return true;
  }

  // Before anything else: a port in use must not cost a recovery.
  Result<void> bind() {
    std::vector<AsioScheduler*> schedulers;
    for (auto& thread : threads_) schedulers.push_back(&thread->scheduler());
    for (const auto& listener : config_.listeners) {
      auto bound = listen_tcp({listener.address.host, listener.address.port}, schedulers, accept_limit_);
      if (!bound) {
        // The flag would replace all of several.
        return fail(cannot_listen(bound.error(), config_.listeners.size() == 1
                                                     ? "choose another with --listen"
                                                     : "choose another in `listeners`"));
      }
      const runtime::Endpoint local = (*bound)[0]->local();
      if (!addresses_.empty()) addresses_ += ',';
      addresses_ += fmt::format("{}:{}", local.host, local.port);
      listeners_.emplace_back(listener.name, std::move(*bound));
    }
    return {};
  }

  // Before the recovery, so that it can be watched.
  Result<void> serve_http() {
    AsioScheduler* const first = &threads_[0]->scheduler();
    auto listening = listen_tcp({config_.http.host, config_.http.port}, std::span(&first, 1));
    if (!listening) return fail(cannot_listen(listening.error(), "choose another with --http"));
    auto& bound = *listening;
    http_address_ = fmt::format("{}:{}", bound[0]->local().host, bound[0]->local().port);
    metrics_.gauge("tidemark_connections", "Open Kafka connections",
                   [this] { return static_cast<double>(limits_.total()); });
    for (size_t i = 0; i < threads_.size(); ++i) {
      const MetricLabels labels{{"shard", std::to_string(i)}};
      ShardThread* const thread = threads_[i].get();
      metrics_.counter_of(
          "tidemark_loop_stalls_total", "Times that a shard's loop came to its timers over 50 ms late",
          [thread] { return static_cast<double>(thread->stalls()); }, labels);
      metrics_.gauge(
          "tidemark_loop_longest_stall_seconds", "The longest such delay within the last minute or two",
          [thread] { return std::chrono::duration<double>(thread->longest_stall()).count(); }, labels);
    }
    http_ = std::make_unique<HttpServer>(*first);
    add_process_metrics();
    add_recovery_metrics();
    add_health_routes(*http_, *first, *metrics_lane_, metrics_, readiness_);
    auto held = std::make_shared<std::unique_ptr<runtime::Listener>>(std::move(bound[0]));
    first->post([this, held] {
      http_->serve(std::move(*held));
      scope_.spawn(watch_start());
    });
    return {};
  }

  // By Prometheus' own names, so that what shows any process shows this one.
  void add_process_metrics() {
    const auto read = [] {
      const ProcessUsage usage = process_usage();
      std::vector<std::pair<MetricLabels, std::vector<double>>> one;
      one.emplace_back(MetricLabels{}, std::vector{static_cast<double>(usage.resident_bytes),
                                                   static_cast<double>(usage.open_files),
                                                   static_cast<double>(usage.max_open_files)});
      return one;
    };
    metrics_.gauges({{"process_resident_memory_bytes", "Memory of the process that is in use"},
                     {"process_open_fds", "Open files and connections"},
                     {"process_max_fds", "How many there may be"}},
                    read);
    metrics_.counter_of("process_cpu_seconds_total", "Processor time, user and system",
                        [] { return process_cpu_seconds(); });
    const double began = std::chrono::duration<double>(clock_.wall().time_since_epoch()).count();
    metrics_.gauge("process_start_time_seconds", "When the process began, in Unix time",
                   [began] { return began; });
    metrics_.gauge("tidemark_build_info", "1; the release that runs", [] { return 1.0; },
                   {{"version", TIDEMARK_VERSION}});
    metrics_.gauge("tidemark_memory_limit_bytes", "memory.limit, or what stands for it",
                   [this] { return static_cast<double>(memory_limit(config_)); });
  }

  void add_recovery_metrics() {
    const NodeStatus& status = node_->status();
    metrics_.gauge("tidemark_recovery_logs", "Logs that the start has found",
                   [&status] { return static_cast<double>(status.logs_total); });
    metrics_.gauge("tidemark_recovery_logs_recovered", "Of those, the ones that are recovered",
                   [&status] { return static_cast<double>(status.logs_recovered); });
  }

  // Says how far the start has come.
  Task<void> watch_start() {
    using Phase = NodeStatus::Phase;
    const NodeStatus& status = node_->status();
    while (true) {
      const Phase phase = status.phase;
      if (phase == Phase::ready || phase == Phase::failed || phase == Phase::stopping) co_return;
      std::string what = "starting";
      if (phase == Phase::replaying_journal) what = "replaying the journal";
      if (phase == Phase::recovering_logs)
        what =
            fmt::format("recovering logs: {} of {}", status.logs_recovered.load(), status.logs_total.load());
      if (phase == Phase::opening_partitions) what = "opening partitions";
      readiness_.set_waiting_for(std::move(what));
      auto pause = runtime::sleep_for(threads_[0]->scheduler(), std::chrono::milliseconds(20));
      co_await pause;
    }
  }

  void serve() {
    memory_ = std::make_unique<RequestMemory>(request_memory(config_.broker), threads_.size());
    metrics_.gauge("tidemark_request_memory_bytes", "Memory that requests hold",
                   [this] { return static_cast<double>(memory_->used()); });
    metrics_.gauge("tidemark_request_memory_limit_bytes", "Memory that requests may hold",
                   [this] { return static_cast<double>(memory_->limit()); });
    const ShardServer::Shared shared{*memory_, limits_, log_, server_metrics_};
    for (size_t i = 0; i < threads_.size(); ++i) {
      servers_.push_back(std::make_unique<ShardServer>(i, threads_[i]->scheduler(), node_->handler(i), shared,
                                                       server_options(config_.broker)));
    }
    for (size_t i = 0; i < threads_.size(); ++i) {
      threads_[i]->scheduler().post(
          [server = servers_[i].get(), shard = node_->shards()[i].get(), quotas = &node_->quotas(i)] {
            server->set_connection_quota(
                [quotas](const std::string& address) { return quotas->connection_pause(address); });
            shard->watch_views(
                [server](const ClusterView& view) { server->set_options(server_options(view.broker)); });
            // Settings that were changed in an earlier life.
            server->set_options(server_options(shard->view()->broker));
          });
    }
    for (auto& [name, listeners] : listeners_) {
      for (size_t i = 0; i < listeners.size(); ++i) {
        auto held = std::make_shared<std::unique_ptr<runtime::Listener>>(std::move(listeners[i]));
        threads_[i]->scheduler().post([server = servers_[i].get(), held, listener = name] {
          server->serve(std::move(*held), listener);
        });
      }
    }
  }

  const config::NodeConfig& config_;
  Log& log_;
  SystemClock clock_;
  storage::PosixFileSystem files_;
  runtime::SeededRandom random_;
  Metrics metrics_;
  ServerMetrics server_metrics_;
  NodeMetrics node_metrics_;
  ConnectionLimits limits_;
  const std::shared_ptr<AcceptLimit> accept_limit_;
  std::unique_ptr<RequestMemory> memory_;
  std::vector<std::unique_ptr<ShardThread>> threads_;
  std::unique_ptr<Node> node_;
  runtime::TaskScope scope_;  // shard 0's, for start and stop
  std::vector<std::pair<std::string, std::vector<std::unique_ptr<runtime::Listener>>>> listeners_;
  std::vector<std::unique_ptr<ShardServer>> servers_;
  std::string addresses_;
  std::string http_address_;
  Readiness readiness_;  // shard 0's
  std::atomic<bool> folder_failed_ = false;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<ThreadLane> metrics_lane_ = std::make_unique<ThreadLane>("metrics");
};

}  // namespace

int64_t default_memory_limit() {
  uint64_t bytes =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE));
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    uint64_t limit = 0;
    if (file >> limit && limit > 0) bytes = std::min(bytes, limit);
  }
  return static_cast<int64_t>(std::min<uint64_t>(bytes / 4, uint64_t{1} << 30));
}

void block_stop_signals() {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

int run_daemon(const config::NodeConfig& given, Log& log, storage::Planted planted) {
  signal(SIGPIPE, SIG_IGN);

  config::NodeConfig config = given;
  if (config.broker.memory_limit <= 0) config.broker.memory_limit = default_memory_limit();
  const SystemClock clock;
  const runtime::MonoTime began = clock.mono();
  const auto open_files = allowed_open_files(config, log);
  if (!open_files) {
    log.error("could not start", {{"reason", open_files.error().message()}});
    return 1;
  }
  Daemon daemon(config, *open_files, log, planted);
  if (auto started = daemon.start(); !started) {
    log.error("could not start", {{"reason", started.error().message()}});
    return 1;
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(clock.mono() - began);
  log.info("ready", {{"kafka", daemon.addresses()},
                     {"http", daemon.http_address()},
                     {"node", config.node_id},
                     {"data", fmt::format("{}", fmt::join(config.data_dirs, ","))},
                     {"ms", took.count()}});
  const sigset_t signals = stop_signals();
  int caught = 0;
  sigwait(&signals, &caught);
  if (daemon.folder_failed()) {
    (void)daemon.stop();
    log.error(
        "ended because the data folder failed: nothing that was acknowledged is lost as long as the disk "
        "keeps it",
        {{"advice", kFolderAdvice}});
    return 1;
  }
  log.info("stopping", {{"signal", caught == SIGTERM ? "SIGTERM" : "SIGINT"}});
  if (auto stopped = daemon.stop(); !stopped) {
    log.error("stopped, but not cleanly: the next start replays the journal",
              {{"reason", stopped.error().message()},
               {"advice", "look at the disk before the next start, if the reason is one of it"}});
    return 0;
  }
  log.info("stopped");
  return 0;
}

}  // namespace tidemark::broker
