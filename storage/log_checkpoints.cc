// Checkpoints of a store: what the journal holds comes into the files, synced, and is freed.
#include <fmt/format.h>

#include <algorithm>

#include "protocol/invariant.h"
#include "storage/log_snapshot.h"
#include "storage/log_store.h"
#include "storage/producer_snapshot.h"

namespace tidemark::storage {

using runtime::Task;

namespace {

constexpr runtime::Duration kFirstCheckpoint = std::chrono::milliseconds(300);
constexpr size_t kTogether = 64;                // logs whose snapshots are made in one go
constexpr size_t kMostSnapshotBytes = 8 << 20;  // held until they are written
// Segment, state and folder, file by file, on a disk that is not fast.
constexpr runtime::Duration kSyncsOfLog = std::chrono::milliseconds(2);

}  // namespace

// Before checkpoints are allowed they free nothing, but take their snapshots: syncing what was replayed may
// take longer than a life does, too.
Task<void> LogStore::checkpoint_loop() {
  // The first one soon, and the first that frees: recovery scans each log from its last snapshot on, and a
  // node that is killed within the first seconds of each life would scan more at every start.
  const runtime::Duration soon = std::min(kFirstCheckpoint, options_.checkpoint_interval);
  runtime::MonoTime due = loop_.mono() + soon;
  bool frees = false;
  bool again = false;
  while (!stopping_) {
    if (checkpoints_allowed_ && !std::exchange(frees, true)) due = std::min(due, loop_.mono() + soon);
    if (!again) {
      auto wait = checkpoint_signal_.wait_until(due);
      const bool asked = co_await wait;
      if (asked && !(checkpoints_allowed_ && wants_checkpoint())) continue;
    }
    again = false;
    const bool nothing_known = !checkpoints_allowed_ && dirty_.empty();
    due = loop_.mono() + (nothing_known ? soon : options_.checkpoint_interval);
    if (stopping_ || offline_ || nothing_known) continue;
    const GroupSequence before = journal_.answered();
    auto run = checkpoint();
    (void)co_await run;  // a failure has taken its log or the folder offline
    due = loop_.mono() + options_.checkpoint_interval;
    // What filled the journal meanwhile can be freed by another one alone.
    again = checkpoints_allowed_ && journal_.starved() && journal_.answered() > before;
  }
}

// Rule 8: what a start reads is bounded in bytes. The journal bounds what goes through it by itself.
void LogStore::bypassed(uint64_t bytes) {
  bypassed_bytes_ += bytes;
  if (bypassed_bytes_ >= options_.journal.max_bytes) checkpoint_signal_.notify_all();
}

// What a checkpoint or a flush syncs of one log. Everything that an effect has finished by now is covered;
// what finishes later puts the log onto the list again.
struct LogStore::Syncing {
  std::shared_ptr<Log> log;
  std::string folder;
  std::vector<Offset> sealed;
  Offset active;
  bool active_empty = false;
  bool active_missing = false;
  bool sync_folder = false;
  bool state_due = false;           // partition.state is to be written, then synced
  bool moved = false;               // its folder has another name by now
  std::shared_ptr<bool> disk_full;  // the state could not be written
  Offset end;                       // of the log
  Offset written;                   // in its files
  uint32_t cuts = 0;
  std::string snapshot;
  std::optional<Error> error;
  bool sync_failed = false;  // and no second one would tell
  bool covered = false;      // by a sync of everything: what is left is to see what is there

  Syncing(std::shared_ptr<Log> of, const std::vector<Offset>& unsynced)
      : log(std::move(of)),
        folder(log->folder()),
        sealed(unsynced),
        active(log->active().base),
        active_empty(log->active().bytes == 0),
        end(log->end_),
        written(log->written_),
        cuts(log->cuts_) {}

  // In a lane. Indexes are derived: those that cannot be synced are removed.
  Result<void> sync_segments(FileCache& cache, FileSystem& files) {
    for (const Offset base : covered ? std::vector<Offset>() : sealed) {
      TRY_ASSIGN(const bool there, sync_segment(cache, files, base));
      if (!there) continue;
      for (const std::string_view suffix : {kOffsetIndexSuffix, kTimeIndexSuffix}) {
        const std::string path = segment_path(folder, base, suffix);
        auto file = cache.get(path);
        if (!file || (*file)->sync_data()) continue;
        (void)files.remove(path);
        cache.forget(path);
      }
    }
    TRY_ASSIGN(const bool there, sync_segment(cache, files, active));
    active_missing = !there && !active_empty;
    if (!sync_folder || covered) return {};
    auto synced = files.sync_dir(folder);
    if (!synced) {
      TRY_ASSIGN(sync_failed, files.exists(folder));
    }
    return synced;
  }
  // In a lane, behind sync_segments().
  Result<void> sync_state(FileSystem& files) {
    if (!state_due) return {};
    if (covered) {
      TRY_ASSIGN(const bool there, files.exists(partition_state_path(folder)));
      moved = !there;
      return {};
    }
    TRY_ASSIGN(const auto file, open_if_there(files, partition_state_path(folder), OpenMode::read_write));
    moved = file == nullptr;
    return moved ? Result<void>() : sync(*file);
  }

 private:
  Result<void> sync(File& file) {
    auto synced = file.sync_data();
    sync_failed |= !synced;
    return synced;
  }
  // False: no such file. It was deleted meanwhile, or a full disk has kept it from being made.
  Result<bool> sync_segment(FileCache& cache, FileSystem& files, Offset base) {
    const std::string path = segment_path(folder, base, kLogSuffix);
    if (covered) return files.exists(path);
    auto file = cache.get(path);
    if (!file) {
      TRY_ASSIGN(const bool exists, files.exists(path));
      if (!exists) return false;
      file = cache.get(path);  // another may have taken its place in between
      if (!file) return fail(file.error());
    }
    TRY(sync(**file));
    return true;
  }
};

Task<Result<void>> LogStore::checkpoint() {
  while (checkpointing_) {
    auto wait = effects_changed_.wait();
    co_await wait;
  }
  if (offline_) co_return fail(*offline_);
  checkpointing_ = true;
  auto running = run_checkpoint();
  auto done = co_await running;
  checkpointing_ = false;
  effects_changed_.notify_all();
  co_return done;
}

// In the write lane, in its order: beside it the folder may be a namesake's already.
void LogStore::write_state(Syncing& item) {
  Log& log = *item.log;
  if (item.error) return;
  // A deleted log has none, from the moment on when its folder's renaming stands in that lane.
  item.moved = !log.has_checkpoints();
  if (item.moved) return;
  if (!log.state_.journaled && log.cuts_ == item.cuts && log.state_.synced != item.written) {
    log.state_.synced = item.written;
    log.state_changed_ = true;
  }
  if (!std::exchange(log.state_changed_, false)) return;
  item.state_due = log.taken_.state = true;
  item.disk_full = std::make_shared<bool>(false);
  auto write = [files = &files_, folder = item.folder, state = log.state_,
                full = item.disk_full]() -> Result<void> {
    auto wrote = write_partition_state(*files, folder, state, false);
    if (wrote || wrote.error().kind() != ErrorKind::no_space) return wrote;
    *full = true;  // what the folder says is older, and holds while its records stay in the journal
    return {};
  };
  add_effect(log, std::move(write), [](bool) {});
}

// A sync of everything waits for what strangers have written to the same disk, too.
LogStore::SyncBy LogStore::cheapest_sync(size_t logs) {
  if (options_.whole_sync == nullptr || logs < options_.whole_sync_from) return SyncBy::file;
  if (whole_sync_took_ <= logs * kSyncsOfLog) return SyncBy::whole;
  whole_sync_took_ /= 2;  // it is tried again
  return SyncBy::file;
}

Task<void> LogStore::sync_items(std::shared_ptr<std::vector<Syncing>> items, SyncItem sync, SyncBy by) {
  const bool forgets =
      options_.planted == Planted::whole_sync_once && !items->empty() && items->front().covered;
  if (by == SyncBy::whole && items->size() >= options_.whole_sync_from && !forgets) {
    const runtime::MonoTime began = loop_.mono();
    auto work = [items, whole = options_.whole_sync]() -> Result<void> {
      const auto synced = whole->sync();
      for (Syncing& item : *items) {
        item.covered = synced && *synced && whole->covers(item.folder);
        if (!synced) item.error = synced.error();
      }
      return synced ? Result<void>() : fail(synced.error());
    };
    auto all = runtime::on_lane(lanes_.sync, loop_, std::move(work));
    const Result<void> synced = co_await all;
    whole_sync_took_ += loop_.mono() - began;
    if (!synced) co_return fail_folder(synced.error());
  }
  constexpr size_t kAtOnce = 8;  // logs per job, so that other work of the lane gets its turn
  for (size_t first = 0; first < items->size(); first += kAtOnce) {
    auto work = [items, first, sync] {
      for (size_t i = first; i < std::min(first + kAtOnce, items->size()); ++i) {
        Syncing& item = (*items)[i];
        if (item.error) continue;
        if (auto outcome = sync(item); !outcome) item.error = outcome.error();
      }
      return true;
    };
    auto syncing = runtime::on_lane(lanes_.background, loop_, std::move(work));
    co_await syncing;
  }
}

Task<Result<void>> LogStore::run_checkpoint() {
  // The effects of every record up to here are queued: clients are told before answered() moves.
  const GroupSequence up_to = journal_.answered();
  auto effects = effects_done(effects_added_);
  co_await effects;

  // Dirty is what an effect or a record has ended on; so the list is taken when those of `up_to` have.
  const std::vector<std::shared_ptr<Log>> dirty = std::exchange(dirty_, {});
  bypassed_bytes_ = 0;
  const auto graves = std::exchange(graves_, {});
  const std::vector<std::string> dead_keys = std::exchange(dead_keys_, {});
  // Group by group, each to its end: what a node has synced when it is killed, its next start need not scan,
  // also where a whole checkpoint takes longer than a life.
  bool disk_full = false;
  const SyncBy by = cheapest_sync(dirty.size());
  if (by == SyncBy::whole) whole_sync_took_ = runtime::Duration(0);
  for (std::span<const std::shared_ptr<Log>> rest = dirty; !rest.empty();) {
    auto group = checkpoint_logs(rest, by);
    auto done = co_await group;
    if (!done) co_return fail(done.error());
    disk_full |= *done == Wrote::disk_full;
  }
  auto names = sync_names();
  auto named = co_await names;
  if (!named) co_return named;
  for (const auto& [path, delay] : graves) tasks_.spawn(remove_later({path}, delay));
  std::vector<KeyValueWrite> dead;
  for (const std::string& key : dead_keys) dead.push_back({key, std::nullopt});
  auto writing = write_derived(std::move(dead));
  co_await writing;
  if (offline_) co_return fail(*offline_);
  if (disk_full) co_return fail(Error::no_space(options_.folder + ": a log's state cannot be written"));
  ++checkpoints_;
  if (checkpoints_allowed_) journal_.mark_checkpoint(up_to);
  co_return Result<void>();
}

// The names of logs' folders, where any has changed.
Task<Result<void>> LogStore::sync_names() {
  if (!std::exchange(data_folder_changed_, false)) co_return Result<void>();
  syncing_names_ = true;
  auto work = [files = &files_, folder = options_.folder] { return files->sync_dir(folder); };
  auto syncing = runtime::on_lane(lanes_.background, loop_, std::move(work));
  auto synced = co_await syncing;
  syncing_names_ = false;
  if (!synced) fail_folder(synced.error());
  co_return synced;
}

// A failure is no news: a start without it reads more.
Task<void> LogStore::write_derived(std::vector<KeyValueWrite> writes) {
  if (derived_ == nullptr || writes.empty()) co_return;
  auto work = [store = derived_, writes = std::move(writes)] { return store->write(writes); };
  auto writing = runtime::on_lane(lanes_.background, loop_, std::move(work));
  (void)co_await writing;
}

Task<Result<LogStore::Wrote>> LogStore::checkpoint_logs(std::span<const std::shared_ptr<Log>>& logs,
                                                        SyncBy by) {
  auto items = std::make_shared<std::vector<Syncing>>();
  const size_t most = std::min(logs.size(), by == SyncBy::whole ? 16 * kTogether : kTogether);
  size_t snapshot_bytes = 0;
  size_t taken = 0;
  while (taken < most && snapshot_bytes < kMostSnapshotBytes) {
    if (taken % kTogether == kTogether - 1) {
      auto others = runtime::let_others_run(loop_);
      co_await others;
    }
    const std::shared_ptr<Log>& log = logs[taken++];
    if (!log->materialized_ && log->has_checkpoints()) {
      dirty_.push_back(log);
      continue;
    }
    log->dirty_ = false;
    if (!log->has_checkpoints()) {
      data_folder_changed_ = true;
      continue;
    }
    log->taken_ = {std::exchange(log->unsynced_segments_, {}), std::exchange(log->folder_changed_, false)};
    Syncing& item = items->emplace_back(log, log->taken_.segments);
    item.sync_folder = log->taken_.folder;
    // Rule 12: taken only at or below the durable offset. It vouches for the sealed segments' indexes too, so
    // none of theirs may be on its way. The active one's are told by their checksum.
    const bool settled = log->index_saves_.empty() && log->written_ >= log->active().base;
    if (!log->offline()) log->save_indexes();
    if (!log->fenced_ && !log->offline() && settled && derived_ != nullptr) {
      const DerivedFrom from{log->id(), log->end_, log->latest_epoch()};
      item.snapshot = encode_log_snapshot(LogSnapshot{
          log->id(), log->end_, log->latest_epoch(), log->active().base, log->active().bytes, log->saved_,
          encode_leader_epoch_checkpoint(log->epochs_), encode_producer_snapshot(from, log->producers_)});
      snapshot_bytes += item.snapshot.size();
    }
  }
  logs = logs.subspan(taken);

  SyncItem sync_segments = [cache = &cache_, files = &files_](Syncing& item) {
    return item.sync_segments(*cache, *files);
  };
  auto segments = sync_items(items, std::move(sync_segments), by);
  co_await segments;
  // Only now: without a journal, the state says what is synced.
  for (Syncing& item : *items) write_state(item);
  auto states = effects_done(effects_added_);
  co_await states;
  if (std::ranges::any_of(*items, [](const Syncing& item) { return item.state_due; })) {
    SyncItem sync_state = [files = &files_](Syncing& item) { return item.sync_state(*files); };
    auto rest = sync_items(items, std::move(sync_state), by);
    co_await rest;
  }
  // A log's name must be settled where its record is freed, whether its state got into the folder or not: a
  // deletion may have come in between, and a namesake's state have been synced in its place.
  data_folder_changed_ |=
      std::any_of(items->begin(), items->end(), [](const Syncing& item) { return item.moved; });
  auto names = sync_names();
  auto named = co_await names;
  if (!named) co_return fail(named.error());
  std::vector<KeyValueWrite> snapshots;
  Wrote wrote = Wrote::all;
  for (Syncing& item : *items) {
    Log& log = *item.log;
    log.taken_ = {};
    // Whoever has its name by now: another sync of the same file would not tell.
    if (item.sync_failed) fail_folder(*item.error);
    // Also of a log that is being deleted: until its folder's new name is synced, only its records say whose
    // it is.
    if (item.disk_full && *item.disk_full) {
      wrote = Wrote::disk_full;
      log.state_changed_ = true;
      log.mark_dirty();
    }
    // A log that was deleted in the meantime may have lost its folder; that is not news.
    if (!log.has_checkpoints() || log.erasing_) continue;
    const bool active_gone = log.cuts_ != item.cuts || log.start() > item.active;
    if (item.active_missing && !active_gone)
      item.error = Error::corruption(fmt::format(
          "{}: its segment {} is gone", segment_path(item.folder, item.active, kLogSuffix), item.active));
    if (item.error) fail_folder(*item.error);
    if (offline_) co_return fail(*offline_);
    if (log.state_changed_) log.mark_dirty();
    if (log.cuts_ != item.cuts) continue;
    if (log.settings_.write_caching) log.durable_ = std::max(log.durable_, item.written);
    if (!item.snapshot.empty() && !log.fenced_ && log.durable_ >= item.end)
      snapshots.push_back({snapshot_key(log.id()), std::move(item.snapshot)});
  }
  auto writing = write_derived(std::move(snapshots));
  co_await writing;
  if (offline_) co_return fail(*offline_);
  co_return wrote;
}

// A checkpoint tells of a failed sync when it ends, and nobody else may be told of it at all.
Task<Result<void>> LogStore::end_of_syncs() {
  auto effects = effects_done(effects_added_);
  co_await effects;
  auto behind = runtime::on_lane(lanes_.background, loop_, [] { return true; });
  co_await behind;
  while (checkpointing_ && !offline_) {
    auto wait = effects_changed_.wait();
    co_await wait;
  }
  if (offline_) co_return fail(*offline_);
  co_return Result<void>();
}

Task<Result<void>> LogStore::settle() {
  const GroupSequence up_to = journal_.answered();
  while (!offline_ && !checkpoints_allowed_) {
    auto wait = effects_changed_.wait_until(loop_.mono() + std::chrono::milliseconds(1));
    co_await wait;
  }
  auto running = checkpoint();
  auto done = co_await running;
  if (!done) co_return done;
  while (!offline_ && !journal_.freed(up_to)) {
    auto wait = effects_changed_.wait_until(loop_.mono() + std::chrono::milliseconds(1));
    co_await wait;
  }
  if (offline_) co_return fail(*offline_);
  co_return Result<void>();
}

// write.caching: what is in the files by now is synced, and durable afterwards.
Task<void> LogStore::flush(std::shared_ptr<Log> log) {
  auto effects = effects_done(effects_added_);
  co_await effects;
  if (log->offline()) co_return;
  // The checkpoint's flags stay up: it claims more than this does. What one has taken over may not be synced
  // yet.
  std::vector<Offset> sealed = log->unsynced_segments_;
  sealed.insert(sealed.end(), log->taken_.segments.begin(), log->taken_.segments.end());
  auto item = std::make_shared<Syncing>(log, sealed);
  item->sync_folder = log->folder_changed_ || log->taken_.folder;
  // Power loss must not leave a folder that says not whose it is.
  item->state_due = log->state_changed_ || log->taken_.state;
  const bool sync_data_folder = data_folder_changed_ || syncing_names_;
  auto work = [item, cache = &cache_, files = &files_, folder = options_.folder,
               sync_data_folder]() -> Result<void> {
    TRY(item->sync_state(*files));
    TRY(item->sync_segments(*cache, *files));
    return sync_data_folder ? files->sync_dir(folder) : Result<void>();
  };
  auto syncing = runtime::on_lane(lanes_.background, loop_, std::move(work));
  auto synced = co_await syncing;
  const bool cut = log->cuts_ != item->cuts;
  if (!synced && (item->sync_failed || !log->erasing_)) fail_folder(synced.error());
  log->flushed(synced && !cut ? item->written : log->durable_);
}

}  // namespace tidemark::storage
