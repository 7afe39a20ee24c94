#include "storage/log_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "protocol/invariant.h"
#include "protocol/runtime/milliseconds.h"
#include "storage/journal_replay.h"
#include "storage/log_snapshot.h"

namespace tidemark::storage {

using runtime::BufferSlice;
using runtime::Task;

namespace {
constexpr uint32_t kMaxLogs = 0xFFFFFF;  // made in one life of a store: so many numbers an id has room for
}

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
      room_(loop),
      checkpoint_signal_(loop),
      alive_(std::make_shared<LogStore*>(this)) {
  journal_.on_pressure = [this] { checkpoint_signal_.notify_all(); };
  journal_.on_failure = [this](const Error& error) { fail_folder(error); };
}

LogStore::~LogStore() { *alive_ = nullptr; }

void LogStore::fail_folder(const Error& error) {
  if (offline_) return;
  offline_ = error;
  if (on_offline) on_offline(error);  // before anybody is answered
  const auto logs = logs_;            // whoever hears of it may delete one
  for (const auto& [id, log] : logs) log->go_offline(error);
  journal_.abandon(error);
  room_.notify_all();
  effects_changed_.notify_all();
}

Task<Result<void>> LogStore::start(std::vector<std::string> old_journal_files) {
  auto starting = journal_.start(std::move(old_journal_files));
  auto started = co_await starting;
  if (started) tasks_.spawn(checkpoint_loop());
  co_return started;
}

void LogStore::allow_checkpoints() {
  if (offline_) return;  // what was replayed may not be on the disk
  checkpoints_allowed_ = true;
  journal_.raise_floor(options_.journal.generation);
  checkpoint_signal_.notify_all();
  if (options_.scrub_bytes_per_second > 0) tasks_.spawn(scrub_loop());
  if (options_.headroom_bytes > 0) tasks_.spawn(headroom_loop());
}

// Behind what a next start needs, which is put aside first; and again, for a disk that was full.
Task<void> LogStore::headroom_loop() {
  constexpr auto kFirst = std::chrono::seconds(2);
  constexpr auto kAgain = std::chrono::minutes(1);
  runtime::Duration pause = kFirst;
  while (!stopping_ && !offline_) {
    auto waiting = runtime::sleep_for(loop_, pause);
    co_await waiting;
    pause = kAgain;
    std::vector<std::shared_ptr<Log>> logs;
    for (const auto& [id, log] : logs_)
      if (log->headroom() > 0) logs.push_back(log);
    for (const auto& log : logs) {
      auto keeping = log->keep_headroom();
      (void)co_await keeping;  // whoever appends is told what the disk does not have
    }
  }
}

Task<void> LogStore::keep_headroom_of(std::shared_ptr<Log> log) {
  auto keeping = log->keep_headroom();
  (void)co_await keeping;
}

// --- logs
// ------------------------------------------------------------------------------------------------------------

LogId LogStore::next_log_id() {
  // Never used again: the generation is new at every start, and journals of one folder count apart.
  INVARIANT(created_ < kMaxLogs, "{} logs made since the start", created_);
  return make_log_id(options_.journal.generation, options_.journal.id, ++created_);
}

std::shared_ptr<Log> LogStore::adopt(RecoveredLog recovered, LogSettings settings) {
  // What the folder says holds: a change that a crash has cut short is made again.
  const bool was_caching = !recovered.state.journaled;
  const bool scanned = recovered.scanned_bytes > 0;
  LogSettings now = settings;
  now.write_caching = was_caching;
  auto log = std::make_shared<Log>(*this, std::move(recovered), now);
  logs_.emplace(log->id(), log);
  if (settings.write_caching != was_caching && !log->offline()) tasks_.spawn(switch_mode(log, settings));
  if (scanned || !log->unsynced_segments_.empty() || log->durable_ < log->end_) log->mark_dirty();
  if (offline_) log->go_offline(*offline_);
  return log;
}

Task<void> LogStore::switch_mode(std::shared_ptr<Log> log, LogSettings settings) {
  auto changing = log->change_settings(settings);
  (void)co_await changing;  // a failure has taken it offline, or the next start tries again
}

void LogStore::switch_later(std::shared_ptr<Log> log) {
  if (std::ranges::find(to_switch_, log) == to_switch_.end()) to_switch_.push_back(std::move(log));
  if (!std::exchange(switching_, true)) tasks_.spawn(switch_loop());
}

Task<void> LogStore::switch_loop() {
  constexpr auto kPause = std::chrono::seconds(1);
  while (!to_switch_.empty()) {
    auto pause = runtime::sleep_for(loop_, kPause);
    co_await pause;
    bool has_room = true;
    while (has_room && !to_switch_.empty()) {
      const std::shared_ptr<Log> log = to_switch_.front();
      to_switch_.pop_front();
      auto switching = log->switch_as_wanted();
      const auto switched = co_await switching;  // any other failure has taken it offline
      has_room = switched || switched.error().kind() != ErrorKind::no_space;
    }
  }
  switching_ = false;
}

Task<Result<std::shared_ptr<Log>>> LogStore::create(std::string folder_name, Uuid topic_id,
                                                    PartitionId partition, LogSettings settings) {
  if (offline_) co_return fail(*offline_);
  // Before any record speaks of it: what stands there is a log's that is still to be deleted, or one whose
  // state nobody can read, and is not this log's to bury.
  const std::string folder = options_.folder + "/" + folder_name;
  auto look = [files = &files_, folder] { return files->exists(folder); };
  auto looking = runtime::on_lane(lanes_.write, loop_, std::move(look));
  const auto taken = co_await looking;
  if (!taken) co_return fail(taken.error());
  if (*taken) co_return fail(Error::io(folder + ": the folder is there already, of a log not yet deleted"));
  if (offline_) co_return fail(*offline_);
  if (closing_) co_return fail(closing(folder_name));
  if (created_ == kMaxLogs) {
    co_return fail(Error::io(fmt::format(
        "{}: {} partitions were made since the start, as many as one life can tell apart: restart the broker",
        options_.folder, created_)));
  }
  RecoveredLog fresh;
  fresh.state =
      PartitionState{next_log_id(), topic_id, partition, !settings.write_caching, Offset(0), Offset(0)};
  fresh.state.home = options_.home;
  fresh.folder_name = folder_name;
  fresh.segments.push_back(Segment{Offset(0), 0, -1, -1, loop_.clock().wall()});
  auto log = adopt(std::move(fresh), settings);
  log->materialized_ = false;
  JournalRecord record;
  record.type = JournalRecordType::create;
  record.log = log->id();
  record.topic_id = topic_id;
  record.partition = partition;
  record.journaled = !settings.write_caching;
  record.folder = log->folder_name();
  auto outcome = std::make_shared<Result<void>>();
  runtime::OneShot<bool> created(loop_);
  auto resolver = created.resolver();
  auto then = [this, raw = log.get(), resolver, outcome](bool ok) mutable {
    if (!ok) return resolver.set(false);
    auto work = [files = &files_, cache = &cache_, folder = raw->folder(), state = raw->state(),
                 outcome]() -> Result<void> {
      const auto make = [&]() -> Result<void> {
        TRY(files->create_dir(folder));
        TRY(write_partition_state(*files, folder, state, false));
        auto opened = cache->get(segment_path(folder, Offset(0), kLogSuffix), true);
        return opened ? Result<void>() : Result<void>(fail(opened.error()));
      };
      *outcome = make();
      return {};  // a full disk refuses the log
    };
    auto done = [this, raw, resolver](bool finished) mutable {
      data_folder_changed_ = raw->folder_changed_ = raw->state_changed_ = raw->materialized_ = true;
      resolver.set(finished);
    };
    add_effect(*raw, std::move(work), std::move(done));
  };
  log->add_record(record, {}, std::move(then));
  auto awaiter = created.wait();
  co_await awaiter;
  if (log->offline()) co_return fail(*log->offline());
  if (!*outcome) {
    auto erasing = erase(log);
    (void)co_await erasing;
    co_return fail(outcome->error());
  }
  if (checkpoints_allowed_ && log->headroom() > 0) tasks_.spawn(keep_headroom_of(log));
  co_return log;
}

Task<Result<void>> LogStore::put_aside(RecoveredLog recovered, LogSettings settings) {
  if (closing_) co_return fail(closing(recovered.folder_name));
  if (offline_) co_return fail(*offline_);
  auto syncing = std::make_shared<bool>(false);  // an error then is told once, and to us
  auto work = [files = &files_, cache = &cache_, data_folder = options_.folder, name = recovered.folder_name,
               id = recovered.state.log, syncing]() -> Result<void> {
    const std::string folder = fmt::format("{}/{}", data_folder, name);
    // What was replayed into it may be in the page cache alone.
    TRY_ASSIGN(const auto entries, files->list(folder));
    for (const DirEntry& entry : entries) {
      if (entry.is_dir) continue;
      TRY_ASSIGN(const auto file, files->open(folder + "/" + entry.name, OpenMode::read_write));
      *syncing = true;
      TRY(file->sync_data());
      *syncing = false;
    }
    *syncing = true;
    TRY(files->sync_dir(folder));
    *syncing = false;
    TRY_ASSIGN(const std::string aside,
               free_grave_name(*files, data_folder, name, fmt::format("{:x}", id.value), kStraySuffix));
    TRY(files->rename(folder, fmt::format("{}/{}", data_folder, aside)));
    *syncing = true;
    cache->forget_folder(folder);
    return files->sync_dir(data_folder);
  };
  auto putting = runtime::on_lane(lanes_.write, loop_, std::move(work));
  auto put = co_await putting;
  if (!put && *syncing) fail_folder(put.error());
  if (!put) co_return put;
  if (offline_) co_return fail(*offline_);
  // Only now: a record that says it is gone would have the next start remove what is still there.
  auto log = adopt(std::move(recovered), std::move(settings));
  auto erasing = erase(std::move(log));
  auto erased = co_await erasing;
  co_return erased;
}

Task<Result<void>> LogStore::erase(std::shared_ptr<Log> log) {
  if (closing_) co_return fail(closing(log->folder_name()));
  // A trim writes into the folder, which may be a namesake's afterwards.
  while ((log->fenced_ || log->trimming_) && !log->erasing_) {
    auto look_again = log->changed_.wait();
    co_await look_again;
  }
  if (log->erasing_)
    co_return fail(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, log->folder_name() + " was deleted");
  log->fenced_ = log->erasing_ = true;
  JournalRecord record;
  record.type = JournalRecordType::erase;
  record.log = log->id();
  runtime::OneShot<bool> erased(loop_);
  auto resolver = erased.resolver();
  const std::string grave = fmt::format("{}/{}", options_.folder,
                                        grave_name(log->folder_name(), fmt::format("{:x}", log->id().value)));
  auto then = [this, raw = log.get(), resolver, grave](bool ok) mutable {
    if (!ok) return resolver.set(false);
    auto outcome = std::make_shared<Result<void>>();
    auto work = [files = &files_, cache = &cache_, folder = raw->folder(), grave, id = raw->id(),
                 outcome]() -> Result<void> {
      const auto bury = [&]() -> Result<void> {
        const auto state = read_partition_state(*files, folder);
        if (!state && state.error().kind() != ErrorKind::corruption) return fail(state.error());
        if (state && *state && (*state)->log != id) return {};  // a namesake's
        TRY_ASSIGN(const bool exists, files->exists(folder));
        if (!exists) return {};
        auto moved = files->rename(folder, grave);
        cache->forget_folder(folder);  // afterwards: a reader may open its files until then
        // A full disk may have no room for another name.
        if (moved || moved.error().kind() != ErrorKind::no_space) return moved;
        const auto remove = [&]() -> Result<void> {
          // Its state goes last: it says whose the folder is.
          TRY_ASSIGN(const auto entries, files->list(folder));
          for (const DirEntry& entry : entries)
            if (entry.name != kPartitionStateName) TRY(files->remove(folder + "/" + entry.name));
          TRY(files->sync_dir(folder));
          return remove_all(*files, folder);
        };
        const auto removed = remove();
        cache->forget_folder(folder);  // and until they went
        return removed;
      };
      *outcome = bury();
      return {};
    };
    auto done = [this, raw, grave, resolver, outcome](bool) mutable {
      data_folder_changed_ = true;
      dead_keys_.push_back(snapshot_key(raw->id()));
      reserved_ahead_ -= std::exchange(raw->ahead_, 0);
      logs_.erase(raw->id());
      resolver.set(outcome->has_value());
      // The record must not be freed as long as the folder is there.
      if (!*outcome) return fail_folder(outcome->error());
      graves_.emplace_back(grave, raw->settings().file_delete_delay_ms);
    };
    add_effect(*raw, std::move(work), std::move(done));
    raw->at_rest_ = false;
    raw->go_offline(Error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, raw->folder_name() + " was deleted"));
  };
  log->add_record(record, {}, std::move(then), true);
  auto awaiter = erased.wait();
  const bool ok = co_await awaiter;
  if (!ok) {
    co_return fail(Error::io(fmt::format("{}: could not be deleted: {}", log->folder_name(),
                                         offline_ ? offline_->message() : journal_.failure())));
  }
  co_return Result<void>();
}

// Files, and folders with what is in them.
Task<void> LogStore::remove_later(std::vector<std::string> paths, int64_t delay_ms) {
  auto delay = runtime::sleep_for(loop_, runtime::saturating_ms(delay_ms));
  co_await delay;
  auto work = [files = &files_, cache = &cache_, paths = std::move(paths)]() -> Result<void> {
    for (const std::string& path : paths) {
      TRY(remove_all(*files, path));
      cache->forget(path);  // reads may have gone on
    }
    return {};
  };
  auto removing = runtime::on_lane(lanes_.background, loop_, std::move(work));
  (void)co_await removing;  // what stays is removed at the next start
}

// --- effects on files
// ------------------------------------------------------------------------------------------------

void LogStore::add_write(Log& log, std::shared_ptr<const std::string> path, uint64_t position,
                         BufferSlice data, Offset base, Pace pace) {
  if (pace == Pace::at_once) {
    effects_hurry_ = true;
  } else {
    if (lingering_bytes_ == 0) lingering_since_ = loop_.mono();
    lingering_bytes_ += data.size();
  }
  effects_.push_back(
      Effect{log.shared_from_this(), std::move(path), position, std::move(data), base, {}, {}});
  ++effects_added_;
  run_effects();
}

void LogStore::add_effect(Log& log, Work work, std::move_only_function<void(bool ok)> done) {
  effects_.push_back(Effect{log.shared_from_this(), {}, 0, {}, {}, std::move(work), std::move(done)});
  ++effects_added_;
  hurry();
}

void LogStore::hurry() {
  effects_hurry_ = !effects_.empty();
  run_effects();
}

bool LogStore::may_linger() const {
  return !effects_hurry_ && lingering_bytes_ < options_.linger_bytes &&
         unwritten_bytes_ < options_.max_unwritten_bytes / 4;
}

void LogStore::run_effects() {
  if (effects_running_ || effects_.empty()) return;
  if (may_linger()) {
    if (linger_timer_) return;
    linger_timer_ = loop_.at(lingering_since_ + options_.linger, [this, alive = alive_] {
      if (!*alive) return;
      linger_timer_ = {};
      hurry();
    });
    return;
  }
  effects_hurry_ = false;
  lingering_bytes_ = 0;
  loop_.cancel(std::exchange(linger_timer_, {}));
  effects_running_ = true;
  effects_since_ = loop_.mono();
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
    if (effect.error) fail_folder(*effect.error);
    if (effect.path) {
      if (!effect.error) effect.log->written(effect.base);
    } else {
      effect.done(!effect.error);
    }
    if (!*alive) return;
    ++effects_finished_;
  }
  effects.clear();  // here, not where the last holder happens to be
  effects_changed_.notify_all();
}

void LogStore::read_ended() {
  longest_read_ = std::max(longest_read_, loop_.mono() - reads_.front());
  reads_.pop_front();
}

runtime::Duration LogStore::take_longest_wait() {
  const runtime::MonoTime now = loop_.mono();
  const runtime::Duration read = std::max(std::exchange(longest_read_, runtime::Duration(0)),
                                          reads_.empty() ? runtime::Duration(0) : now - reads_.front());
  return std::max({read, journal_.take_longest_wait(), age(now)});
}

Task<bool> LogStore::effects_done(uint64_t number) {
  if (effects_finished_ < number) hurry();
  while (effects_finished_ < number) {
    auto look_again = effects_changed_.wait();
    co_await look_again;
  }
  co_return true;
}

// --- the tail cache
// --------------------------------------------------------------------------------------------------

// Beside its bytes, an append costs its entries here and in its log.
constexpr uint64_t kAppendOverhead = 192;

HeldBuffer& LogStore::cached(const BufferSlice& batch) {
  HeldBuffer& held = buffers_[batch.owner.get()];
  held.buffer = batch.owner.get();
  tail_bytes_ += kAppendOverhead;
  if (held.appends++ == 0) tail_bytes_ += held.buffer->size();
  if (held.unwritten++ == 0) unwritten_bytes_ += held.buffer->size();
  // From now on these bounds count it, not the requests'.
  if (unwritten_bytes_ <= options_.max_unwritten_bytes) held.buffer->release_charge();
  evict();
  return held;
}

void LogStore::wrote(HeldBuffer& held) {
  if (--held.unwritten > 0) return;
  const bool was_full = unwritten_bytes_ >= options_.max_unwritten_bytes;
  unwritten_bytes_ -= held.buffer->size();
  held.buffer->release_charge();
  if (was_full && unwritten_bytes_ < options_.max_unwritten_bytes) room_.notify_all();
}

void LogStore::uncached(HeldBuffer& held) {
  tail_bytes_ -= kAppendOverhead;
  if (--held.appends > 0) return;
  tail_bytes_ -= held.buffer->size();
  buffers_.erase(held.buffer);
}

void LogStore::evictable(Log& log, Offset base) {
  evictable_.push_back(Evictable{log.alive_, base});
  evict();
}

void LogStore::evict() {
  while (tail_bytes_ > options_.tail_cache_bytes && !evictable_.empty()) {
    Log* const log = *evictable_.front().log;
    const Offset base = evictable_.front().base;
    evictable_.pop_front();
    while (log != nullptr && !log->tail_.empty() && log->tail_.front().base <= base &&
           log->tail_.front().written) {
      uncached(*log->tail_.front().held);
      log->tail_.pop_front();
    }
  }
}

// Looked through once half of them may be: what deleted logs leave here must not grow with their number.
void LogStore::forget_evictable(size_t count) {
  stale_evictable_ += count;
  if (2 * stale_evictable_ <= evictable_.size()) return;
  stale_evictable_ = 0;
  std::erase_if(evictable_, [](const Evictable& entry) {
    Log* const log = *entry.log;
    const auto* held = log == nullptr ? nullptr : log->tail_entry(entry.base);
    return held == nullptr || held->base != entry.base || !held->written;
  });
}

// --- stop
// ------------------------------------------------------------------------------------------------------------

Error LogStore::closing(std::string_view folder_name) {
  return {ErrorKind::closed, ErrorCode::NOT_LEADER_OR_FOLLOWER,
          fmt::format("{}: the node stops", folder_name)};
}

Task<Result<void>> LogStore::stop() {
  closing_ = true;
  hurry();
  constexpr auto kPatience = std::chrono::seconds(10);
  const runtime::MonoTime deadline = loop_.mono() + kPatience;
  const auto under_way = [this] {
    if (!journal_.idle() || effects_running_ || !effects_.empty()) return true;
    return std::any_of(logs_.begin(), logs_.end(), [](const auto& log) { return log.second->trimming_; });
  };
  while (!offline_ && under_way()) {
    if (loop_.mono() >= deadline) co_return fail(Error::timeout("appends still wait for the disk"));
    auto wait = effects_changed_.wait_until(loop_.mono() + std::chrono::milliseconds(1));
    co_await wait;
  }
  auto last = checkpoint();
  auto result = co_await last;
  stopping_ = true;
  checkpoint_signal_.notify_all();
  if (result && derived_ != nullptr) {
    auto work = [store = derived_] { return store->sync(); };
    auto syncing = runtime::on_lane(lanes_.background, loop_, std::move(work));
    (void)co_await syncing;
  }
  // Only what is in the files needs no replay.
  if (result && !checkpoints_allowed_)
    co_return fail(Error::closed("the journals of earlier starts are not in their files yet"));
  co_return result;
}

}  // namespace tidemark::storage
