// The storage of one node in a simulated process: a data folder, its lanes, and a LogStore per shard. What
// the daemon's node does with them, without the daemon. Dies with its process, at any event.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/data_folder.h"
#include "storage/log_cleaner.h"
#include "tests/simulation/sim_key_value_store.h"
#include "tests/simulation/sim_process.h"

namespace tidemark::simulation {

struct StorageNodeOptions {
  std::string folder = "/data";
  size_t shards = 1;
  size_t max_open_files = 64;
  storage::LogStoreOptions store;  // journal.folder, generation and the like are filled in
  storage::LogSettings settings;   // of logs that are found; then LogStore::create's argument
  uint32_t index_interval_bytes = 4096;
  WallClock wall_clock;
  runtime::Duration cross_delay{0};
  std::optional<storage::LogCleanerOptions> cleaner;  // none: no log is cleaned
  storage::Planted planted = storage::Planted::none;
};

class StorageNode {
 public:
  struct Shard {
    VirtualScheduler* loop = nullptr;
    std::unique_ptr<storage::LogStore> store;
    std::map<std::string, std::shared_ptr<storage::Log>> logs;  // by folder name
    std::unique_ptr<storage::LogCleaner> cleaner;
    std::unique_ptr<runtime::TaskScope> scope;  // goes first
  };

  // `settings_of`: what the topic of a log that is found has been set to.
  StorageNode(SimProcess& process, StorageNodeOptions options, SimStoreContent& derived, uint64_t seed,
              std::function<storage::LogSettings(const std::string& folder_name)> settings_of);
  ~StorageNode();

  // Opens the folder, recovers its logs and serves them; started() or failure() follows.
  void start();
  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  // Why its folder went offline in this life; and the first of its logs that did, or that is damaged.
  [[nodiscard]] const std::optional<Error>& offline() const { return offline_; }
  [[nodiscard]] const std::optional<Error>& log_offline() const { return log_offline_; }

  // Orderly: checkpoints, the clean-stop mark; stopped() follows (or offline()).
  void stop();
  [[nodiscard]] bool stopped() const { return stopped_; }

  [[nodiscard]] std::vector<std::unique_ptr<Shard>>& shards() { return shards_; }
  [[nodiscard]] storage::DataFolder& data() { return *data_; }
  [[nodiscard]] size_t shard_of(const std::string& folder_name) const;
  [[nodiscard]] const storage::RecoveryStats& recovery() const { return recovery_; }

 private:
  using Recovered = std::vector<storage::RecoveredLog>;
  runtime::Task<void> run_start();
  Result<void> open_folder();  // blocking
  runtime::Task<Result<void>> open_all();
  runtime::Task<Result<void>> open_shard(Shard& shard, size_t index, std::shared_ptr<Recovered> logs);
  void start_cleaner(Shard& shard);
  runtime::Task<Result<void>> allow_checkpoints(Shard& shard);
  runtime::Task<void> run_stop();
  runtime::Task<Result<void>> stop_shard(Shard& shard);
  void went_offline(const Error& error);

  SimProcess& process_;
  const StorageNodeOptions options_;
  SimStoreContent& derived_content_;
  runtime::SeededRandom random_;
  std::function<storage::LogSettings(const std::string&)> settings_of_;
  SimLane* write_lane_;
  SimLane* read_lane_;
  SimLane* background_lane_;
  SimLane* scrub_lane_;
  SimLane* sync_lane_;
  SimLane* clean_lane_;
  std::vector<SimLane*> journal_lanes_;
  std::unique_ptr<storage::DataFolder> data_;
  std::vector<std::unique_ptr<Shard>> shards_;
  storage::RecoveryStats recovery_;
  bool started_ = false;
  bool replay_finished_ = false;
  bool stopped_ = false;
  std::optional<Error> failure_;
  std::optional<Error> offline_;
  std::optional<Error> log_offline_;
};

}  // namespace tidemark::simulation
