// One data folder of a node, from its lock to its clean stop: identity, generation, journals of earlier
// starts, and the logs found. LogStores (one per shard, and one for the metadata log) then take the logs
// over. Blocking; runs in a lane or before the node serves.
//
//   FOLDER/TOPIC-PARTITION/...     Kafka's names and formats
//   FOLDER/tidemark/identity       who owns the folder (identity.h)
//   FOLDER/tidemark/lock           held while the node runs
//   FOLDER/tidemark/reserve        the space that a start needs, for a start on a full disk
//   FOLDER/tidemark/journal/       stretches of all journals
//   FOLDER/tidemark/derived/       the key-value store
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "protocol/runtime/random.h"
#include "storage/file_cache.h"
#include "storage/identity.h"
#include "storage/journal.h"
#include "storage/journal_recovery.h"
#include "storage/journal_replay.h"
#include "storage/key_value_store.h"
#include "storage/log_recovery.h"

namespace tidemark::storage {

struct DataFolderOptions {
  std::string path;
  BrokerId node;
  Uuid cluster_id;  // zero: whatever the folder says, or a new one
  // Where a node's folders share one, it is given, and its owner gives back what the system wants back.
  std::shared_ptr<FileCache> cache = nullptr;
  bool takes_unnamed = true;                // see ReplayHome
  size_t max_open_files = 4096;             // of a cache of its own, and of a replay
  size_t whole_sync_from = kWholeSyncFrom;  // logs that were replayed
  // What a start needs at most before the journals of the one before it are freed.
  uint64_t reserve_bytes = 0;
  Planted planted = Planted::none;
};

class DataFolder {
 public:
  ~DataFolder() {
    if (!options_.cache) files_.on_no_descriptors({});
  }

  using OpenStore = std::function<Result<std::unique_ptr<KeyValueStore>>(const std::string& path)>;

  // Locks the folder, checks whose it is, begins a generation (synced), and replays the journals into the
  // files. Errors say what to do: locked, another node's or cluster's, a newer format, damaged.
  static Result<std::unique_ptr<DataFolder>> open(DataFolderOptions options, FileSystem& files,
                                                  const OpenStore& open_store, runtime::Random& random);

  // The file that says whose the folder at `path` is.
  static std::string identity_path(std::string_view path);
  [[nodiscard]] const Identity& identity() const { return *identity_.identity(); }
  [[nodiscard]] const std::string& path() const { return options_.path; }
  [[nodiscard]] std::string journal_folder() const { return own_path("journal"); }
  [[nodiscard]] FileSystem& files() { return files_; }
  [[nodiscard]] FileCache& cache() { return *cache_; }
  [[nodiscard]] KeyValueStore* derived() { return derived_.get(); }
  // Null where there is none.
  [[nodiscard]] const std::shared_ptr<WholeSync>& whole_sync() const { return whole_sync_; }
  // Whether the last start ended with mark_clean_stop(): nothing was replayed.
  [[nodiscard]] bool was_clean() const { return was_clean_; }
  // What the journals of this start carry as their floor.
  [[nodiscard]] Generation floor() const { return was_clean_ ? identity().generation : journals_.floor(); }
  [[nodiscard]] const std::vector<std::string>& old_journal_files() const { return journals_.paths(); }
  // Whether they are to be put aside: this start, or one before it that did not get that far, found damage.
  [[nodiscard]] bool keeps_old_journals() const { return keeps_old_journals_; }
  [[nodiscard]] const JournalReplay& replay() const { return replay_; }
  [[nodiscard]] const JournalRecovery& journals() const { return journals_; }

  // One of replay().logs, ready for a LogStore. Any lane; different logs at once.
  Result<RecoveredLog> recover(const ReplayedLog& replayed, const LogRecoveryOptions& options,
                               runtime::WallTime now, RecoveryStats& stats);
  // Syncs at once what the replay changed, where that is cheaper: it may take long, and finish_replay() does
  // it where it was not called. Error: as there.
  Result<void> sync_replay();
  // Syncs what the replay changed, and removes the graves: a few logs at each call, so that other work of the
  // lane gets its turn. True: done, and every LogStore may allow_checkpoints(). Error: the folder must not be
  // used any more, nor this be called again: a sync has failed, and the journals may never be freed.
  Result<bool> finish_replay();
  // Why graves could not be removed: the next start tries again.
  [[nodiscard]] const std::vector<Error>& stuck_graves() const { return stuck_graves_; }

  // Puts reserve_bytes aside, which the next start takes if the disk has less. False: there is no room for
  // all of it yet.
  Result<bool> keep_reserve();

  // Durable on return.
  Result<void> write_term(LeaderEpoch term, BrokerId vote);
  // Of a folder without the metadata log. Durable on return.
  Result<void> write_served_term(LeaderEpoch term);
  // After every LogStore has stopped.
  Result<void> mark_clean_stop();

 private:
  DataFolder(DataFolderOptions options, FileSystem& files)
      : options_(std::move(options)),
        files_(files),
        cache_(options_.cache ? options_.cache
                              : std::make_shared<FileCache>(files, options_.max_open_files)) {}
  [[nodiscard]] std::string own_path(std::string_view name) const;
  [[nodiscard]] std::string keep_marker() const {
    return fmt::format("{}/{}", journal_folder(), kKeepMarker);
  }
  Result<void> begin_generation(runtime::Random& random);
  Result<void> take_reserve();

  const DataFolderOptions options_;
  FileSystem& files_;
  std::shared_ptr<FileCache> cache_;
  std::unique_ptr<FileLock> lock_;
  std::shared_ptr<WholeSync> whole_sync_;
  IdentityFile identity_;
  bool was_clean_ = false;
  bool keeps_old_journals_ = false;
  JournalRecovery journals_;
  JournalReplay replay_;
  bool whole_sync_tried_ = false;
  bool replay_covered_ = false;  // by a sync of everything
  LogId replay_synced_;          // up to this log
  std::vector<Error> stuck_graves_;
  std::unique_ptr<KeyValueStore> derived_;
};

}  // namespace tidemark::storage
