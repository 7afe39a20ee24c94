// All logs of one shard in one data folder: their journal, the effects on files that follow behind it,
// checkpoints, the tail cache's bound, deletion. Lives on its shard's loop. A shared_ptr<Log> that somebody
// holds across an erase() stays valid and offline.
//
// The tail cache counts whole buffers, because a slice keeps all of its buffer alive. What no segment holds
// yet is never evicted, and is bounded on its own, by max_unwritten_bytes, in whole buffers too. The buffer
// that goes over that bound stays paid for by the request that brought it, until it is written.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "protocol/runtime/lane.h"
#include "protocol/runtime/task.h"
#include "storage/file_cache.h"
#include "storage/journal.h"
#include "storage/key_value_store.h"
#include "storage/log.h"

namespace tidemark::storage {

// Where a folder's blocking work runs. One of each per folder, but a journal lane per journal.
struct FolderLanes {
  runtime::Lane& journal;
  runtime::Lane& write;       // segment files, behind the journal
  runtime::Lane& read;        // cold reads
  runtime::Lane& background;  // syncs of segments, scans, the key-value store
  runtime::Lane& scrub;       // a read where the disk fails may take minutes, and holds up nothing
  runtime::Lane& clean;       // the log cleaner, which may be at it for hours
  runtime::Lane& sync;        // syncs of everything at once, which wait for strangers' writes too
};

struct ScrubStats {
  uint64_t bytes = 0;   // checked
  uint64_t errors = 0;  // segments that were damaged, or could not be read
};

struct LogStoreOptions {
  JournalOptions journal;
  std::string folder;  // the data folder
  Uuid home{};         // its id
  uint64_t tail_cache_bytes = 64 << 20;
  uint64_t max_unwritten_bytes = 64 << 20;  // buffers not yet in segments; appends wait beyond
  uint64_t bypass_bytes = 256 << 10;        // batches at least this large go to the segment first (rule 4)
  uint64_t checkpoint_bytes = 16 << 20;     // of live journal, start a checkpoint
  runtime::Duration checkpoint_interval = std::chrono::seconds(5);
  // Disk space is taken in steps that grow with a log's write rate, and in advance never more than 5 % of
  // what is free, by all `stores` of the folder together.
  uint64_t min_reserve_bytes = 64 << 10;
  uint64_t max_reserve_bytes = 16 << 20;
  size_t stores = 1;
  // What the journal holds goes to its segment with what else there is to write, so long after it at most:
  // nobody waits for it, and many small appends of one log become one write.
  runtime::Duration linger = std::chrono::milliseconds(10);
  uint64_t linger_bytes = 256 << 10;
  // The folder's; null: each file is synced by itself. With it a checkpoint of so many logs syncs all at
  // once.
  std::shared_ptr<WholeSync> whole_sync = nullptr;
  size_t whole_sync_from = kWholeSyncFrom;
  // So much is taken ahead of each append as long as the disk has it, for the logs that are to have it: what
  // they may still write when it has not.
  uint64_t headroom_bytes = 0;
  // Sealed segments are read through, so slowly, at most once in that time. 0: never.
  uint64_t scrub_bytes_per_second = 0;
  runtime::Duration scrub_interval = std::chrono::hours(24);
  int64_t producer_expiry_ms = 86'400'000;
  Planted planted = Planted::none;
};

// A buffer with appends in the tails of a shard.
struct HeldBuffer {
  runtime::Buffer* buffer = nullptr;
  size_t appends = 0;
  size_t unwritten = 0;  // of those, the ones that no segment holds yet
};

class LogStore {
 public:
  LogStore(LogStoreOptions options, runtime::Scheduler& loop, FolderLanes lanes, FileSystem& files,
           FileCache& cache, KeyValueStore* derived);
  ~LogStore();
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;

  // Makes the journal ready. Checkpoints begin with allow_checkpoints().
  runtime::Task<Result<void>> start(std::vector<std::string> old_journal_files);
  // Every sync that has begun by now has ended. Error: one has failed, and the folder with it. Linux tells
  // one caller alone: what these were told, a later sync of the same file was not.
  runtime::Task<Result<void>> end_of_syncs();
  // The earlier generations are in their files and synced, on every shard, and every store has said so. Once.
  void allow_checkpoints();

  // Where write.caching differs from how the log was written, it is switched first: until then appends wait.
  std::shared_ptr<Log> adopt(RecoveredLog recovered, LogSettings settings);
  // Durable on return, and its folder is there. no_space: nothing was made.
  runtime::Task<Result<std::shared_ptr<Log>>> create(std::string folder_name, Uuid topic_id,
                                                     PartitionId partition, LogSettings settings);
  // Durable on return, and the folder's name is free, also for another shard's log; the files go after
  // file.delete.delay.ms. REQUIRES: called once for a log.
  runtime::Task<Result<void>> erase(std::shared_ptr<Log> log);
  // As erase(), but all that it holds stays, durably, as FOLDER.ID-stray, until somebody removes it by hand.
  // Error: it stays where it is.
  runtime::Task<Result<void>> put_aside(RecoveredLog recovered, LogSettings settings);

  // Everything journaled so far goes into its files, synced; then its journal stretches are free.
  runtime::Task<Result<void>> checkpoint();
  // checkpoint(), and waits until no record journaled before the call needs a replay.
  runtime::Task<Result<void>> settle();
  // Waits for appends in flight, checkpoints, and stops. Nothing may be appended after the call. Error: the
  // stop is not a clean one.
  runtime::Task<Result<void>> stop();
  // A log that cannot follow its journal, because a write or a sync failed, takes the folder with it, as in
  // Kafka: its records must not be freed, and a journal that may free none comes to a halt, later and without
  // a word. The next start writes all of them again.
  void fail_folder(const Error& error);

  [[nodiscard]] const std::map<LogId, std::shared_ptr<Log>>& logs() const { return logs_; }
  [[nodiscard]] Journal& journal() { return journal_; }
  // Of the journal, or of the write into segments that runs, if that is longer: what hangs there holds up
  // appends before they are journaled.
  [[nodiscard]] runtime::Duration age(runtime::MonoTime now) const {
    return std::max(journal_.age(now), effects_running_ ? now - effects_since_ : runtime::Duration(0));
  }
  // The longest that an append or a read has waited for the disk since the last call, be it done or not: what
  // works in the background makes way for those.
  [[nodiscard]] runtime::Duration take_longest_wait();
  [[nodiscard]] const LogStoreOptions& options() const { return options_; }
  [[nodiscard]] uint64_t tail_bytes() const { return tail_bytes_; }
  [[nodiscard]] uint64_t unwritten_bytes() const { return unwritten_bytes_; }
  // Entries of the queue for eviction, for tests.
  [[nodiscard]] size_t evictable_appends() const { return evictable_.size(); }
  [[nodiscard]] uint64_t checkpoints() const { return checkpoints_; }
  [[nodiscard]] const ScrubStats& scrub_stats() const { return scrub_stats_; }
  // Set when the folder went offline as a whole.
  [[nodiscard]] const std::optional<Error>& offline() const { return offline_; }
  std::function<void(const Error&)> on_offline;
  // One partition went offline: who, and why.
  std::function<void(const Log&, const Error&)> on_log_offline;
  // The scrub could not read a segment, and goes on with the next one.
  std::function<void(const Log&, const Error&)> on_scrub_error;

 private:
  friend class Log;
  friend class LogCleaner;

  using Work = std::move_only_function<Result<void>()>;
  struct Effect {
    std::shared_ptr<Log> log;
    // One of the two:
    // A write of `data` at `position` of the file `path`, or `work`.
    std::shared_ptr<const std::string> path;
    uint64_t position = 0;
    runtime::BufferSlice data;
    Offset base;
    Work work;
    std::move_only_function<void(bool ok)> done;
    std::optional<Error> error{};
  };

  enum class Pace : uint8_t { at_once, lingers };
  void add_write(Log& log, std::shared_ptr<const std::string> path, uint64_t position,
                 runtime::BufferSlice data, Offset base, Pace pace);
  // `work` runs in the write lane behind all earlier effects; `done` on the shard, exactly once. A failure
  // takes the log offline.
  void add_effect(Log& log, Work work, std::move_only_function<void(bool ok)> done);
  void run_effects();
  [[nodiscard]] bool may_linger() const;
  // Somebody waits for what is lingering.
  void hurry();
  static void run_in_lane(FileCache& cache, std::vector<Effect>& effects);
  void effects_ran(std::vector<Effect>& effects);
  runtime::Task<bool> effects_done(uint64_t number);
  // Of each append, in this order.
  HeldBuffer& cached(const runtime::BufferSlice& batch);
  void wrote(HeldBuffer& held);
  void uncached(HeldBuffer& held);
  void evictable(Log& log, Offset base);
  void evict();
  void forget_evictable(size_t count);
  void read_begins() { reads_.push_back(loop_.mono()); }
  // Of what is read from memory without a wait: whether the reader lets others run first.
  static constexpr uint64_t kReadBetweenTurns = 2 << 20;
  static constexpr uint64_t kLocateCosts = 64 << 10;
  [[nodiscard]] bool has_read_long(uint64_t bytes) {
    read_now_ += bytes;
    return read_now_ > kReadBetweenTurns && std::exchange(read_now_, 0) > 0;
  }
  void read_ended();
  runtime::Task<void> flush(std::shared_ptr<Log> log);
  struct Syncing;
  void write_state(Syncing& item);
  using SyncItem = std::function<Result<void>(Syncing&)>;
  enum class SyncBy : uint8_t { file, whole };
  SyncBy cheapest_sync(size_t logs);
  runtime::Task<void> sync_items(std::shared_ptr<std::vector<Syncing>> items, SyncItem sync, SyncBy by);
  void bypassed(uint64_t bytes);
  [[nodiscard]] bool wants_checkpoint() const {
    return journal_.live_bytes() >= options_.checkpoint_bytes || journal_.starved() ||
           bypassed_bytes_ >= options_.journal.max_bytes;
  }
  runtime::Task<void> checkpoint_loop();
  runtime::Task<Result<void>> run_checkpoint();
  enum class Wrote { all, disk_full };  // disk_full: not the state of each log
  // Takes a group from the front of `logs`.
  runtime::Task<Result<Wrote>> checkpoint_logs(std::span<const std::shared_ptr<Log>>& logs, SyncBy by);
  runtime::Task<Result<void>> sync_names();
  runtime::Task<void> write_derived(std::vector<KeyValueWrite> writes);
  runtime::Task<void> scrub_loop();
  runtime::Task<void> headroom_loop();
  static runtime::Task<void> keep_headroom_of(std::shared_ptr<Log> log);
  runtime::Task<void> scrub(std::shared_ptr<Log> log);
  runtime::Task<void> remove_later(std::vector<std::string> paths, int64_t delay_ms);
  runtime::Task<void> switch_mode(std::shared_ptr<Log> log, LogSettings settings);
  // Its switch of write.caching, which a full disk has refused, is tried again: one log after the other,
  // since each needs a checkpoint.
  void switch_later(std::shared_ptr<Log> log);
  runtime::Task<void> switch_loop();
  LogId next_log_id();

  const LogStoreOptions options_;
  runtime::Scheduler& loop_;
  FolderLanes lanes_;
  FileSystem& files_;
  FileCache& cache_;
  KeyValueStore* derived_;
  Journal journal_;
  std::map<LogId, std::shared_ptr<Log>> logs_;
  uint32_t created_ = 0;

  std::vector<Effect> effects_;
  bool effects_running_ = false;
  bool effects_hurry_ = false;    // those that wait are not all to linger, or have long enough
  uint64_t lingering_bytes_ = 0;  // of those that wait
  runtime::MonoTime lingering_since_{};
  runtime::TimerId linger_timer_;
  runtime::MonoTime effects_since_{};  // when those that run were given to the lane
  uint64_t effects_added_ = 0;
  uint64_t effects_finished_ = 0;
  runtime::Signal effects_changed_;

  std::deque<runtime::MonoTime> reads_;  // when those that the read lane has were given to it, in its order
  uint64_t read_now_ = 0;                // bytes from memory, since others ran
  runtime::Duration longest_read_{0};

  std::deque<std::shared_ptr<Log>> to_switch_;
  bool switching_ = false;
  std::vector<std::shared_ptr<Log>> dirty_;
  // At first by the replay, which may have made a log's folder anew.
  bool data_folder_changed_ = true;
  bool syncing_names_ = false;
  // Folders of erased logs, and their delay (ms). Emptied only once the new name is durable: or a power cut
  // might bring the old one back, without what tells whose it is.
  std::vector<std::pair<std::string, int64_t>> graves_;
  std::vector<std::string> dead_keys_;  // of erased logs, in the key-value store
  struct Evictable {
    std::shared_ptr<Log*> log;  // null once it is gone
    Offset base;
  };
  std::deque<Evictable> evictable_;  // written appends, oldest first
  size_t stale_evictable_ = 0;       // of those, the ones that left their tails otherwise
  std::map<const runtime::Buffer*, HeldBuffer> buffers_;  // in the tails
  uint64_t tail_bytes_ = 0;
  uint64_t reserved_ahead_ = 0;  // disk space that its logs have taken and not written
  uint64_t unwritten_bytes_ = 0;
  runtime::Signal room_;  // unwritten_bytes_ has fallen below its bound

  bool checkpoints_allowed_ = false;
  bool checkpointing_ = false;
  bool checkpoint_wanted_ = false;
  bool stopping_ = false;
  // stop() has begun: nothing of any log changes any more. The mark of a clean stop promises that no journal
  // holds anything that is not in the files.
  bool closing_ = false;
  [[nodiscard]] static Error closing(std::string_view folder_name);
  uint64_t checkpoints_ = 0;
  runtime::Duration whole_sync_took_{0};  // in the last checkpoint that had any
  uint64_t bypassed_bytes_ = 0;           // since the last one began; a start would scan them
  ScrubStats scrub_stats_;
  runtime::Signal checkpoint_signal_;
  std::optional<Error> offline_;
  std::shared_ptr<LogStore*> alive_;
  runtime::TaskScope tasks_;  // last: its frames go first
};

}  // namespace tidemark::storage
