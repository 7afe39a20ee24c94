// One broker node above the seams: its data folders, shards, metadata and API handlers. The same object runs
// in the daemon and in the simulator. Everything but the status is for shard 0's loop.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/api/handlers.h"
#include "broker/client_quotas.h"
#include "broker/group_coordinators.h"
#include "broker/group_lag.h"
#include "broker/journal_watch.h"
#include "broker/metadata_service.h"
#include "broker/node_folder.h"
#include "broker/node_metrics.h"
#include "broker/observe/log.h"
#include "config/node_config.h"

namespace tidemark::broker {

class ClientTelemetry;

inline constexpr uint64_t kMetadataJournalBytes = 16 << 20;

struct NodeSeams {
  static constexpr uint64_t kStretchBytes = 16 << 20;
  NodeSeams(storage::FileSystem& f, runtime::Random& r) : files(f), random(r) {}
  std::vector<runtime::Scheduler*> shards;  // at least one
  storage::FileSystem& files;
  runtime::Random& random;  // shard 0's
  std::function<std::unique_ptr<runtime::Lane>(const std::string& name)> make_lane;
  storage::DataFolder::OpenStore open_store;
  Log* log = nullptr;  // required
  // The folder of the metadata log failed: the node can only refuse any more in this life. Called once.
  std::function<void(const Error&)> on_offline = [](const Error&) {};
  NodeMetrics* metrics = nullptr;  // nullptr: nobody counts
  storage::Planted planted = storage::Planted::none;
  size_t max_open_segments = 4096;  // files of segments and indexes
  // Smaller in the simulator, where rare branches are wanted often.
  uint64_t first_stretch_bytes = 1 << 20;
  uint64_t stretch_bytes = kStretchBytes;
  // What the metadata log may still take when the disk is full.
  uint64_t metadata_headroom_bytes = 512 << 10;
  // And each log of a coordinator: hundreds of commits.
  uint64_t coordinator_headroom_bytes = 128 << 10;
  uint64_t bypass_bytes = 256 << 10;
  uint64_t checkpoint_bytes = 16 << 20;
  size_t whole_sync_from = storage::kWholeSyncFrom;
  runtime::Duration scrub_interval = std::chrono::hours(24);
};

// What /readyz says. Any thread.
struct NodeStatus {
  enum class Phase : int {
    starting,
    replaying_journal,
    recovering_logs,
    opening_partitions,
    ready,
    stopping,
    failed
  };
  std::atomic<Phase> phase{Phase::starting};
  std::atomic<uint64_t> logs_total{0};
  std::atomic<uint64_t> logs_recovered{0};
};

class Node {
 public:
  Node(config::NodeConfig config, NodeSeams seams);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Opens the data folders, replays, leads a new term, opens the partitions. Error: one line that says what
  // to do; nothing was changed that a second try does not find as it was.
  runtime::Task<Result<void>> start();
  // Called after start(), before connections are accepted: what clients are told of this broker. (With port 0
  // the listener knows its address only once it is bound; the registration in the metadata log carries what
  // is configured.)
  [[nodiscard]] RequestHandler& handler(size_t shard) { return *handlers_[shard]; }
  // On that shard's loop.
  [[nodiscard]] ClientQuotas& quotas(size_t shard) { return *quotas_[shard]; }
  // No request is being handled any more. Checkpoints, and leaves the mark of a clean stop.
  runtime::Task<Result<void>> stop();

  [[nodiscard]] const NodeStatus& status() const { return status_; }
  // "journal 0 has been stalled for 7 s"; empty: none is. Any thread.
  [[nodiscard]] std::string stalled(runtime::MonoTime now) const;
  [[nodiscard]] const config::NodeConfig& config() const { return config_; }
  [[nodiscard]] Shards& shards() { return shards_; }
  [[nodiscard]] MetadataService& metadata() { return *metadata_; }
  [[nodiscard]] const FolderInfos& folders() const { return folder_infos_; }
  // What answers, elements of requests and fetch sessions take of memory.limit; each its own part. REQUIRES:
  // it has started. Any thread.
  [[nodiscard]] const runtime::ByteBudget& answer_memory() const { return *answer_memory_; }
  [[nodiscard]] const runtime::ByteBudget& element_memory() const { return *element_memory_; }
  [[nodiscard]] const runtime::ByteBudget& session_memory() const { return *session_memory_; }
  [[nodiscard]] const FetchSessions& sessions(size_t shard) const { return *sessions_[shard]; }

 private:
  using FoundLog = MetadataService::FoundLog;
  [[nodiscard]] NodeFolder& first() { return *folders_.front(); }
  runtime::Task<Result<void>> open_folders();
  runtime::Task<Result<void>> check_first_folder();
  [[nodiscard]] Result<void> check_moved() const;
  runtime::Task<Result<void>> start_stores();
  runtime::Task<Result<void>> start_metadata(MetadataService::Recovered& recovered);
  [[nodiscard]] size_t folders_online() const {
    return static_cast<size_t>(
        std::ranges::count_if(folders_, [](const auto& folder) { return !folder->offline(); }));
  }
  [[nodiscard]] Result<void> check_history(NodeFolder& folder, LeaderEpoch last);
  runtime::Task<Result<void>> begin_term(LeaderEpoch term);
  runtime::Task<Result<std::shared_ptr<storage::Log>>> open_metadata_log(
      MetadataService::Recovered& recovered);
  runtime::Task<Result<MetadataService::Recovered>> recover_logs();
  runtime::Task<void> finish_replay(NodeFolder& folder);
  runtime::Task<Result<void>> stop_folder(NodeFolder& folder);
  runtime::Task<void> retention_loop(Shard& shard, size_t folder);
  void start_cleaner(Shard& shard, NodeFolder& folder, runtime::Random& random);
  runtime::Task<void> watch_loop(Shard& shard);
  void watch(storage::LogStore& store, FolderInfo& folder, size_t journal, runtime::MonoTime now);
  runtime::Task<void> sample_loop(Shard& shard, const FetchSessions& sessions);
  runtime::Task<void> space_loop(FolderInfo& folder);
  [[nodiscard]] Log& log() const { return *seams_.log; }

  const config::NodeConfig config_;
  NodeSeams seams_;
  NodeStatus status_;
  std::vector<JournalWatch> watches_;  // by folder, by shard; the metadata log's last
  std::unique_ptr<runtime::Lane> compression_lane_;
  std::vector<std::unique_ptr<runtime::Lane>> recovery_lanes_;  // while logs are recovered
  std::shared_ptr<storage::FileCache> file_cache_;
  std::vector<std::unique_ptr<NodeFolder>> folders_;  // as `log.dirs` has them
  FolderInfos folder_infos_;
  Shards shards_;  // with the stores, which use the folders
  std::unique_ptr<MetadataService> metadata_;
  std::vector<std::unique_ptr<runtime::SeededRandom>> randoms_;
  std::vector<std::unique_ptr<FetchSessions>> sessions_;
  std::vector<std::unique_ptr<ProducerIds>> producer_ids_;
  std::vector<std::unique_ptr<GroupCoordinators>> groups_;
  std::vector<std::unique_ptr<GroupLag>> group_lags_;  // none where nobody counts
  std::unique_ptr<ClientTelemetry> telemetry_;
  std::unique_ptr<Usages> usages_;
  std::shared_ptr<runtime::ByteBudget> answer_memory_, element_memory_, session_memory_;
  std::vector<std::unique_ptr<ClientQuotas>> quotas_;
  std::vector<std::unique_ptr<ApiHandler>> handlers_;
  size_t replays_ = 0;  // folders in which what was replayed is not synced yet
  runtime::Signal replay_end_;
};

}  // namespace tidemark::broker
