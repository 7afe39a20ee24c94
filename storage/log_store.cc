#include "storage/log_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "protocol/batch/crc32c.h"
#include "protocol/invariant.h"
#include "storage/journal_replay.h"
#include "storage/producer_snapshot.h"

namespace tidemark::storage {

using runtime::BufferSlice;
using runtime::Task;

namespace {

// Appends wait for the next checkpoint to free a stretch.
constexpr runtime::Duration kStarvedPause = std::chrono::milliseconds(5);

}  // namespace

LogStore::LogStore(LogStoreOptions options, runtime::Scheduler& loop, FolderLanes lanes, FileSystem& files,
                   FileCache& cache, KeyValueStore* derived)
    : options_(std::move(options)),
      loop_(loop),
      lanes_(lanes),
      files_(files),
      cache_(cache),
      derived_(derived),
      journal_(options_.journal, loop, lanes.journal, lanes.background, files),
      effects_changed_(loop),
      checkpoint_signal_(loop),
      alive_(std::make_shared<LogStore*>(this)) {
  journal_.on_pressure = [this] { checkpoint_signal_.notify_all(); };
  journal_.on_failure = [this](const Error& error) {
    offline_ = error;
    for (const auto& [id, log] : logs_) log->go_offline(error);
    if (on_offline) on_offline(error);
  };
}

LogStore::~LogStore() { *alive_ = nullptr; }

Task<Result<void>> LogStore::start(std::vector<std::string> old_journal_files) {
  auto starting = journal_.start(std::move(old_journal_files));
  auto started = co_await starting;
  if (started) tasks_.spawn(checkpoint_loop());
  co_return started;
}

void LogStore::allow_checkpoints() {
  checkpoints_allowed_ = true;
  journal_.raise_floor(options_.journal.generation);
  checkpoint_signal_.notify_all();
}

// --- logs
// ------------------------------------------------------------------------------------------------------------

LogId LogStore::next_log_id() {
  // Never used again: the generation is new at every start, and journals of one folder count apart.
  return LogId(options_.journal.generation.value << 32 | uint64_t{options_.journal.id.value & 0xFF} << 24 |
               ++created_);
}

std::shared_ptr<Log> LogStore::adopt(RecoveredLog recovered, LogSettings settings) {
  auto log = std::make_shared<Log>(*this, std::move(recovered), settings);
  logs_.emplace(log->id(), log);
  if (offline_) log->go_offline(*offline_);
  return log;
}

Task<Result<std::shared_ptr<Log>>> LogStore::create(std::string folder_name, Uuid topic_id,
                                                    PartitionId partition, LogSettings settings) {
  if (offline_) co_return fail(*offline_);
  RecoveredLog fresh;
  fresh.state =
      PartitionState{next_log_id(), topic_id, partition, !settings.write_caching, Offset(0), Offset(0)};
  fresh.folder_name = folder_name;
  fresh.segments.push_back(Segment{Offset(0), 0, -1, -1, loop_.clock().wall()});
  // Disk space first, as for an append: the folder is made under a name that the next start would remove, and
  // gets its own behind the journal.
  const std::string nest =
      fmt::format("{}/{}.{:x}{}", options_.folder, folder_name, fresh.state.log.value, kGraveSuffix);
  auto make = [files = &files_, nest, state = fresh.state]() -> Result<void> {
    TRY(files->create_dir(nest));
    auto made = write_partition_state(*files, nest, state, false);
    if (made) {
      auto file = files->open(segment_path(nest, Offset(0), kLogSuffix), OpenMode::create);
      if (!file) made = fail(file.error());
    }
    if (made) return {};
    (void)files->remove(segment_path(nest, Offset(0), kLogSuffix));
    (void)files->remove(fmt::format("{}/{}", nest, kPartitionStateName));
    (void)files->remove(nest);
    return made;
  };
  auto making = runtime::on_lane(lanes_.background, loop_, std::move(make));
  auto made = co_await making;
  if (!made) co_return fail(made.error());
  auto log = adopt(std::move(fresh), settings);
  log->materialized_ = false;
  JournalRecord record;
  record.type = JournalRecordType::create;
  record.log = log->id();
  record.topic_id = topic_id;
  record.partition = partition;
  record.journaled = !settings.write_caching;
  record.folder = log->folder_name();
  runtime::OneShot<bool> created(loop_);
  auto resolver = created.resolver();
  auto then = [this, raw = log.get(), resolver, nest](bool ok) mutable {
    resolver.set(ok);
    if (!ok) return;
    data_folder_changed_ = true;
    auto work = [files = &files_, nest, folder = raw->folder()] { return files->rename(nest, folder); };
    auto done = [raw](bool renamed) { raw->materialized_ = renamed; };
    add_effect(*raw, std::move(work), std::move(done));
  };
  log->add_record(record, {}, std::move(then));
  auto awaiter = created.wait();
  const bool ok = co_await awaiter;
  if (!ok) co_return fail(*log->offline());
  co_return log;
}

Task<Result<void>> LogStore::erase(std::shared_ptr<Log> log) {
  while (log->fenced_) {
    auto look_again = log->changed_.wait();
    co_await look_again;
  }
  log->fenced_ = true;
  JournalRecord record;
  record.type = JournalRecordType::erase;
  record.log = log->id();
  runtime::OneShot<bool> erased(loop_);
  auto resolver = erased.resolver();
  const std::string grave =
      fmt::format("{}/{}.{:x}-delete", options_.folder, log->folder_name(), log->id().value);
  auto then = [this, raw = log.get(), resolver, grave](bool ok) mutable {
    resolver.set(ok);
    if (!ok) return;
    data_folder_changed_ = true;
    dead_keys_.push_back(snapshot_key(raw->id()));
    auto work = [files = &files_, cache = &cache_, folder = raw->folder(), grave]() -> Result<void> {
      cache->forget_folder(folder);
      return files->rename(folder, grave);
    };
    auto done = [this, raw, grave, delay = raw->settings().file_delete_delay_ms](bool renamed) {
      if (renamed) tasks_.spawn(remove_later(grave, delay));
      logs_.erase(raw->id());
    };
    add_effect(*raw, std::move(work), std::move(done));
    raw->go_offline(Error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, raw->folder_name() + " was deleted"));
  };
  if (log->offline()) {
    // A log that cannot be used is deleted all the same, as long as the journal works.
    log->offline_.reset();
  }
  log->add_record(record, {}, std::move(then));
  auto awaiter = erased.wait();
  const bool ok = co_await awaiter;
  if (!ok)
    co_return fail(
        Error::io(fmt::format("{}: could not be deleted: {}", log->folder_name(), journal_.failure())));
  co_return Result<void>();
}

Task<void> LogStore::remove_later(std::string path, int64_t delay_ms) {
  auto delay = runtime::sleep_for(loop_, std::chrono::milliseconds(delay_ms));
  co_await delay;
  auto work = [files = &files_, path]() -> Result<void> {
    auto inside = files->list(path);
    if (inside) {
      for (const DirEntry& entry : *inside) TRY(files->remove(path + "/" + entry.name));
    }
    return files->remove(path);
  };
  auto removing = runtime::on_lane(lanes_.background, loop_, std::move(work));
  (void)co_await removing;  // what stays is removed at the next start
}

// --- effects on files
// ------------------------------------------------------------------------------------------------

void LogStore::add_write(Log& log, std::shared_ptr<const std::string> path, uint64_t position,
                         BufferSlice data, Offset base) {
  effects_.push_back(Effect{shared(log), std::move(path), position, std::move(data), base, {}, {}});
  ++effects_added_;
  run_effects();
}

void LogStore::add_effect(Log& log, Work work, std::move_only_function<void(bool ok)> done) {
  effects_.push_back(Effect{shared(log), {}, 0, {}, {}, std::move(work), std::move(done)});
  ++effects_added_;
  run_effects();
}

void LogStore::run_effects() {
  if (effects_running_ || effects_.empty()) return;
  effects_running_ = true;
  auto batch = std::make_shared<std::vector<Effect>>(std::exchange(effects_, {}));
  lanes_.write.submit([cache = &cache_, batch] { run_in_lane(*cache, *batch); }, loop_,
                      [alive = alive_, batch] {
                        if (*alive) (*alive)->effects_ran(*batch);
                      });
}

// Neighbouring appends of one file become one write. Effects of different files do not depend on each other,
// except that `work` stands behind everything before it.
void LogStore::run_in_lane(FileCache& cache, std::vector<Effect>& effects) {
  struct Run {
    std::vector<std::span<const std::byte>> parts;
    std::vector<Effect*> members;
    uint64_t position = 0;
    uint64_t end = 0;
  };
  std::map<std::string_view, Run> runs;
  const auto flush = [&](const std::string& path, Run& run) {
    if (run.members.empty()) return;
    auto file = cache.get(path, true);
    Result<void> outcome = file ? (*file)->write(run.position, run.parts) : Result<void>(fail(file.error()));
    if (!outcome) {
      for (Effect* member : run.members) member->error = outcome.error();
    }
    run = Run{};
  };
  for (Effect& effect : effects) {
    if (effect.work) {
      for (auto& [path, run] : runs) flush(std::string(path), run);
      runs.clear();
      if (auto outcome = effect.work(); !outcome) effect.error = outcome.error();
      continue;
    }
    Run& run = runs[*effect.path];
    if (!run.members.empty() && run.end != effect.position) flush(*effect.path, run);
    if (run.members.empty()) run.position = effect.position;
    run.parts.emplace_back(effect.data.bytes);
    run.members.push_back(&effect);
    run.end = effect.position + effect.data.size();
  }
  for (auto& [path, run] : runs) flush(std::string(path), run);
}

void LogStore::effects_ran(std::vector<Effect>& effects) {
  effects_running_ = false;
  const auto alive = alive_;
  run_effects();
  for (Effect& effect : effects) {
    if (effect.error) effect.log->go_offline(*effect.error);
    if (effect.path) {
      if (!effect.error) effect.log->written(effect.base);
    } else {
      effect.done(!effect.error && !effect.log->offline());
    }
    if (!*alive) return;
    ++effects_finished_;
  }
  effects_changed_.notify_all();
}

Task<bool> LogStore::effects_done(uint64_t number) {
  while (effects_finished_ < number) {
    auto look_again = effects_changed_.wait();
    co_await look_again;
  }
  co_return true;
}

// --- the tail cache
// --------------------------------------------------------------------------------------------------

void LogStore::cached(Log& log, Offset base, uint64_t bytes) {
  cached_.push_back(Cached{shared(log), base});
  tail_bytes_ += bytes;
  evict();
}

void LogStore::evict() {
  while (tail_bytes_ > options_.tail_cache_bytes && !cached_.empty()) {
    auto log = cached_.front().log.lock();
    if (log && !log->tail_.empty() && log->tail_.front().base == cached_.front().base) {
      // What no segment holds yet stays, and holds up those behind it: they are as good as unwritten.
      if (!log->tail_.front().written) return;
      tail_bytes_ -= log->tail_.front().batch.size();
      log->tail_.pop_front();
    }
    cached_.pop_front();
  }
}

// --- checkpoints
// -----------------------------------------------------------------------------------------------------

Task<void> LogStore::checkpoint_loop() {
  while (!stopping_) {
    const auto pause = journal_.starved() ? kStarvedPause : options_.checkpoint_interval;
    auto wait = checkpoint_signal_.wait_until(loop_.mono() + pause);
    const bool asked = co_await wait;
    if (stopping_ || offline_ || !checkpoints_allowed_) continue;
    if (asked && journal_.live_bytes() < options_.checkpoint_bytes && !journal_.starved()) continue;
    auto run = checkpoint();
    (void)co_await run;  // a failure has taken its log or the folder offline
  }
}

Task<Result<void>> LogStore::checkpoint() {
  while (checkpointing_) {
    auto wait = effects_changed_.wait();
    co_await wait;
  }
  if (offline_) co_return fail(*offline_);
  checkpointing_ = true;
  // Every record up to here has its effects queued, and its log on the dirty list.
  const GroupSequence up_to = journal_.durable();
  const std::vector<std::shared_ptr<Log>> dirty = std::exchange(dirty_, {});
  for (const auto& log : dirty) log->dirty_ = false;
  const bool data_folder_changed = std::exchange(data_folder_changed_, false);
  for (const auto& log : dirty)
    if (!log->offline() && log->materialized_) log->save_indexes(false);
  auto effects = effects_done(effects_added_);
  co_await effects;

  struct Item {
    std::shared_ptr<Log> log;
    std::string folder;
    std::set<Offset> segments;
    std::set<Offset> indexes;
    std::optional<PartitionState> state;
    bool sync_folder = false;
    Offset end;
    std::string snapshot;
    std::optional<Error> error{};
  };
  auto items = std::make_shared<std::vector<Item>>();
  for (const auto& log : dirty) {
    if (log->offline()) continue;
    if (!log->materialized_) {  // its creation is not covered yet
      log->mark_dirty();
      continue;
    }
    Item item;
    item.log = log;
    item.folder = log->folder();
    item.segments = std::exchange(log->unsynced_segments_, {});
    item.segments.insert(log->active().base);
    item.indexes = std::exchange(log->unsynced_indexes_, {});
    item.sync_folder = std::exchange(log->folder_changed_, false);
    item.end = log->end_;
    if (log->settings_.write_caching && log->state_.synced != log->written_) {
      log->state_.synced = log->written_;
      log->state_changed_ = true;
    }
    if (std::exchange(log->state_changed_, false)) item.state = log->state_;
    // A snapshot vouches for the index files before it.
    if (!log->fenced_ && log->sealing_ == 0) {
      const DerivedFrom from{log->id(), log->end_, log->latest_epoch()};
      item.snapshot = encode_log_snapshot(LogSnapshot{
          log->id(), log->end_, log->latest_epoch(), log->active().base, log->active().bytes,
          encode_leader_epoch_checkpoint(log->epochs_), encode_producer_snapshot(from, log->producers_)});
    }
    items->push_back(std::move(item));
  }

  constexpr size_t kAtOnce = 8;  // logs per job, so that other work of the lane gets its turn
  for (size_t first = 0; first < items->size(); first += kAtOnce) {
    auto work = [items, first, cache = &cache_, files = &files_] {
      for (size_t i = first; i < std::min(first + kAtOnce, items->size()); ++i) {
        Item& item = (*items)[i];
        auto sync = [&]() -> Result<void> {
          for (const Offset base : item.segments) {
            TRY_ASSIGN(auto file, cache->get(segment_path(item.folder, base, kLogSuffix), true));
            TRY(file->sync_data());
          }
          for (const Offset base : item.indexes) {
            for (const std::string_view suffix : {kOffsetIndexSuffix, kTimeIndexSuffix}) {
              TRY_ASSIGN(auto file, cache->get(segment_path(item.folder, base, suffix), true));
              TRY(file->sync_data());
            }
          }
          if (item.state) TRY(write_partition_state(*files, item.folder, *item.state, true));
          if (item.sync_folder) TRY(files->sync_dir(item.folder));
          return {};
        };
        // A log that went offline in the meantime may have lost its folder; that is not news.
        if (auto outcome = sync(); !outcome) item.error = outcome.error();
      }
      return true;
    };
    auto syncing = runtime::on_lane(lanes_.background, loop_, std::move(work));
    co_await syncing;
  }
  if (data_folder_changed) {
    auto work = [files = &files_, folder = options_.folder] { return files->sync_dir(folder); };
    auto syncing = runtime::on_lane(lanes_.background, loop_, std::move(work));
    auto synced = co_await syncing;
    if (!synced) {
      offline_ = synced.error();
      for (const auto& [id, log] : logs_) log->go_offline(*offline_);
      if (on_offline) on_offline(*offline_);
      checkpointing_ = false;
      co_return fail(*offline_);
    }
  }
  std::vector<KeyValueWrite> derived;
  for (Item& item : *items) {
    if (item.error) {
      item.log->go_offline(*item.error);
      continue;
    }
    if (item.log->offline()) continue;
    if (item.log->settings_.write_caching)
      item.log->durable_ = std::max(item.log->durable_, std::min(item.end, item.log->written_));
    // Rule 12: taken only at or below the durable offset.
    if (!item.snapshot.empty() && !item.log->fenced_ && item.log->durable_ >= item.end)
      derived.push_back({snapshot_key(item.log->id()), std::move(item.snapshot)});
  }
  for (std::string& key : std::exchange(dead_keys_, {})) derived.push_back({std::move(key), std::nullopt});
  if (derived_ != nullptr && !derived.empty()) {
    auto work = [store = derived_, derived = std::move(derived)] { return store->write(derived); };
    auto writing = runtime::on_lane(lanes_.background, loop_, std::move(work));
    (void)co_await writing;  // derived: a start without it reads more
  }
  ++checkpoints_;
  checkpointing_ = false;
  effects_changed_.notify_all();
  if (checkpoints_allowed_ && !offline_) journal_.mark_checkpoint(up_to);
  co_return Result<void>();
}

Task<Result<void>> LogStore::stop() {
  while (!offline_ && (!journal_.idle() || effects_running_ || !effects_.empty())) {
    auto wait = effects_changed_.wait_until(loop_.mono() + std::chrono::milliseconds(1));
    co_await wait;
  }
  auto last = checkpoint();
  auto result = co_await last;
  stopping_ = true;
  if (result && derived_ != nullptr) {
    auto work = [store = derived_] { return store->sync(); };
    auto syncing = runtime::on_lane(lanes_.background, loop_, std::move(work));
    (void)co_await syncing;
  }
  co_return result;
}

// --- snapshots
// -------------------------------------------------------------------------------------------------------

namespace {

constexpr uint32_t kSnapshotFormat = 1;

struct SnapshotLayout {
  uint32_t format;
  uint32_t crc;  // of everything behind it
  uint64_t log;
  int64_t offset;
  int64_t segment_base;
  uint64_t position;
  int32_t epoch;
  uint32_t epochs_bytes;
};
static_assert(sizeof(SnapshotLayout) == 48);

}  // namespace

std::string snapshot_key(LogId log) { return fmt::format("log/{:016x}", log.value); }

std::string encode_log_snapshot(const LogSnapshot& s) {
  const SnapshotLayout layout{
      kSnapshotFormat,      0,          s.log.value,   s.offset.value,
      s.segment_base.value, s.position, s.epoch.value, static_cast<uint32_t>(s.epochs.size())};
  std::string value(reinterpret_cast<const char*>(&layout), sizeof layout);
  value += s.epochs;
  value += s.producers;
  const uint32_t crc = protocol::crc32c(std::as_bytes(std::span(value)).subspan(8));
  std::memcpy(value.data() + 4, &crc, sizeof crc);
  return value;
}

std::optional<LogSnapshot> decode_log_snapshot(std::string_view value) {
  SnapshotLayout layout;
  if (value.size() < sizeof layout) return std::nullopt;
  std::memcpy(&layout, value.data(), sizeof layout);
  if (layout.format != kSnapshotFormat ||
      layout.crc != protocol::crc32c(std::as_bytes(std::span(value)).subspan(8)))
    return std::nullopt;
  value.remove_prefix(sizeof layout);
  if (layout.epochs_bytes > value.size()) return std::nullopt;
  return LogSnapshot{LogId(layout.log),
                     Offset(layout.offset),
                     LeaderEpoch(layout.epoch),
                     Offset(layout.segment_base),
                     layout.position,
                     std::string(value.substr(0, layout.epochs_bytes)),
                     std::string(value.substr(layout.epochs_bytes))};
}

}  // namespace tidemark::storage
