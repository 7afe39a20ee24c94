// The clients of the storage simulation: coroutines on the node's shards that append, read, search, trim,
// truncate, create and delete, and tell the model what they began and what they were promised. They die with
// the process; the model stays.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "tests/simulation/log_model.h"
#include "tests/simulation/sim_batch.h"
#include "tests/simulation/storage_node.h"

namespace tidemark::simulation {

// Which operations a seed has, and how it draws them.
struct StorageWorkload {
  size_t topics = 6;
  size_t clients_per_shard = 3;
  runtime::Duration think = std::chrono::milliseconds(80);  // mean pause between two operations of a client
  size_t max_value_bytes = 512;
  int32_t max_records = 5;
  int max_burst = 1;
  bool idempotent = false;
  bool trims = false;
  bool retention = false;
  bool truncates = false;
  bool erases = false;
  bool caching = false;
  // The log cleaner runs. No record outdates another: it makes one segment of several, and every byte stays.
  bool cleans = false;
  storage::LogSettings settings;  // of new topics
};

// Everything that the clients count.
void declare_client_counters(FaultCounters& counters);

// What a run knows across the lives of its process.
struct StorageRun {
  StorageRun(VirtualTime& t, uint64_t seed, FaultCounters& c) : time(t), random(seed), counters(c) {
    declare_client_counters(c);
  }

  // The first violation ends the run.
  void violate(std::string what) {
    if (!violation) violation = std::move(what);
  }
  void judge(Verdict verdict) {
    if (verdict) violate(std::move(*verdict));
  }
  void note(std::string_view what, const LogModel& model, Offset offset) {
    if (show)
      show(fmt::format("{} {} {} (start {} end {} promised {})", what, model.name(), offset, model.start(),
                       model.end(), model.promised_end()));
  }
  void count(std::string_view what) {
    ++operations;
    counters.count(what);
    time.trace().add(what);
  }

  std::function<void(const std::string&)> show;  // for a run that is looked at
  VirtualTime& time;
  runtime::SeededRandom random;
  FaultCounters& counters;
  StorageWorkload workload;
  std::map<std::string, std::shared_ptr<LogModel>> models;  // of every log that may be there
  std::map<std::string, storage::LogSettings> settings;     // by folder name
  Verdict violation;
  uint64_t operations = 0;
  uint64_t identities = 0;
  bool disk_may_be_full = false;
  bool power_lost = false;  // since the last restart that was judged
  bool disk_may_fail = false;
  // What damage was done between two lives: these logs may be offline, or have no identity. All of them where
  // it was done to a journal.
  std::set<std::string> damaged;
  bool journal_damaged = false;
  std::set<std::string> damaged_times;  // searches by time there are not judged
  [[nodiscard]] bool is_damaged() const { return journal_damaged || !damaged.empty(); }
  [[nodiscard]] bool may_be_damaged(const std::string& name) const {
    return journal_damaged || damaged.contains(name);
  }
};

class StorageClients {
 public:
  StorageClients(StorageRun& run, StorageNode& node) : run_(run), node_(node) {}

  // Judges what the restart found, then reads all of it; verified() follows.
  void verify();
  // Reads from every offset of every log, a batch each; verified() follows.
  void read_each();
  // Reads and searches from many places of every log; verified() follows.
  void probe();
  [[nodiscard]] bool verified() const { return verifying_ == 0; }
  void begin();
  // Every client ends behind its current operation; idle() follows.
  void finish() { finishing_ = true; }
  [[nodiscard]] bool idle() const { return clients_ == 0; }
  // Appends one batch to every log and waits for it.
  void append_to_all();
  [[nodiscard]] bool appended_to_all() const { return last_appends_ == 0; }

  using Shard = StorageNode::Shard;
  using LogPtr = std::shared_ptr<storage::Log>;
  using ModelPtr = std::shared_ptr<LogModel>;

  // What a client does, drawn by nobody: for log_sequences.cc. REQUIRES: of the structural ones,
  // truncate_to() to erase(), no other of the same log is under way.
  runtime::Task<void> append_one(LogPtr log, ModelPtr model, SimBatch batch);
  runtime::Task<void> trim_to(LogPtr log, ModelPtr model, Offset to);
  runtime::Task<void> truncate_to(LogPtr log, ModelPtr model, Offset to);
  runtime::Task<void> toggle_caching(LogPtr log, ModelPtr model);
  runtime::Task<void> erase(Shard& shard, LogPtr log, ModelPtr model);
  runtime::Task<void> create(Shard& shard, std::string name);

 private:
  void judge_recovery(Shard& shard);
  void judge_derived(const storage::Log& log, const LogModel& model);
  // Begun on each; each takes its one off `running` when it ends.
  void on_each_shard(size_t& running, runtime::Task<void> (StorageClients::*work)(Shard&));
  runtime::Task<void> read_everything(Shard& shard);
  runtime::Task<void> read_each_offset(Shard& shard);
  runtime::Task<void> probe_all(Shard& shard);
  runtime::Task<void> client(Shard& shard, uint64_t number);
  runtime::Task<void> operate(Shard& shard, uint64_t number);
  runtime::Task<void> append(LogPtr log, ModelPtr model, uint64_t number, bool wait);
  // Once there is room; false: there will be none, or it was refused. Of an idempotent producer it becomes
  // the next one.
  runtime::Task<bool> place(LogPtr log, ModelPtr model, SimBatch batch);
  runtime::Task<void> acknowledge(LogPtr log, ModelPtr model);
  runtime::Task<void> append_last(Shard& shard);
  void retry_last(const storage::Log& log, const LogModel& model, uint64_t number);
  runtime::Task<void> read(LogPtr log, ModelPtr model);
  runtime::Task<Offset> read_from(LogPtr log, ModelPtr model, Offset from, Offset limit, uint32_t max_bytes);
  runtime::Task<void> search(LogPtr log, ModelPtr model);
  runtime::Task<void> trim(LogPtr log, ModelPtr model, bool by_retention);
  runtime::Task<void> truncate(LogPtr log, ModelPtr model);
  // Whether an operation may have failed so.
  bool excused(const storage::Log& log, const LogModel& model, std::optional<uint64_t> stable,
               const Error& error);
  ProducerId producer_of(uint64_t number) const { return ProducerId(static_cast<int64_t>(1000 + number)); }

  StorageRun& run_;
  StorageNode& node_;
  bool finishing_ = false;
  size_t clients_ = 0;
  size_t verifying_ = 0;
  size_t last_appends_ = 0;
};

}  // namespace tidemark::simulation
