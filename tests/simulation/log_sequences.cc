#include "tests/simulation/log_sequences.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <utility>

#include "protocol/batch/header.h"
#include "protocol/invariant.h"
#include "tests/simulation/storage_clients.h"

namespace tidemark::simulation {
namespace {

using namespace std::chrono_literals;
using runtime::Task;

constexpr std::array<std::string_view, kLogSteps> kStepNames{
    "restart",  "append",   "append-large", "append-other", "roll",    "trim",
    "trim-all", "truncate", "checkpoint",   "recreate",     "caching", "clean"};
constexpr std::array<std::string_view, 3> kLeavesNames{"everything", "nothing", "drawn"};

constexpr const char* kLog = "one-0";
constexpr const char* kOtherLog = "two-0";
constexpr ProducerId kProducer{1000};
// Longer than one piece of work takes in its lane: nothing is under way behind it.
constexpr runtime::Duration kQuiet = 15ms;
constexpr uint64_t kMaxEvents = 200'000;  // of one wait
constexpr size_t kLargeValueBytes = 700;
constexpr uint64_t kBypassBytes = 600;
// What is appended is this much older than the clock, and a segment may be that old only when somebody looks.
constexpr int64_t kAge = 3'600'000;
constexpr int64_t kSegmentMs = 600'000;
constexpr size_t kProducerBatchesKept = 5;
constexpr size_t kAppendsBefore = 3;  // so that there is something to trim, to cut and to be lost

StorageNodeOptions node_options(storage::Planted planted) {
  StorageNodeOptions options;
  auto& store = options.store;
  store.journal.first_stretch_bytes = store.journal.stretch_bytes = 4 << 10;
  store.journal.max_bytes = 16 << 10;
  store.journal.max_group_bytes = 4 << 10;
  store.journal.idle_mark = 1ms;
  store.tail_cache_bytes = 0;
  store.bypass_bytes = kBypassBytes;
  store.checkpoint_interval = 1h;
  store.min_reserve_bytes = store.max_reserve_bytes = 4 << 10;
  options.index_interval_bytes = 1;
  options.cross_delay = 20us;
  options.planted = planted;
  return options;
}

storage::LogSettings log_settings() {
  storage::LogSettings settings;
  settings.segment_ms = kSegmentMs;
  settings.index_interval_bytes = 1;
  settings.retention_ms = -1;
  settings.file_delete_delay_ms = 0;
  return settings;
}

// The same for the same sequence, and another for each.
uint64_t draw_of(const LogSequence& sequence) {
  uint64_t draw = sequence.crash_at * 31 + sequence.overlap.value_or(0) + sequence.recovery_crash_at * 7;
  for (const LogStep step : sequence.steps) draw = draw * 131 + static_cast<uint64_t>(step) + 1;
  return draw;
}

// One sequence, from an empty disk to the judgement of what is found again.
class SequenceRun {
 public:
  SequenceRun(const LogSequence& sequence, storage::Planted planted,
              const std::function<void(const std::string&)>& show)
      : sequence_(sequence),
        time_(1),
        disk_(2, counters_, &time_.trace()),
        derived_(disk_, counters_),
        run_(time_, 3, counters_),
        options_(node_options(planted)) {
    run_.workload.topics = 2;
    run_.workload.max_value_bytes = 20;
    run_.workload.settings = log_settings();
    run_.show = show;
    disk_.on_operation = [this](DiskOp op, std::string_view path, uint64_t position, uint64_t bytes) {
      if (run_.show) run_.show(fmt::format("  {} {} {}+{}", disk_op_name(op), path, position, bytes));
      if (changing_ != nullptr && changes(op, path)) changing_->push_back(disk_.operations() - counted_from_);
    };
  }
  ~SequenceRun() { end_process(CrashKind::kill); }
  SequenceRun(const SequenceRun&) = delete;
  SequenceRun& operator=(const SequenceRun&) = delete;

  LogSequenceResult run() {
    if (live()) crash_and_judge();
    result_.violation = run_.violation;
    return result_;
  }

 private:
  using Shard = StorageNode::Shard;
  using LogPtr = std::shared_ptr<storage::Log>;
  using ModelPtr = std::shared_ptr<LogModel>;
  enum class Ended : uint8_t { done, crashed, wrong };

  // A crash at any other operation is one at the next of these.
  [[nodiscard]] bool changes(DiskOp op, std::string_view path) const {
    switch (op) {
      case DiskOp::read:
      case DiskOp::size:
      case DiskOp::reserve:
      case DiskOp::list:
      case DiskOp::exists:
      case DiskOp::space:
      case DiskOp::lock:
      case DiskOp::kv_read: return false;
      case DiskOp::open: return !disk_.holds(path);
      case DiskOp::write:
      case DiskOp::sync:
      case DiskOp::truncate:
      case DiskOp::rename:
      case DiskOp::remove:
      case DiskOp::create_dir:
      case DiskOp::sync_all:
      case DiskOp::sync_dir:
      case DiskOp::kv_write:
      case DiskOp::kv_sync: return true;
    }
    return true;
  }
  void count_into(std::vector<uint64_t>* operations) {
    changing_ = operations;
    counted_from_ = disk_.operations();
  }

  // --- the process

  void start_process() {
    process_ = std::make_unique<SimProcess>(time_, disk_);
    const auto settings_of = [this](const std::string& name) {
      const auto it = run_.settings.find(name);
      return it == run_.settings.end() ? run_.workload.settings : it->second;
    };
    node_ = &process_->host<StorageNode>(*process_, options_, derived_, 4, settings_of);
    clients_ = &process_->host<StorageClients>(run_, *node_);
    node_->start();
  }

  void end_process(CrashKind kind) {
    if (process_ && !process_->ended()) process_->crash(kind);
    process_.reset();
  }

  template <class Condition>
  Ended run_until(Condition holds) {
    for (uint64_t events = 0; !holds(); ++events) {
      try {
        if (!time_.step()) run_.violate("no event is left, and something is waited for");
      } catch (const SimCrash&) {
        // Outside of a lane; disk_.dying() says the rest.
      }
      if (process_->dying()) return Ended::crashed;
      if (node_->failure()) run_.violate("does not start: " + node_->failure()->message());
      for (const auto& offline : {node_->offline(), node_->log_offline()})
        if (offline) run_.violate("went offline: " + offline->message());
      if (events > kMaxEvents) run_.violate("nothing moves any more");
      if (run_.violation) return Ended::wrong;
    }
    return Ended::done;
  }

  // Until the disk is idle.
  Ended settle() {
    for (uint64_t before = disk_.operations() + 1; before != disk_.operations();) {
      before = disk_.operations();
      bool quiet = false;
      VirtualScheduler alarm(time_);
      alarm.after(kQuiet, [&quiet] { quiet = true; });
      if (const Ended ended = run_until([&] { return quiet; }); ended != Ended::done) return ended;
    }
    return Ended::done;
  }

  // Up to the first look at everything.
  Ended start() {
    const bool expect_clean = std::exchange(stopped_cleanly_, false);
    start_process();
    if (const Ended ended = run_until([this] { return node_->started(); }); ended != Ended::done)
      return ended;
    if (expect_clean && !node_->data().was_clean()) run_.violate("a clean stop was not recognised");
    if (!node_->data().journals().corruption().empty())
      run_.violate("corruption: " + node_->data().journals().corruption().front().what);
    if (run_.violation) return Ended::wrong;
    clients_->verify();
    if (const Ended ended = run_until([this] { return clients_->verified(); }); ended != Ended::done)
      return ended;
    judge_producers();
    return settle();
  }

  Ended stop() {
    node_->stop();
    if (const Ended ended = run_until([this] { return node_->stopped(); }); ended != Ended::done)
      return ended;
    process_->exit();
    process_.reset();
    stopped_cleanly_ = true;
    if (dies_at_ > disk_.operations()) disk_.crash_at(dies_at_ - disk_.operations());  // or in the next start
    return Ended::done;
  }

  // --- the steps

  // False: there is nothing to crash, or something is wrong.
  bool live() {
    if (start() != Ended::done) return false;
    for (const char* name : {kLog, kOtherLog}) {
      begin([this, name] { return clients_->create(shard(), name); });
      if (finish() != Ended::done) return false;
    }
    const size_t last = sequence_.steps.size() - (sequence_.overlap ? 2 : 1);
    std::vector<LogStep> before_it(kAppendsBefore, LogStep::append);
    before_it.insert(before_it.end(), sequence_.steps.begin(),
                     sequence_.steps.begin() + static_cast<ptrdiff_t>(last));
    for (const LogStep before : before_it) {
      if (step(before) != Ended::done) return false;
    }
    const uint64_t before = disk_.operations();
    count_into(&result_.last_operations);
    dies_at_ = sequence_.crash_at == 0 ? 0 : before + sequence_.crash_at;
    disk_.crash_at(sequence_.crash_at);
    Ended ended = Ended::done;
    if (sequence_.overlap) {
      begin_step(sequence_.steps[last]);
      ended = run_until([&] { return running_ == 0 || disk_.operations() >= before + *sequence_.overlap; });
      result_.last_step_did_nothing = running_ == 0;  // there was nothing to overlap
      if (ended == Ended::done) begin_step(sequence_.steps[last + 1]);
      if (ended == Ended::done) ended = finish();
    } else {
      ended = step(sequence_.steps[last]);
    }
    disk_.crash_at(dies_at_ = 0);
    count_into(nullptr);
    if (result_.last_operations.empty()) result_.last_step_did_nothing = true;
    if (ended != Ended::done || sequence_.crash_at > 0) return ended != Ended::wrong;
    clients_->read_each();
    return run_until([this] { return clients_->verified(); }) == Ended::done;
  }

  Ended step(LogStep step) {
    if (step == LogStep::restart) {
      const Ended ended = stop();
      return ended == Ended::done ? start() : ended;
    }
    begin_step(step);
    return finish();
  }

  void begin_step(LogStep step) {
    begin([this, step] { return perform(step); });
  }
  void begin(std::function<Task<void>()> make) {
    ++running_;
    Shard& there = shard();
    there.loop->post([this, &there, make] { there.scope->spawn(finishing(make())); });
  }
  Task<void> finishing(Task<void> task) {
    co_await task;
    --running_;
  }
  Ended finish() {
    const Ended ended = run_until([this] { return running_ == 0; });
    return ended == Ended::done ? settle() : ended;
  }

  [[nodiscard]] Shard& shard() { return *node_->shards()[0]; }

  // Structural changes of a log come one after the other, whoever asks for them.
  Task<void> perform(LogStep step) {
    Shard& there = shard();
    const auto it = there.logs.find(step == LogStep::append_other ? kOtherLog : kLog);
    if (it == there.logs.end()) co_return;
    const LogPtr log = it->second;
    const ModelPtr model = run_.models.at(it->first);
    const bool structural =
        step == LogStep::truncate || step == LogStep::recreate || step == LogStep::caching;
    while (structural && model->changing) {
      auto pause = runtime::sleep_for(*there.loop, 50us);
      co_await pause;
    }
    if (log->offline()) co_return;
    Task<void> task;
    switch (step) {
      case LogStep::append:
      case LogStep::append_large:
      case LogStep::append_other: {
        SimBatch batch;
        batch.identity = ++run_.identities;
        batch.records = step == LogStep::append_large ? 3 : 2;
        batch.value_bytes = step == LogStep::append_large ? kLargeValueBytes : 16;
        batch.timestamp_ms = runtime::unix_ms(there.loop->clock().wall()) - kAge;
        batch.producer = kProducer;
        batch.keyed = true;
        task = clients_->append_one(log, model, batch);
        break;
      }
      case LogStep::roll: log->roll_if_old(); co_return;
      case LogStep::trim: {
        const int64_t half = (log->counted() - log->start() + 1) / 2;
        task = clients_->trim_to(log, model, log->start() + half);
        break;
      }
      case LogStep::trim_all: task = clients_->trim_to(log, model, log->counted()); break;
      case LogStep::truncate:
        if (log->end() == log->start()) co_return;
        task = clients_->truncate_to(log, model, std::max(log->start(), log->end() + -3));
        break;
      case LogStep::checkpoint: task = checkpoint(there); break;
      case LogStep::recreate: task = recreate(there, log, model); break;
      case LogStep::caching: task = clients_->toggle_caching(log, model); break;
      case LogStep::clean: task = clean(there, log); break;
      case LogStep::restart: co_return;
    }
    co_await task;
  }

  static Task<void> checkpoint(Shard& there) {
    auto running = there.store->checkpoint();
    (void)co_await running;
  }

  Task<void> clean(Shard& there, LogPtr log) {
    const auto nobody = [] { return std::vector<storage::CleanCandidate>(); };
    storage::LogCleaner cleaner(storage::LogCleanerOptions(), *there.store, run_.random, nobody);
    auto cleaning = cleaner.clean({log, log->counted()});
    const auto cleaned = co_await cleaning;
    const bool gave_up = !cleaned && cleaned.error().kind() == ErrorKind::timeout;  // the log has changed
    if (!cleaned && !gave_up && !log->offline())
      run_.violate("a healthy log cannot be cleaned: " + cleaned.error().message());
  }

  Task<void> recreate(Shard& there, LogPtr log, ModelPtr model) {
    const std::string name = model->name();
    auto erasing = clients_->erase(there, log, model);
    co_await erasing;
    if (run_.models.contains(name)) co_return;
    auto creating = clients_->create(there, name);
    co_await creating;
  }

  // --- the crash, and what is found again

  void crash() {
    const CrashKind kind = sequence_.leaves == CrashLeaves::everything ? CrashKind::kill : CrashKind::power;
    const bool power = kind == CrashKind::power;
    disk_.power_cut = SimDisk::PowerCut{draw_of(sequence_), sequence_.leaves == CrashLeaves::nothing};
    if (run_.show) run_.show(power ? "power cut" : "killed");
    run_.power_lost |= power;
    running_ = 0;
    if (process_) {
      end_process(kind);
    } else if (power) {
      disk_.crash_power();
    }
  }

  void crash_and_judge() {
    crash();
    if (sequence_.without_derived) derived_.remove_all();
    count_into(&result_.recovery_operations);
    disk_.crash_at(sequence_.recovery_crash_at);
    Ended ended = start();
    disk_.crash_at(0);
    count_into(nullptr);
    if (ended == Ended::crashed) {
      crash();
      ended = start();
    }
    if (ended != Ended::done) return;
    // It goes on from there, and what it adds is there after the next crash.
    clients_->append_to_all();
    if (run_until([this] { return clients_->appended_to_all(); }) != Ended::done) return;
    crash();
    (void)start();
  }

  // What a replay of the log tells of its producers: the newest batches of each are known for what they are.
  void judge_producers() {
    for (const auto& [name, log] : shard().logs) {
      const LogModel& model = *run_.models.at(name);
      if (log->offline() || !model.producers_known()) continue;
      size_t known = 0;
      for (auto batch = model.batches().rbegin(); batch != model.batches().rend(); ++batch) {
        if (batch->base < log->start() || batch->producer == kNoProducerId) continue;
        if (++known > kProducerBatchesKept) break;
        const auto header = protocol::parse_batch_header(batch->bytes);
        const auto check = log->producers().check(*header);
        if (!check || !*check || (*check)->base_offset != batch->base)
          run_.violate(fmt::format("{}: the batch at {} sent again is not recognised", name, batch->base));
      }
    }
  }

  const LogSequence& sequence_;
  FaultCounters counters_;
  VirtualTime time_;
  SimDisk disk_;
  SimStoreContent derived_;
  StorageRun run_;
  const StorageNodeOptions options_;
  std::unique_ptr<SimProcess> process_;
  StorageNode* node_ = nullptr;
  StorageClients* clients_ = nullptr;
  size_t running_ = 0;
  std::vector<uint64_t>* changing_ = nullptr;
  uint64_t counted_from_ = 0;
  uint64_t dies_at_ = 0;  // disk operation of this disk; 0: not in this step
  bool stopped_cleanly_ = false;
  LogSequenceResult result_;
};

// --- all of them

class Enumeration {
 public:
  explicit Enumeration(const LogSequencesOptions& options) : options_(options) {}

  LogSequencesResult run() {
    extend({});
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool over() const { return result_.wrong.has_value(); }

  void extend(const std::vector<LogStep>& steps) {
    for (size_t i = 0; i < kLogSteps && !over(); ++i) {
      std::vector<LogStep> longer = steps;
      longer.push_back(static_cast<LogStep>(i));
      const bool did_something = longer.size() > options_.steps || crash_everywhere(longer, std::nullopt);
      if (longer.size() >= 2 && longer.size() <= options_.overlapped) overlap(longer);
      // Behind a step that did nothing comes nothing new.
      if (did_something && longer.size() < std::max(options_.steps, options_.overlapped)) extend(longer);
    }
  }

  // The last step begins at each disk operation of the one before.
  void overlap(const std::vector<LogStep>& steps) {
    // Nothing may be begun beside a stop.
    if (std::find(steps.end() - 2, steps.end(), LogStep::restart) != steps.end()) return;
    uint64_t at = 0;
    while (!over() && crash_everywhere(steps, at)) ++at;
  }

  // Whether its last step did anything; with `overlap`, whether the steps did overlap.
  bool crash_everywhere(const std::vector<LogStep>& steps, std::optional<uint64_t> overlap) {
    LogSequence sequence;
    sequence.steps = steps;
    sequence.overlap = overlap;
    const LogSequenceResult whole = outcome(sequence);
    if (over() || whole.last_step_did_nothing) return false;
    ++result_.sequences;
    crash_at(sequence, 0);
    for (const uint64_t at : whole.last_operations) crash_at(sequence, at);
    return true;
  }

  void crash_at(LogSequence sequence, uint64_t at) {
    ++result_.crash_points;
    sequence.crash_at = at;
    for (const CrashLeaves leaves : {CrashLeaves::everything, CrashLeaves::nothing, CrashLeaves::drawn}) {
      if (sequence.overlap && leaves == CrashLeaves::everything) continue;
      sequence.leaves = leaves;
      const LogSequenceResult whole = outcome(sequence);
      if (leaves != CrashLeaves::everything) crash_again(sequence, whole.recovery_operations);
    }
    if (sequence.overlap) return;
    sequence.leaves = CrashLeaves::nothing;
    sequence.without_derived = true;
    (void)outcome(sequence);
  }

  void crash_again(LogSequence sequence, const std::vector<uint64_t>& operations) {
    if (operations.empty() || sequence.overlap) return;
    const bool at_each = sequence.steps.size() <= options_.recoveries;
    if (!at_each && sequence.leaves == CrashLeaves::nothing) return;
    const size_t drawn = draw_of(sequence) % operations.size();
    for (size_t i = at_each ? 0 : drawn; i < (at_each ? operations.size() : drawn + 1); ++i) {
      sequence.recovery_crash_at = operations[i];
      (void)outcome(sequence);
    }
  }

  LogSequenceResult outcome(const LogSequence& sequence) {
    if (over()) return {};
    ++result_.runs;
    LogSequenceResult result = run_log_sequence(sequence, options_.planted);
    if (result.violation) {
      INVARIANT(parse_log_sequence(to_string(sequence)) == sequence, "{}", to_string(sequence));
      result_.wrong = sequence;
      result_.violation = result.violation;
    }
    return result;
  }

  const LogSequencesOptions& options_;
  LogSequencesResult result_;
};

template <class Value>
bool parse_number(std::string_view text, Value& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

// What is before `end`; `text` goes on behind it.
std::string_view take_until(std::string_view& text, char end) {
  const std::string_view part = text.substr(0, text.find(end));
  text.remove_prefix(std::min(part.size() + 1, text.size()));
  return part;
}

template <class Names>
std::optional<size_t> index_of(const Names& names, std::string_view name) {
  const auto it = std::find(names.begin(), names.end(), name);
  if (it == names.end()) return std::nullopt;
  return static_cast<size_t>(it - names.begin());
}

}  // namespace

std::string to_string(const LogSequence& sequence) {
  std::string text;
  for (const LogStep step : sequence.steps) {
    if (!text.empty()) text += ',';
    text += kStepNames[static_cast<size_t>(step)];
  }
  if (sequence.overlap) text += fmt::format("/{}", *sequence.overlap);
  return text + fmt::format("@{}:{}:{}:{}", sequence.crash_at,
                            kLeavesNames[static_cast<size_t>(sequence.leaves)], sequence.recovery_crash_at,
                            sequence.without_derived ? "without" : "with");
}

std::optional<LogSequence> parse_log_sequence(std::string_view text) {
  LogSequence sequence;
  std::string_view steps = take_until(text, '@');
  const size_t slash = steps.find('/');
  if (slash != std::string_view::npos) {
    if (!parse_number(steps.substr(slash + 1), sequence.overlap.emplace())) return std::nullopt;
    steps = steps.substr(0, slash);
  }
  while (!steps.empty()) {
    const auto step = index_of(kStepNames, take_until(steps, ','));
    if (!step) return std::nullopt;
    sequence.steps.push_back(static_cast<LogStep>(*step));
  }
  if (sequence.steps.size() < (sequence.overlap ? 2 : 1)) return std::nullopt;
  if (!parse_number(take_until(text, ':'), sequence.crash_at)) return std::nullopt;
  const auto leaves = index_of(kLeavesNames, take_until(text, ':'));
  if (!leaves || !parse_number(take_until(text, ':'), sequence.recovery_crash_at)) return std::nullopt;
  sequence.leaves = static_cast<CrashLeaves>(*leaves);
  if (text != "with" && text != "without") return std::nullopt;
  sequence.without_derived = text == "without";
  return sequence;
}

LogSequenceResult run_log_sequence(const LogSequence& sequence, storage::Planted planted,
                                   const std::function<void(const std::string&)>& show) {
  return SequenceRun(sequence, planted, show).run();
}

LogSequencesResult run_log_sequences(const LogSequencesOptions& options) {
  return Enumeration(options).run();
}

}  // namespace tidemark::simulation
