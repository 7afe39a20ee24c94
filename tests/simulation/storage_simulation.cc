#include "tests/simulation/storage_simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "protocol/batch/header.h"
#include "storage/format/journal_format.h"
#include "tests/simulation/storage_clients.h"

namespace tidemark::simulation {
namespace {

using namespace std::chrono_literals;
using runtime::Duration;
using runtime::MonoTime;

// Of a batch's header, outside of its checksum: a leader epoch that a start finds to fit its neighbours is
// believed, and nothing could tell better. damage_test.cc flips the bits that do not fit.
constexpr uint64_t kUncheckedEpochBegin = 12;
constexpr uint64_t kUncheckedEpochEnd = 16;

// What a seed has at all: each is off in some seeds, so that no fault hides another (swarm testing).
struct Features {
  bool full_disk;
  bool slow_disk;
  bool stalls;
  bool disk_errors;
  bool bit_flips;
  bool kills;
  bool power_cuts;
  bool clean_stops;
  bool crash_in_recovery;
  bool derived_removed;
};

enum class End : uint8_t {
  crash_at_operation,
  crash_at_time,
  clean_stop,
  bit_flip,
  lost_segment,
  last,
  verified,
};

class StorageSimulation {
 public:
  StorageSimulation(const SeedOptions& options, FaultCounters& counters)
      : options_(options),
        counters_(counters),
        time_(options.seed * 4),
        disk_(options.seed * 4 + 1, counters, &time_.trace()),
        derived_(disk_, counters),
        run_(time_, options.seed * 4 + 2, counters),
        random_(options.seed * 4 + 3),
        world_(time_),
        began_(time_.mono()),
        cleaned_(options.seed ^ 0xC1EA4),
        clocks_(options.seed ^ 0xC10C) {
    if (options.show_disk) {
      disk_.on_operation = [this](DiskOp op, std::string_view path, uint64_t position, uint64_t bytes) {
        show(fmt::format("  {} {} {}+{}", disk_op_name(op), path, position, bytes));
      };
    }
    if (options.verbose) run_.show = [this](const std::string& what) { show(what); };
    declare_counters();
    draw_features();
    draw_options();
  }

  SeedResult run() {
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
  void declare_counters() {
    for (const char* name :
         {"disk: slow for a while", "disk: bit of a journal flipped", "disk: bit of a sealed segment flipped",
          "disk: bit of an index flipped", "disk: bit of a time index flipped",
          "disk: bit of partition.state flipped", "storage: segment lost above what was cleaned",
          "storage: checkpoints", "storage: bytes scrubbed", "storage: cleanings", "storage: torn tail cut",
          "storage: records replayed", "storage: rolled", "storage: clean start", "storage: corruption seen",
          "world: crash during recovery", "world: another number of shards"})
      counters_.declare(name);
    declare_clock_counters(counters_);
  }

  bool draw(double probability) { return random_.chance(probability); }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return *(values.begin() + random_.below(values.size()));
  }

  void draw_features() {
    features_ = {draw(0.3), draw(0.4), draw(0.3), draw(0.2), draw(0.6),
                 draw(0.7), draw(0.8), draw(0.5), draw(0.5), draw(0.3)};
    if (!features_.kills && !features_.power_cuts) features_.power_cuts = true;
    disk_.faults.writes_back = one_of({0.0, 0.02, 0.2});
  }

  // Tiny journals, early rolls, two-entry caches: rare branches on purpose.
  void draw_options() {
    auto& store = node_.store;
    store.journal.first_stretch_bytes = one_of<uint64_t>({16 << 10, 32 << 10, 128 << 10});
    store.journal.stretch_bytes = store.journal.first_stretch_bytes * one_of<uint64_t>({1, 4});
    store.journal.max_bytes =
        store.journal.first_stretch_bytes + one_of<uint64_t>({2, 3, 8}) * store.journal.stretch_bytes;
    store.journal.max_group_bytes = one_of<uint64_t>({8 << 10, 1 << 20});
    store.tail_cache_bytes = one_of<uint64_t>({0, 4 << 10, 256 << 10});
    store.max_unwritten_bytes = one_of<uint64_t>({8 << 10, 1 << 20});
    store.bypass_bytes = one_of<uint64_t>({600, 4 << 10, 1 << 20});
    store.checkpoint_bytes = one_of<uint64_t>({8 << 10, 64 << 10, 16 << 20});
    store.checkpoint_interval = one_of<Duration>({50ms, 1s, 5s, 60s});
    store.min_reserve_bytes = one_of<uint64_t>({4 << 10, 64 << 10});
    store.max_reserve_bytes = store.min_reserve_bytes * one_of<uint64_t>({1, 16});
    node_.max_open_files = one_of<size_t>({2, 5, 64});
    node_.index_interval_bytes = one_of<uint32_t>({1, 512, 4096});
    usual_skew_ = std::chrono::milliseconds(random_.between(-5'000, 5'000));
    clock_jumps_ = clocks_.chance(0.4);
    node_.cross_delay = one_of<Duration>({0us, 20us, 2ms});
    node_.planted = options_.planted;
    // Draws of its own: what a seed says of everything else stays.
    runtime::SeededRandom scrub(options_.seed);
    store.scrub_bytes_per_second = scrub.chance(0.7) ? 1 << (10 + scrub.below(8)) : 0;
    store.scrub_interval = scrub.chance(0.5) ? Duration(1s) : Duration(10s);

    disk_.draw_whole_syncs(options_.seed);
    store.whole_sync_from = 2;

    runtime::SeededRandom clean(options_.seed ^ 0xC1EA);
    const bool cleans = clean.chance(0.5);
    if (cleans) {
      node_.cleaner.emplace();
      node_.cleaner->map_bytes = clean.chance(0.5) ? 2048 : 1 << 20;
      node_.cleaner->backoff = clean.chance(0.5) ? Duration(200ms) : Duration(3s);
      node_.cleaner->bytes_per_second = clean.chance(0.5) ? UINT64_MAX : 64 << 10;
      loses_segments_ = cleaned_.chance(0.5);
    }

    damages_ = features_.bit_flips || loses_segments_ ? 3 : 0;  // not each finds what it could hit

    StorageWorkload& w = run_.workload;
    w.cleans = w.settings.compact_policy = cleans;
    w.settings.min_cleanable_dirty_ratio = clean.chance(0.5) ? 0 : 0.3;
    w.topics = 1 + random_.below(8);
    w.clients_per_shard = 1 + random_.below(6);
    w.think = one_of<Duration>({20ms, 60ms, 120ms});
    w.max_value_bytes = one_of<size_t>({20, 400, 1500});
    w.max_records = one_of({1, 5});
    w.max_burst = one_of({1, 4, 12});
    w.idempotent = draw(0.6);
    w.trims = draw(0.5);
    w.retention = draw(0.4);
    w.truncates = draw(0.5);
    w.erases = draw(0.5);
    w.caching = draw(options_.write_caching ? 0.5 : 0.15);
    w.settings.segment_bytes = one_of<uint64_t>({2 << 10, 16 << 10, 256 << 10});
    w.settings.segment_ms = one_of<int64_t>({500, 10'000, 604'800'000});
    w.settings.segment_index_bytes = one_of<uint64_t>({64, 4096, 10 << 20});
    w.settings.index_interval_bytes = node_.index_interval_bytes;
    w.settings.retention_bytes = one_of<int64_t>({-1, 8 << 10});
    w.settings.retention_ms = one_of<int64_t>({-1, 5'000});
    w.settings.file_delete_delay_ms = one_of<int64_t>({0, 1'000, 60'000});
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
    if (lives_++ > 0 && shards != node_.shards) counters_.count("world: another number of shards");
    node_.shards = shards;
    node_.wall_clock = draw_wall_clock(clocks_, usual_skew_, clock_jumps_, time_.mono());
    walls_.begins(node_.wall_clock);
    count_clock(counters_, walls_, lives_);
    if (features_.derived_removed && draw(0.3)) derived_.remove_all();
    SimProcess process(time_, disk_);
    const auto settings_of = [this](const std::string& name) {
      const auto it = run_.settings.find(name);
      return it == run_.settings.end() ? run_.workload.settings : it->second;
    };
    auto& node = process.host<StorageNode>(process, node_, derived_, random_.next(), settings_of);
    auto& clients = process.host<StorageClients>(run_, node);
    expect_clean_ = std::exchange(clean_, false);
    disk_.stop_errors();
    run_.disk_may_fail = false;
    if (draw(0.5)) {
      disk_.heal();
    } else {
      world_.after(Duration(random_.below(3'000'000'000)), [this] { disk_.heal(); });
    }
    run_.disk_may_be_full = disk_.quota_bytes < SimDisk::kNoQuota;
    plan_end();
    say(fmt::format("start {} with {} shards", lives_, shards));
    node.start();
    live_until_end(process, node, clients);
    if (!process.ended()) end_by_crash(process);
    world_.drop_events();
  }

  // Draws how this life ends.
  void plan_end() {
    end_ = End::crash_at_operation;
    end_time_ = runtime::kNever;
    const bool enough = run_.operations >= options_.operations && crashes_ >= options_.crashes &&
                        time_.mono() - began_ >= options_.duration;
    if (run_.is_damaged() || stopped_last_) {
      end_ = End::verified;
      return;
    }
    // Damage comes last: nothing that is judged by is whole behind it.
    if (enough && damages_ > 0) {
      --damages_;
      end_ = loses_segments_ && (!features_.bit_flips || cleaned_.chance(0.5)) ? End::lost_segment
                                                                               : End::bit_flip;
      end_time_ = time_.mono() + 3s;
      most_operations_ = run_.operations + 300;
      world_.drop_events();
      disk_.heal();
      run_.disk_may_be_full = false;
      return;
    }
    if (enough) {
      end_ = End::last;
      world_.drop_events();
      disk_.heal();
      run_.disk_may_be_full = false;
      return;
    }
    most_operations_ = options_.operations + 500;
    if (features_.clean_stops && draw(0.25)) {
      end_ = End::clean_stop;
    } else if (draw(0.5)) {
      end_ = End::crash_at_time;
    }
    const auto span = static_cast<uint64_t>(options_.duration.count()) / 3;
    end_time_ = time_.mono() + Duration(random_.below(span)) + 1ms;
    if (end_ == End::crash_at_operation) {
      end_time_ = time_.mono() + options_.duration;
      const bool early = features_.crash_in_recovery && draw(0.5);
      if (!early && draw(0.3)) {
        disk_.crash_at(1 + random_.below(500), ".journal");
      } else {
        disk_.crash_at(1 + random_.below(early ? 60 : 8'000));
      }
      // In the middle of segments that change places.
      if (node_.cleaner && cleaned_.chance(0.3)) disk_.crash_at(1 + cleaned_.below(8), ".deleted");
    }
    schedule_faults();
  }

  void live_until_end(SimProcess& process, StorageNode& node, StorageClients& clients) {
    enum class Stage : uint8_t { starting, verifying, working, finishing, settling, stopping };
    Stage stage = Stage::starting;
    MonoTime settled = runtime::kNever;
    MonoTime failed = runtime::kNever;
    const MonoTime give_up = time_.mono() + 10 * options_.duration;
    while (!run_.violation && !over_) {
      step();
      if (process.dying()) {
        if (stage == Stage::starting) counters_.count("world: crash during recovery");
        return;
      }
      if (node.failure()) return judge_failed_start(*node.failure());
      const auto& offline = run_.is_damaged() || node.offline() ? node.offline() : node.log_offline();
      if (offline && failed == runtime::kNever) {
        judge_offline(*offline);
        // Those who wait for their appends are told.
        failed = time_.mono() + 5ms;
        world_.at(failed, [] {});
      }
      if (offline && time_.mono() < failed) continue;
      if (offline) return;
      if (time_.mono() > give_up) return run_.violate("nothing moves any more");
      switch (stage) {
        case Stage::starting:
          if (!node.started()) break;
          count_recovery(node);
          clients.verify();
          stage = Stage::verifying;
          break;
        case Stage::verifying:
          if (!clients.verified()) break;
          if (end_ == End::verified && run_.is_damaged() && !probed_) {
            probed_ = true;
            clients.probe();
            break;
          }
          if (end_ == End::verified) {
            // What is damaged must not look whole to the start after the next one either.
            over_ = !run_.is_damaged() || ++looks_ == 2;
            probed_ = false;
            return;
          }
          if (end_ == End::last) {
            clients.append_to_all();
            stage = Stage::finishing;
            break;
          }
          clients.begin();
          stage = Stage::working;
          break;
        case Stage::working:
          if (time_.mono() < end_time_ && run_.operations < most_operations_) break;
          if (end_ == End::crash_at_time || end_ == End::crash_at_operation) return;
          clients.finish();
          stage = Stage::finishing;
          break;
        case Stage::finishing:
          if (!clients.idle() || !clients.appended_to_all()) break;
          world_.drop_events();
          disk_.heal();
          // Long enough for the journal's closing mark.
          settled = time_.mono() + 300ms;
          stage = Stage::settling;
          break;
        case Stage::settling:
          if (time_.mono() < settled) {
            keep_time_moving(settled);
            break;
          }
          if (end_ == End::bit_flip) return cleaned_.chance(0.4) ? flip_journals() : flip_logs(node);
          if (end_ == End::lost_segment) return lose_segment(node);
          disk_.crash_at(0);
          node.stop();
          stage = Stage::stopping;
          break;
        case Stage::stopping:
          if (!node.stopped()) break;
          note_store(node);
          process.exit();
          say("stopped cleanly");
          clean_ = true;
          stopped_last_ = end_ == End::last;
          if (draw(0.5)) disk_.crash_power();
          return;
      }
    }
  }

  void step() {
    if (options_.events != 0 && time_.events_run() >= options_.events) over_ = true;
    try {
      if (!time_.step()) run_.violate("no event is left, and something is waited for");
    } catch (const SimCrash&) {
      // The process asked the disk outside of its lanes; disk_.dying() says the rest.
    }
  }

  // An event of the world's own, so that time passes although nothing else happens.
  void keep_time_moving(MonoTime until) {
    if (!world_.has_events()) world_.at(until, [] {});
  }

  void end_by_crash(SimProcess& process) {
    const bool power = features_.power_cuts && (!features_.kills || draw(0.6));
    say(power ? "power cut" : "killed");
    const bool damaged = run_.is_damaged();
    if (!damaged) ++crashes_;
    run_.power_lost |= power && !damaged;
    process.crash(power && !damaged ? CrashKind::power : CrashKind::kill);
  }

  // --- faults of the world

  void schedule_faults() {
    world_.after(Duration(random_.below(5'000'000'000)), [this] {
      strike();
      schedule_faults();
    });
  }

  void strike() {
    const auto last = Duration(random_.below(3'000'000'000));
    switch (random_.below(4)) {
      case 0:
        if (!features_.full_disk) return;
        run_.disk_may_be_full = true;
        disk_.quota_bytes = disk_.used_bytes() + random_.below(64 << 10);
        world_.after(last, [this] { disk_.quota_bytes = SimDisk::kNoQuota; });
        return;
      case 1:
        if (!features_.slow_disk) return;
        counters_.count("disk: slow for a while");
        disk_.faults.slowness = one_of({5.0, 50.0});
        world_.after(last, [this] { disk_.faults.slowness = 1; });
        return;
      case 2:
        if (!features_.stalls) return;
        disk_.faults.stalls = 0.01;
        world_.after(last, [this] { disk_.faults.stalls = 0; });
        return;
      default:
        if (!features_.disk_errors) return;
        run_.disk_may_fail = true;
        disk_.faults.sync_fails = one_of({0.0, 0.05});
        disk_.faults.write_fails = one_of({0.0, 0.01});
        disk_.faults.read_fails = one_of({0.0, 0.05});
        world_.after(last, [this] { disk_.stop_errors(); });
        return;
    }
  }

  void flip_journals() {
    const auto in_journal = [](const std::string& path) { return path.ends_with(".journal"); };
    // Much of a journal is room. Where the newest group is hit, and the mark that says it was synced, it
    // cannot be told from one that was torn: that is outside the model.
    const auto is_used = [](std::span<const std::byte> content, uint64_t position) {
      return content[position] != std::byte{} && position < newest_groups(content);
    };
    for (int tries = 0, flips = 0; tries < 2'000 && flips < 12; ++tries) {
      const auto flip = disk_.flip_bit(in_journal, is_used);
      if (!flip) continue;
      ++flips;
      run_.journal_damaged = true;
      counters_.count("disk: bit of a journal flipped");
      say(fmt::format("a bit of {} flips at {}", flip->path, flip->position));
    }
  }

  // Where the last two groups of a stretch begin, as far as it can be read.
  static uint64_t newest_groups(std::span<const std::byte> content) {
    const auto header = storage::decode_stretch_header(content);
    if (!header || !*header) return content.size();
    const auto groups = storage::scan_stretch(content, **header, nullptr).groups;
    if (groups.size() < 2) return storage::kStretchHeaderBytes;
    return static_cast<uint64_t>(groups[groups.size() - 2].payload.data() - content.data()) -
           storage::kGroupHeaderBytes;
  }

  // Whether a byte of a segment is of a batch's leader epoch.
  static bool is_unchecked(std::span<const std::byte> content, uint64_t position) {
    uint64_t batch = 0;
    while (batch + protocol::kBatchHeaderBytes <= content.size()) {
      const auto header = protocol::read_batch_header(content.subspan(batch));
      const uint64_t next = batch + header.size_in_bytes();
      if (next <= batch || next > content.size()) return true;  // a flip before this one: nobody knows
      if (position < next)
        return position >= batch + kUncheckedEpochBegin && position < batch + kUncheckedEpochEnd;
      batch = next;
    }
    return false;
  }

  // Of a few logs: in sealed segments, indexes, or what tells whose log it is. Without a journal nobody can
  // tell damage from what power loss takes.
  void flip_logs(StorageNode& node) {
    struct Kind {
      std::string_view suffix;
      const char* counted;
    };
    static constexpr Kind kKinds[] = {{storage::kLogSuffix, "disk: bit of a sealed segment flipped"},
                                      {storage::kLogSuffix, "disk: bit of a sealed segment flipped"},
                                      {storage::kOffsetIndexSuffix, "disk: bit of an index flipped"},
                                      {storage::kOffsetIndexSuffix, "disk: bit of an index flipped"},
                                      {storage::kTimeIndexSuffix, "disk: bit of a time index flipped"},
                                      {storage::kPartitionStateName, "disk: bit of partition.state flipped"}};
    std::vector<std::shared_ptr<storage::Log>> logs;
    for (const auto& shard : node.shards())
      for (const auto& [name, log] : shard->logs)
        if (!log->offline() && log->state().journaled && !run_.models.at(name)->caching) logs.push_back(log);
    for (int hits = 1 + static_cast<int>(cleaned_.below(3)); hits > 0 && !logs.empty(); --hits) {
      const auto log = logs[cleaned_.below(logs.size())];
      const bool any_sealed = log->segments().size() > 1;
      const Kind kind =
          any_sealed ? kKinds[cleaned_.below(std::size(kKinds))] : kKinds[std::size(kKinds) - 1];
      const std::string active =
          storage::segment_path(log->folder(), log->segments().back().base, storage::kLogSuffix);
      const auto is_hit = [&](const std::string& path) {
        return path.starts_with(log->folder() + "/") && path.ends_with(kind.suffix) && path != active;
      };
      const auto may_hit = [&](std::span<const std::byte> content, uint64_t position) {
        return kind.suffix != storage::kLogSuffix || !is_unchecked(content, position);
      };
      for (int flips = 1 + static_cast<int>(cleaned_.below(4)); flips > 0; --flips) {
        const auto flip = disk_.flip_bit(is_hit, may_hit);
        if (!flip) continue;
        run_.damaged.insert(log->folder_name());
        if (kind.suffix == storage::kTimeIndexSuffix) run_.damaged_times.insert(log->folder_name());
        counters_.count(kind.counted);
        say(fmt::format("a bit of {} flips at {}", flip->path, flip->position));
      }
    }
  }

  // A file of a sealed segment is gone, as a file system may lose it: above what was cleaned of its log, a
  // start has to see it.
  void lose_segment(StorageNode& node) {
    std::vector<std::string> paths;
    for (const auto& shard : node.shards()) {
      for (const auto& [name, log] : shard->logs) {
        const auto& segments = log->segments();
        // Without a journal nobody can tell it from what power loss takes.
        if (log->offline() || !log->state().journaled || log->state().gaps_below == Offset(0)) continue;
        // Nor one that nothing stands behind: where a truncation has taken the snapshot, nothing tells how
        // far the log went.
        const size_t last = segments.size() - (segments.back().bytes == 0 ? 2 : 1);
        for (size_t i = 1; i < last && segments.size() > 1; ++i)
          if (segments[i].base >= std::max(log->state().gaps_below, log->start()))
            paths.push_back(storage::segment_path(log->folder(), segments[i].base, storage::kLogSuffix));
      }
    }
    if (paths.empty()) return;
    const std::string& path = paths[cleaned_.below(paths.size())];
    disk_.remove_tree(path);
    const std::string folder = path.substr(0, path.rfind('/'));
    run_.damaged.insert(folder.substr(folder.rfind('/') + 1));
    counters_.count("storage: segment lost above what was cleaned");
    say(path + " is lost");
  }

  // --- judgements

  void judge_failed_start(const Error& error) {
    say("does not start: " + error.message());
    // Damage costs logs, and never a start.
    const bool excused = run_.disk_may_fail || (run_.disk_may_be_full && error.kind() == ErrorKind::no_space);
    if (!excused) run_.violate("does not start: " + error.message());
    disk_.heal();
  }

  void judge_offline(const Error& error) {
    say("offline: " + error.message());
    if (!run_.disk_may_fail) run_.violate("went offline on a disk that did not fail: " + error.message());
  }

  void count_recovery(StorageNode& node) {
    auto& data = node.data();
    if (data.was_clean()) {
      counters_.count("storage: clean start");
    } else if (expect_clean_) {
      run_.violate("a clean stop was not recognised");
    }
    counters_.count("storage: records replayed", data.replay().records);
    counters_.count("storage: torn tail cut", data.journals().torn_tails());
    counters_.count("storage: corruption seen", data.journals().corruption().size());
    if (!data.journals().corruption().empty() && !run_.journal_damaged)
      run_.violate("corruption on a disk that keeps its bits: " + data.journals().corruption().front().what);
    say(fmt::format("replayed {} records into {} logs", data.replay().records, data.replay().logs.size()));
  }

  void note_store(StorageNode& node) {
    for (auto& shard : node.shards()) {
      counters_.count("storage: checkpoints", shard->store->checkpoints());
      counters_.count("storage: bytes scrubbed", shard->store->scrub_stats().bytes);
      if (shard->cleaner) counters_.count("storage: cleanings", shard->cleaner->stats().cleanings);
      for (const auto& [name, log] : shard->logs)
        counters_.count("storage: rolled", log->segments().size() - 1);
    }
  }

  const SeedOptions& options_;
  FaultCounters& counters_;
  VirtualTime time_;
  SimDisk disk_;
  SimStoreContent derived_;
  StorageRun run_;
  runtime::SeededRandom random_;
  VirtualScheduler world_;
  const MonoTime began_;
  runtime::SeededRandom cleaned_;  // for what only worlds with a log cleaner have
  bool loses_segments_ = false;
  runtime::SeededRandom clocks_;  // for wall clocks
  std::chrono::milliseconds usual_skew_{0};
  bool clock_jumps_ = false;
  WallHistory walls_;
  Features features_{};
  StorageNodeOptions node_;
  End end_ = End::last;
  MonoTime end_time_{};
  uint64_t lives_ = 0;
  uint64_t crashes_ = 0;
  bool clean_ = false;
  bool expect_clean_ = false;
  int damages_ = 0;  // that are still to be done to the disk
  int looks_ = 0;    // at what is left of it
  bool probed_ = false;
  uint64_t most_operations_ = 0;  // that this life goes on to
  bool stopped_last_ = false;
  bool over_ = false;
};

}  // namespace

Verdict too_small(const SeedOptions& options, const SeedResult& result) {
  const bool is_whole = result.operations >= options.operations && result.crashes >= options.crashes &&
                        result.virtual_time >= options.duration;
  // One that ends after so many events has no size.
  if (is_whole || options.events != 0) return std::nullopt;
  return fmt::format("it ends after {} operations, {} crashes and {:.0f} seconds", result.operations,
                     result.crashes, std::chrono::duration<double>(result.virtual_time).count());
}

SeedResult simulate_storage(const SeedOptions& options, FaultCounters& counters) {
  FaultCounters own;
  StorageSimulation simulation(options, own);
  const SeedResult result = simulation.run();
  // The node world's, which has two folders.
  for (const char* name : {"disk: folder removed", "disk: folder emptied"}) own.forget(name);
  counters.merge(own);
  return result;
}

}  // namespace tidemark::simulation
