#include "tests/simulation/node_simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "storage/partition_state.h"
#include "tests/simulation/library_clients.h"
#include "tests/simulation/node_consumer.h"
#include "tests/simulation/node_features.h"
#include "tests/simulation/node_member.h"
#include "tests/simulation/node_producer.h"
#include "tests/simulation/node_verifier.h"

namespace tidemark::simulation {
namespace {

using namespace std::chrono_literals;
using runtime::Duration;
using runtime::MonoTime;

constexpr size_t kNames = 5;
// Healed, a node has this long to start, to answer every client and to be looked through.
constexpr Duration kRecoveryTime = 120s;

enum class End : uint8_t { crash_at_operation, crash_at_time, clean_stop, last, verified };

class NodeSimulation {
 public:
  NodeSimulation(const SeedOptions& options, FaultCounters& counters)
      : options_(options),
        counters_(counters),
        time_(options.seed * 8),
        disk_(options.seed * 8 + 1, counters, &time_.trace()),
        derived_(disk_, counters),
        network_(time_, options.seed * 8 + 2, counters),
        run_(time_, network_, options.seed * 8 + 3, kNames, counters),
        random_(options.seed * 8 + 4),
        world_(time_),
        cleaned_(options.seed ^ 0xC1EA4),
        lost_(options.seed ^ 0x1057),
        clocks_(options.seed ^ 0xC10C),
        ways_(options.seed ^ 0x3A7),
        began_(time_.mono()) {
    if (options.show_disk) {
      disk_.on_operation = [this](DiskOp op, std::string_view path, uint64_t position, uint64_t bytes) {
        show(fmt::format("  {} {} {}+{}", disk_op_name(op), path, position, bytes));
      };
    }
    if (options.verbose) run_.show = [this](const std::string& what) { show(what); };
    declare_node_counters(counters);
    features_ = draw_features(random_);
    run_.workload = draw_workload(random_);
    broker_ = draw_broker(random_);
    usual_skew_ = broker_.wall_clock.skew;
    clock_jumps_ = clocks_.chance(0.4);
    draw_compaction(options.seed, run_.workload, broker_);
    draw_folders(options.seed, features_, broker_);
    if (features_.second_folder) counters_.count("world: second data folder");
    draw_caching(options.seed, features_);
    disk_.draw_whole_syncs(options.seed);
    broker_.whole_sync_from = 2;
    draw_static_members(options.seed, run_.workload);
    const Duration longer = draw_expiry(options.seed, began_, run_.workload, broker_);
    duration_ = std::max(options.duration, longer);
    most_operations_ = options.operations + (longer > options.duration ? 4'000 : 1'000);
    broker_.planted = options.planted;
    // This plant answers before it can know that a write failed, and nobody is answered twice.
    if (options.planted == storage::Planted::ack_before_sync) features_.disk_errors = false;
    disk_.faults.writes_back = *(std::initializer_list<double>{0.0, 0.02, 0.2}.begin() + random_.below(3));
    for (size_t i = 0; i < run_.workload.producers; ++i)
      producers_.push_back(std::make_unique<NodeProducer>(run_, fmt::format("producer-{}", i)));
    for (size_t i = 0; i < run_.workload.consumers; ++i)
      others_.push_back(std::make_unique<NodeConsumer>(run_, fmt::format("consumer-{}", i)));
    for (size_t i = 0; i < run_.workload.admins; ++i)
      others_.push_back(std::make_unique<NodeAdmin>(run_, fmt::format("admin-{}", i)));
    for (size_t i = 0; i < run_.workload.members; ++i)
      members_.push_back(std::make_unique<NodeMember>(run_, fmt::format("member-{}", i)));
    verifier_ = std::make_unique<NodeVerifier>(run_, "verifier");
    if (draw_library(options.seed, features_, run_.workload)) {
      library_ = std::make_unique<LibraryClients>(run_, options.seed);
      run_.library = true;
    }
  }

  SeedResult run() {
    for_clients([](NodeClient& client) { client.begin(); });
    if (library_) library_->begin();
    while (!run_.violation && !over_) live();
    SeedResult result;
    result.violation = run_.violation;
    result.trace = time_.trace().value();
    result.events = time_.events_run();
    result.disk_operations = disk_.operations();
    result.operations = run_.operations;
    result.crashes = crashes_;
    result.virtual_time = time_.mono() - began_;
    return result;
  }

 private:
  bool draw(double probability) { return random_.chance(probability); }
  [[nodiscard]] bool cleans() const {
    return run_.workload.keys > 0 || run_.workload.offsets_retention.count() > 0;
  }
  void for_clients(const std::function<void(NodeClient&)>& each) {
    for (const auto& producer : producers_) each(*producer);
    for (const auto& other : others_) each(*other);
    for (const auto& member : members_) each(*member);
  }
  void say(const std::string& what) {
    if (options_.verbose) show(what);
  }
  void show(const std::string& what) const {
    fmt::print("[{:9.3f} s] {}\n", std::chrono::duration<double>(time_.mono() - began_).count(), what);
  }

  // --- one life of the process

  void live() {
    const size_t shards = 1 + random_.below(3);
    if (run_.life > 0 && shards != broker_.shards) counters_.count("world: another number of shards");
    broker_.shards = shards;
    if (features_.derived_removed && draw(0.3)) derived_.remove_all();
    SimProcess process(time_, disk_);
    ++run_.life;
    // Its disk was not mounted, say.
    const bool left_out = features_.second_folder && features_.disk_errors && !ending() && draw(0.15);
    if (features_.second_folder) {
      broker_.config.data_dirs.resize(1);
      if (!left_out) broker_.config.data_dirs.emplace_back(kSecondFolder);
    }
    if (left_out) counters_.count("world: second data folder left out");
    if (features_.caching) {
      const bool caching = draw(0.5);
      broker_.config.properties["write.caching"] = caching ? "true" : "false";
      if (caching) counters_.count("world: life with write.caching");
    }
    run_.life_began = time_.mono();
    broker_.wall_clock = draw_wall_clock(clocks_, usual_skew_, clock_jumps_ && !ending(), time_.mono());
    run_.walls.begins(broker_.wall_clock);
    count_clock(counters_, run_.walls, run_.life);
    auto& broker = process.host<SimBroker>(process, network_, broker_, derived_, random_.next(),
                                           [this](const std::string& line) { judge_line(line); });
    disk_.stop_errors();
    run_.disk_may_fail = left_out;
    first_may_fail_ = false;
    run_.stopping = false;
    stalled_before_life_ = disk_.stalled();
    run_.disk_may_be_full = disk_.quota_bytes < SimDisk::kNoQuota;
    if (run_.disk_may_be_full) run_.last_full_life = run_.life;
    if (draw(0.5)) heal_disk();
    plan_end();
    say(fmt::format("life {} with {} shards, its clock {} ms off", run_.life, shards,
                    broker_.wall_clock.skew.count()));
    broker.start();
    live_until_end(process, broker);
    if (!process.ended()) end_by_crash(process);
    run_.life_ended = time_.mono();
    run_.walls.ends(run_.life_ended);
    run_.stopping = false;
    world_.drop_events();
    if (features_.folder_lost && !ending() && lost_.chance(0.25)) lose_second_folder();
    // The machine is down for a while, or the process is started again at once.
    if (!over_ && !run_.violation && draw(0.7)) pass(Duration(random_.below(1'500'000'000)));
  }

  // This life is a whole one, or the one that looks at what that has left.
  bool ending() const {
    return stopped_last_ || (run_.operations >= options_.operations && crashes_ >= options_.crashes &&
                             time_.mono() - began_ >= duration_);
  }

  void plan_end() {
    end_ = End::crash_at_operation;
    in_exchange_ = false;
    end_time_ = runtime::kNever;
    disk_.crash_at(0);
    if (ending()) {
      end_ = stopped_last_ ? End::verified : End::last;
      heal();
      end_time_ = time_.mono() + kRecoveryTime;
      return;
    }
    if (features_.clean_stops && draw(0.25)) {
      end_ = End::clean_stop;
    } else if (draw(0.5)) {
      end_ = End::crash_at_time;
    }
    const auto span = static_cast<uint64_t>(options_.duration.count()) / 3;
    end_time_ = time_.mono() + Duration(random_.below(span)) + 1ms;
    if (end_ == End::crash_at_operation) {
      const bool early = features_.crash_in_recovery && draw(0.5);
      disk_.crash_at(1 + random_.below(early ? 150 : 6'000));
      // In the middle of segments that change places; by the power, which alone shows what was not synced.
      in_exchange_ = cleans() && cleaned_.chance(0.6);
      if (in_exchange_) disk_.crash_at(1 + cleaned_.below(12), ".deleted");
    }
    network_.faults = features_.network;
    schedule_faults();
  }

  void live_until_end(SimProcess& process, SimBroker& broker) {
    enum class Stage : uint8_t { starting, working, finishing, verifying, insisting, stopping };
    Stage stage = Stage::starting;
    const bool healed = end_ == End::last || end_ == End::verified;
    const MonoTime give_up = healed ? end_time_ : time_.mono() + 10 * options_.duration;
    while (!run_.violation && !over_) {
      step();
      if (broker.started() && !broker.stopped() && !process.dying()) judge_bounds(broker.beyond_bounds());
      if (process.dying()) {
        if (stage == Stage::starting) counters_.count("world: crash during recovery");
        return;
      }
      if (broker.failure()) return judge_failed_start(*broker.failure());
      if (time_.mono() > give_up) return run_.violate(what_hangs(static_cast<int>(stage), healed));
      switch (stage) {
        case Stage::starting:
          if (!broker.started()) {
            if (!healed && time_.mono() > end_time_ && end_ == End::crash_at_time) return;
            break;
          }
          if (end_ == End::last) {
            for_clients([](NodeClient& client) { client.finish(); });
            if (library_) library_->finish();
            stage = Stage::finishing;
            break;
          }
          verifier_->verify(!healed);
          stage = healed ? Stage::verifying : Stage::working;
          break;
        case Stage::working:
          if (time_.mono() < end_time_ && run_.operations < most_operations_) break;
          if (end_ != End::clean_stop) return;
          begin_stop(broker);
          stage = Stage::stopping;
          break;
        case Stage::finishing: {
          bool idle = !library_ || library_->idle();
          for_clients([&](NodeClient& client) { idle = idle && client.idle(); });
          if (!idle) break;
          verifier_->verify(false);
          stage = Stage::verifying;
          break;
        }
        case Stage::verifying:
          if (verifier_->verified_life() != run_.life || !verifier_->idle()) break;
          if (end_ == End::verified) {
            counters_.count("node: healed and answered");
            over_ = true;
            return;
          }
          insist();
          stage = Stage::insisting;
          break;
        case Stage::insisting:
          if (insisting_ > 0) break;
          begin_stop(broker);
          stage = Stage::stopping;
          break;
        case Stage::stopping:
          if (broker.stop_failure()) return judge_failed_stop(*broker.stop_failure());
          if (!broker.stopped()) {
            if (!healed && time_.mono() > end_time_) {
              counters_.count("world: crash while stopping");
              return;
            }
            break;
          }
          judge_bounds(broker.still_held());
          process.exit();
          say("stopped cleanly");
          counters_.count("world: clean stop");
          stopped_last_ = end_ == End::last;
          // Everything was synced: not even the power matters now.
          if (draw(0.5)) disk_.crash_power();
          return;
      }
    }
  }

  void begin_stop(SimBroker& broker) {
    run_.stopping = true;
    say("stopping");
    // Now and then it does not get to the end.
    end_time_ = time_.mono() + (draw(0.3) ? Duration(random_.below(200'000'000)) : Duration(60s));
    broker.stop();
  }

  // One append, acks=all, to every partition of every topic; and every member comes into its group.
  void insist() {
    // A member hears how a rebalance ends.
    run_.workload.request_timeout_ms = std::max(run_.workload.request_timeout_ms, 15'000);
    for (const auto& member : members_) {
      ++insisting_;
      insisting_tasks_.spawn(insist_of(*member));
    }
    for (const std::string& name : run_.cluster.names()) {
      const TopicPtr topic = run_.cluster.name(name).topic;
      if (!topic || run_.cluster.name(name).busy) continue;
      for (int32_t p = 0; p < topic->partition_count(); ++p) {
        if (topic->partition(PartitionId(p)).may_be_lost(run_.life)) continue;
        ++insisting_;
        insisting_tasks_.spawn(insist_on(topic, PartitionId(p)));
      }
    }
  }
  runtime::Task<void> insist_of(NodeMember& member) {
    auto insisting = member.insist();
    co_await insisting;
    --insisting_;
  }
  runtime::Task<void> insist_on(TopicPtr topic, PartitionId partition) {
    NodeProducer& producer = *producers_[static_cast<size_t>(partition.value) % producers_.size()];
    auto insisting = producer.insist(std::move(topic), partition);
    co_await insisting;
    --insisting_;
  }

  std::string what_hangs(int stage, bool healed) {
    std::string busy;
    for_clients([&](NodeClient& client) { busy += client.idle() ? '.' : 'x'; });
    if (library_) busy += library_->busy();
    return fmt::format("{} (life {}, stage {}, clients {}, {} appends, verified life {})",
                       healed ? "healed, and not well in time" : "nothing moves any more", run_.life, stage,
                       busy, insisting_, verifier_->verified_life());
  }

  void step() {
    if (options_.events != 0 && time_.events_run() >= options_.events) over_ = true;
    try {
      if (!time_.step()) run_.violate("no event is left, and something is waited for");
    } catch (const SimCrash&) {
      // The process asked the disk outside of its lanes; disk_.dying() says the rest.
    }
  }
  void pass(Duration duration) {
    const MonoTime until = time_.mono() + duration;
    if (!world_.has_events()) world_.at(until, [] {});
    while (time_.mono() < until && !run_.violation && !over_) step();
  }

  void end_by_crash(SimProcess& process) {
    const bool power = features_.power_cuts && (in_exchange_ || !features_.kills || draw(0.6));
    say(power ? "power cut" : "killed");
    counters_.count(power ? "world: power cut" : "world: killed");
    ++crashes_;
    if (power) network_.power_lost(SimBroker::address().host);
    process.crash(power ? CrashKind::power : CrashKind::kill);
  }

  // --- faults of the world

  // Its disk was exchanged for an empty one, or is not mounted, and the folder made again. Not where the
  // groups' own log would be lost with it: nothing brings their coordinator back.
  void lose_second_folder() {
    const std::string folder(kSecondFolder);
    SimFileSystem files(disk_);
    const auto inside = files.list(folder);
    if (!inside) return;
    std::vector<storage::PartitionState> logs;
    for (const auto& entry : *inside) {
      if (entry.name.starts_with("__consumer_offsets")) return;
      const auto state = storage::read_partition_state(files, folder + "/" + entry.name);
      if (state && *state) logs.push_back(**state);
    }
    const auto others = files.list("/data");
    const auto is_of_groups = [](const auto& entry) { return entry.name.starts_with("__consumer_offsets"); };
    if (logs.empty() || !others || std::ranges::none_of(*others, is_of_groups)) return;
    for (const auto& state : logs) run_.cluster.lost(state.topic_id, state.partition, run_.life);
    std::set<std::pair<Uuid, PartitionId>> left;
    for (const auto& entry : *others) {
      const auto state = storage::read_partition_state(files, "/data/" + entry.name);
      if (state && *state) left.emplace((*state)->topic_id, (*state)->partition);
    }
    run_.cluster.others_may_be_lost(left, run_.life);
    derived_.remove(folder + "/");
    if (lost_.chance(0.5)) {
      disk_.remove_tree(folder);
    } else {
      disk_.empty_folder(folder);
    }
    counters_.count("world: second data folder lost");
    say(fmt::format("{} is lost, with {} logs", folder, logs.size()));
  }

  void schedule_faults() {
    world_.after(Duration(random_.below(4'000'000'000)), [this] {
      strike();
      schedule_faults();
    });
  }

  void strike() {
    const auto last = Duration(random_.below(3'000'000'000));
    switch (random_.below(5)) {
      case 0:
        if (!features_.full_disk) return;
        run_.disk_may_be_full = true;
        run_.last_full_life = run_.life;
        disk_.quota_bytes = disk_.used_bytes() + random_.below(64 << 10);
        world_.after(last, [this] { disk_.quota_bytes = SimDisk::kNoQuota; });
        return;
      case 1:
        if (!features_.slow_disk) return;
        counters_.count("disk: slow for a while");
        disk_.faults.slowness = draw(0.5) ? 5.0 : 50.0;
        world_.after(last, [this] { disk_.faults.slowness = 1; });
        return;
      case 2:
        if (!features_.disk_stalls) return;
        disk_.faults.stalls = 0.01;
        world_.after(last, [this] { disk_.faults.stalls = 0; });
        return;
      case 3:
        if (!features_.cut_offs) return;
        network_.cut_off(draw(0.5) ? SimBroker::address().host : "producer-0", time_.mono() + last,
                         std::array{SimNetwork::Way::both, SimNetwork::Way::to_host,
                                    SimNetwork::Way::from_host}[ways_.below(3)]);
        return;
      default:
        if (!features_.disk_errors) return;
        run_.disk_may_fail = true;
        disk_.faults.sync_fails = draw(0.5) ? 0.05 : 0;
        disk_.faults.write_fails = draw(0.5) ? 0.01 : 0;
        disk_.faults.read_fails = draw(0.5) ? 0.05 : 0;
        if (features_.second_folder && draw(0.6)) {
          counters_.count("disk: one folder fails alone");
          disk_.faults.fails_under = kSecondFolder;
        } else {
          first_may_fail_ = true;
        }
        world_.after(last, [this] { disk_.stop_errors(); });
        return;
    }
  }

  void heal_disk() {
    disk_.heal();
    run_.disk_may_be_full = false;
  }
  void heal() {
    heal_disk();
    network_.faults = {};
  }

  // --- judgements

  void judge_failed_start(const Error& error) {
    say("does not start: " + error.message());
    const bool excused = run_.disk_may_fail || (run_.disk_may_be_full && error.kind() == ErrorKind::no_space);
    if (!excused) run_.violate("does not start: " + error.message());
    heal_disk();
  }

  void judge_failed_stop(const Error& error) {
    say("does not stop cleanly: " + error.message());
    // A stop waits for some seconds, and for longer than any one stall; but a lane may have met several, and
    // have begun with them before the stop.
    const bool stalled = error.kind() == ErrorKind::timeout &&
                         disk_.stalled() - stalled_before_life_ > disk_.faults.longest_stall;
    if (!run_.disk_may_fail && !run_.disk_may_be_full && !stalled)
      run_.violate("does not stop cleanly: " + error.message());
  }

  void judge_bounds(const std::optional<std::string>& beyond) {
    if (beyond) run_.violate("memory: " + *beyond);
  }

  // What an operator would read.
  void judge_line(const std::string& line) {
    run_.note("  broker: {}", line);
    const auto has = [&](std::string_view part) { return line.find(part) != std::string::npos; };
    // A second folder that has no room for the journals of a start is done without.
    if (has("the data folder went offline") && has(kSecondFolder) && run_.disk_may_be_full &&
        has("No space left"))
      run_.disk_may_fail = true;
    if (has("the data folder went offline") && !has(kSecondFolder) && !first_may_fail_)
      run_.violate("while another folder failed at most: " + line);
    if (has("went offline") && !run_.disk_may_fail) run_.violate("on a disk that did not fail: " + line);
    const bool unreadable = run_.disk_may_fail && has("Input/output error");
    if ((has("is damaged") && !unreadable) || has("no readable partition.state"))
      run_.violate("on a disk that keeps its bits: " + line);
    if (has("cannot be compacted") && !unreadable) run_.violate("on a disk that keeps its bits: " + line);
    if (line.starts_with("compacted"))
      counters_.count(has("__consumer_offsets") ? "group: offsets compacted" : "node: log compacted");
    if (has("bad frame") || has("bad request"))
      run_.violate("to a client that keeps to the protocol: " + line);
  }

  const SeedOptions& options_;
  FaultCounters& counters_;
  VirtualTime time_;
  SimDisk disk_;
  SimStoreContent derived_;
  SimNetwork network_;
  NodeRun run_;
  runtime::SeededRandom random_;
  VirtualScheduler world_;
  bool in_exchange_ = false;       // where this life is to end
  runtime::SeededRandom cleaned_;  // for what only worlds with compacted topics have
  runtime::SeededRandom lost_;     // and for folders that are lost
  runtime::SeededRandom clocks_;   // and for wall clocks
  runtime::SeededRandom ways_;     // and for which way a host is cut off
  std::chrono::milliseconds usual_skew_{0};
  bool clock_jumps_ = false;
  const MonoTime began_;
  Duration duration_{};  // at least
  uint64_t most_operations_ = 0;
  NodeFeatures features_;
  SimBrokerOptions broker_;
  std::vector<std::unique_ptr<NodeProducer>> producers_;
  std::vector<std::unique_ptr<NodeClient>> others_;
  std::vector<std::unique_ptr<NodeMember>> members_;
  std::unique_ptr<NodeVerifier> verifier_;
  std::unique_ptr<LibraryClients> library_;
  End end_ = End::last;
  MonoTime end_time_{};
  Duration stalled_before_life_{};
  bool first_may_fail_ = false;  // the folder of the metadata log, in this life
  uint64_t crashes_ = 0;
  size_t insisting_ = 0;
  bool stopped_last_ = false;
  bool over_ = false;
  runtime::TaskScope insisting_tasks_;  // goes before the clients
};

}  // namespace

SeedResult simulate_node(const SeedOptions& options, FaultCounters& counters) {
  FaultCounters own;
  NodeSimulation simulation(options, own);
  const SeedResult result = simulation.run();
  own.forget("disk: bit flipped");  // the storage world's
  counters.merge(own);
  return result;
}

}  // namespace tidemark::simulation
