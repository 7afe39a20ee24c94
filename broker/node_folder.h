// One data folder of a running node: who owns it (storage::DataFolder), the lanes of its blocking work, and
// its log store on each shard. The first folder holds the metadata log too, in a store of its own, and the
// node ends with it; another one that fails, fails alone. Owned by the node; for shard 0's loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/folder_info.h"
#include "broker/observe/log.h"
#include "broker/shard.h"
#include "config/node_config.h"
#include "storage/data_folder.h"

namespace tidemark::broker {

struct NodeSeams;

// What requests, caches and answers share of memory, if `memory.limit` does not say.
[[nodiscard]] uint64_t memory_limit(const config::NodeConfig& config);

// What to do, for the log: about a partition, and about the whole folder.
inline constexpr std::string_view kDamageAdvice =
    "copy its folder away and look at the disk's own errors; `tidemark log verify FOLDER` shows what is "
    "sound; "
    "then restore or delete the topic";
inline constexpr std::string_view kFolderAdvice =
    "look whether it is mounted and at the kernel's log; mend or replace the disk, then start the node again";

class NodeFolder {
 public:
  // `index`: in `log.dirs`. All outlive it.
  NodeFolder(size_t index, const config::NodeConfig& config, NodeSeams& seams, Shards& shards);
  NodeFolder(const NodeFolder&) = delete;
  NodeFolder& operator=(const NodeFolder&) = delete;

  // Locks, replays, and says what it found. `cluster_id` zero: whatever the folder says, or a new one.
  runtime::Task<Result<void>> open(Uuid cluster_id, std::shared_ptr<storage::FileCache> cache);
  // On every shard, and the metadata log's.
  runtime::Task<Result<void>> start_stores();
  // Rule 7: what was replayed is synced. Error (rule 13): the folder must fail. False: it has failed
  // meanwhile.
  runtime::Task<Result<bool>> finish_replay();
  void allow_checkpoints();
  // Puts the reserve aside, once there is room for it.
  runtime::Task<void> keep_reserve();
  // Everything of it stops; once. `on_failed` hears of it.
  void fail(const Error& error);
  // It could not be opened: the node goes on without it.
  void leave_out(const Error& error);
  std::function<void(const Error&)> on_failed;
  // The loops have stopped. What runs in a lane still uses the stores: it ends before they go.
  void end_lanes();
  // After every store has stopped.
  runtime::Task<Result<void>> mark_clean_stop();

  [[nodiscard]] size_t index() const { return index_; }
  [[nodiscard]] bool holds_metadata() const { return index_ == 0; }
  [[nodiscard]] const std::string& path() const { return info_->path(); }
  [[nodiscard]] bool offline() const { return info_->offline(); }
  [[nodiscard]] const std::shared_ptr<FolderInfo>& info() const { return info_; }
  [[nodiscard]] runtime::Lane& background_lane() { return *background_lane_; }
  // REQUIRES: it was opened.
  [[nodiscard]] storage::DataFolder& data() { return *data_; }
  // nullptr: not this folder's.
  [[nodiscard]] storage::LogStore* metadata_store() { return metadata_store_.get(); }
  [[nodiscard]] storage::LogCleanerOptions cleaner_options(const Shard& shard) const;

 private:
  [[nodiscard]] Log& log() const;
  [[nodiscard]] std::string lane_name(std::string_view what) const;
  [[nodiscard]] storage::LogStoreOptions store_options(storage::JournalId journal,
                                                       uint64_t journal_bytes) const;
  std::unique_ptr<storage::LogStore> make_store(runtime::Scheduler& loop, storage::JournalId journal,
                                                runtime::Lane& lane, uint64_t journal_bytes);
  void tell_replay();

  const size_t index_;
  const config::NodeConfig& config_;
  NodeSeams& seams_;
  Shards& shards_;
  // Lanes outlive what submits to them.
  std::unique_ptr<runtime::Lane> write_lane_, read_lane_, background_lane_, scrub_lane_, clean_lane_,
      sync_lane_;
  std::vector<std::unique_ptr<runtime::Lane>> journal_lanes_;
  const std::shared_ptr<FolderInfo> info_;
  std::unique_ptr<storage::DataFolder> data_;
  std::unique_ptr<storage::LogStore> metadata_store_;
};

}  // namespace tidemark::broker
