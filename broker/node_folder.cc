#include "broker/node_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "broker/node.h"
#include "protocol/runtime/milliseconds.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

constexpr uint64_t kDefaultMemoryLimit = 256 << 20;

Task<Result<void>> start_store(Shard& shard, size_t folder, std::unique_ptr<storage::LogStore> store,
                               std::vector<std::string> old_files) {
  shard.set_store(folder, std::move(store));
  auto starting = shard.store(folder)->start(std::move(old_files));
  auto started = co_await starting;
  co_return started;
}

// Stores that start at the same time, each in a lane of its own: a start waits for the disk often enough.
struct Starts {
  explicit Starts(runtime::Scheduler& loop) : changed(loop) {}
  runtime::Signal changed;
  size_t missing = 0;
  Result<void> outcome;  // the first error
};

Task<void> start_into(Task<Result<void>> starting, std::shared_ptr<Starts> starts) {
  auto started = co_await starting;
  if (!started && starts->outcome) starts->outcome = std::move(started);
  if (--starts->missing == 0) starts->changed.notify_all();
}

}  // namespace

uint64_t memory_limit(const config::NodeConfig& config) {
  const auto limit = config.broker.memory_limit;
  return limit > 0 ? static_cast<uint64_t>(limit) : kDefaultMemoryLimit;
}

NodeFolder::NodeFolder(size_t index, const config::NodeConfig& config, NodeSeams& seams, Shards& shards)
    : index_(index),
      config_(config),
      seams_(seams),
      shards_(shards),
      write_lane_(seams.make_lane(lane_name("segments"))),
      read_lane_(seams.make_lane(lane_name("reads"))),
      background_lane_(seams.make_lane(lane_name("background"))),
      scrub_lane_(seams.make_lane(lane_name("scrub"))),
      clean_lane_(seams.make_lane(lane_name("clean"))),
      sync_lane_(seams.make_lane(lane_name("sync"))),
      info_(std::make_shared<FolderInfo>(config.data_dirs[index], seams.files, *background_lane_)) {}

void NodeFolder::end_lanes() {
  journal_lanes_.clear();
  write_lane_.reset();
  read_lane_.reset();
  background_lane_.reset();
  scrub_lane_.reset();
  clean_lane_.reset();
  sync_lane_.reset();
}

Log& NodeFolder::log() const { return *seams_.log; }

// A folder behind the first one has its number behind its lanes' names.
std::string NodeFolder::lane_name(std::string_view what) const {
  return index_ == 0 ? std::string(what) : fmt::format("{}-{}", what, index_);
}

storage::LogStoreOptions NodeFolder::store_options(storage::JournalId journal, uint64_t journal_bytes) const {
  const uint64_t memory = memory_limit(config_);
  const size_t stores = shards_.size() * config_.data_dirs.size();
  storage::LogStoreOptions options;
  options.folder = path();
  options.home = data_->identity().folder_id;
  options.tail_cache_bytes = memory / 4 / stores;
  options.max_unwritten_bytes = memory / 4 / stores;
  options.bypass_bytes = seams_.bypass_bytes;
  options.checkpoint_bytes = std::min(seams_.checkpoint_bytes, journal_bytes / 4);
  options.producer_expiry_ms = config_.broker.producer_id_expiration_ms;
  options.whole_sync = data_->whole_sync();
  options.whole_sync_from = seams_.whole_sync_from;
  options.planted = seams_.planted;
  options.stores = shards_.size() + 1;
  if (journal == storage::kMetadataJournal) {
    options.headroom_bytes = seams_.metadata_headroom_bytes;
  } else {
    const auto rate = static_cast<uint64_t>(config_.broker.log_scrub_bytes_per_second);
    options.headroom_bytes = seams_.coordinator_headroom_bytes;
    options.scrub_bytes_per_second = (rate + shards_.size() - 1) / shards_.size();
    options.scrub_interval = seams_.scrub_interval;
  }
  options.journal.id = journal;
  options.journal.generation = data_->identity().generation;
  options.journal.floor = data_->floor();
  options.journal.folder = data_->journal_folder();
  options.journal.max_bytes = journal_bytes;
  options.journal.first_stretch_bytes = std::min(seams_.first_stretch_bytes, journal_bytes / 4);
  options.journal.stretch_bytes = std::min(seams_.stretch_bytes, journal_bytes / 4);
  options.journal.keep_old_files = data_->keeps_old_journals();
  options.journal.planted = seams_.planted;
  return options;
}

std::unique_ptr<storage::LogStore> NodeFolder::make_store(runtime::Scheduler& loop,
                                                          storage::JournalId journal, runtime::Lane& lane,
                                                          uint64_t journal_bytes) {
  auto store = std::make_unique<storage::LogStore>(
      store_options(journal, journal_bytes), loop,
      storage::FolderLanes{lane, *write_lane_, *read_lane_, *background_lane_, *scrub_lane_, *clean_lane_,
                           *sync_lane_},
      seams_.files, data_->cache(), data_->derived());
  // By way of shard 0, which decides where partitions are made: it hears of this before any answer of the
  // store that failed.
  store->on_offline = [this](const Error& error) { seams_.shards[0]->post([this, error] { fail(error); }); };
  store->on_log_offline = [this](const storage::Log& partition, const Error& error) {
    if (error.code() != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
      log().error(
          "partition went offline",
          {{"partition", partition.folder_name()}, {"reason", error.message()}, {"advice", kDamageAdvice}});
  };
  store->on_scrub_error = [this](const storage::Log& partition, const Error& error) {
    log().warn(
        "a sealed segment cannot be read: its records may be lost to the disk",
        {{"partition", partition.folder_name()}, {"reason", error.message()}, {"advice", kDamageAdvice}});
  };
  return store;
}

// A record of a failed group may be on the disk. Nothing that a later start must weigh against it, a namesake
// of the log that it creates for one, may be written to the folder's other journals.
void NodeFolder::fail(const Error& error) {
  if (offline()) return;
  info_->set_offline();
  log().error("the data folder went offline",
              {{"folder", path()}, {"reason", error.message()}, {"advice", kFolderAdvice}});
  if (metadata_store_) metadata_store_->fail_folder(error);
  for (auto& shard : shards_) {
    shard->loop().post([target = shard.get(), folder = index_, error] {
      if (target->store(folder) != nullptr) target->store(folder)->fail_folder(error);
    });
  }
  if (on_failed) on_failed(error);
}

void NodeFolder::leave_out(const Error& error) {
  info_->set_offline();
  data_.reset();
  log().error("the data folder cannot be opened: its partitions stay offline until a start that can",
              {{"folder", path()}, {"reason", error.message()}, {"advice", kFolderAdvice}});
}

Task<Result<void>> NodeFolder::open(Uuid cluster_id, std::shared_ptr<storage::FileCache> cache) {
  storage::DataFolderOptions options;
  options.path = path();
  options.node = config_.node_id;
  options.cluster_id = cluster_id;
  options.takes_unnamed = holds_metadata();
  // Two stretches of each journal, what the metadata log begins with, and small files.
  options.reserve_bytes = 2 * (shards_.size() + 2) * seams_.first_stretch_bytes;
  if (holds_metadata()) options.reserve_bytes += 2 * seams_.metadata_headroom_bytes;
  options.cache = std::move(cache);
  options.max_open_files = seams_.max_open_segments;
  options.whole_sync_from = seams_.whole_sync_from;
  options.planted = seams_.planted;
  auto work = [this, options] {
    return storage::DataFolder::open(options, seams_.files, seams_.open_store, seams_.random);
  };
  auto opening = runtime::on_lane(*background_lane_, *seams_.shards[0], std::move(work));
  auto opened = co_await opening;
  if (!opened) co_return tidemark::fail(opened.error());
  data_ = std::move(*opened);
  info_->set_id(data_->identity().folder_id);
  tell_replay();
  co_return Result<void>();
}

void NodeFolder::tell_replay() {
  const auto& replay = data_->replay();
  if (data_->identity().generation.value > 1 && !data_->was_clean()) {
    log().info("journal replayed: the last stop was not clean",
               {{"folder", path()},
                {"records", replay.records},
                {"rewritten_bytes", replay.rewritten_bytes},
                {"torn_tails", data_->journals().torn_tails()}});
  }
  for (const storage::JournalDamage& damage : data_->journals().corruption())
    log().error("the journal is damaged: partitions that it may concern go offline",
                {{"folder", path()}, {"what", damage.what}, {"advice", kDamageAdvice}});
  for (const std::string& name : replay.unidentified)
    log().error("no readable partition.state: the folder is left alone",
                {{"folder", fmt::format("{}/{}", path(), name)},
                 {"advice", "restore it from a copy; moved away, its partition begins anew"}});
  for (const std::string& name : replay.passed_over)
    log().error("the journal may hold records of it: they are put aside and in no file",
                {{"folder", fmt::format("{}/{}", path(), name)},
                 {"advice", fmt::format("keep {}/{}/journal/*.damaged until the folder is restored", path(),
                                        storage::kOwnFolder)}});
  for (const auto& [name, error] : replay.unreadable)
    log().error("the folder cannot be read: its partition stays offline until a start that can",
                {{"folder", fmt::format("{}/{}", path(), name)},
                 {"reason", error.message()},
                 {"advice", "look at its files and the kernel's log; start again when it can be read"}});
  if (replay.orphans > 0)
    log().warn("journal records speak of logs whose folder is gone", {{"records", replay.orphans}});
}

Task<Result<void>> NodeFolder::start_stores() {
  const auto journal_bytes = static_cast<uint64_t>(config_.broker.journal_size);  // of each shard
  auto starts = std::make_shared<Starts>(*seams_.shards[0]);
  const auto begin = [&](Task<Result<void>> starting) {
    ++starts->missing;
    shards_[0]->tasks().spawn(start_into(std::move(starting), starts));
  };
  // The files of earlier generations are the first store's to remove.
  std::vector<std::string> old_files = data_->old_journal_files();
  if (holds_metadata()) {
    journal_lanes_.push_back(seams_.make_lane("journal-meta"));
    metadata_store_ = make_store(*seams_.shards[0], storage::kMetadataJournal, *journal_lanes_.back(),
                                 kMetadataJournalBytes);
    begin(metadata_store_->start(std::exchange(old_files, {})));
  }
  for (auto& shard : shards_) {
    journal_lanes_.push_back(seams_.make_lane(lane_name(fmt::format("journal-{}", shard->index()))));
    auto store =
        make_store(shard->loop(), storage::JournalId(shard->index()), *journal_lanes_.back(), journal_bytes);
    auto held = std::make_shared<std::unique_ptr<storage::LogStore>>(std::move(store));
    auto make = [target = shard.get(), folder = index_, held, files = std::exchange(old_files, {})] {
      return start_store(*target, folder, std::move(*held), files);
    };
    begin(shard->call(*seams_.shards[0], std::move(make)));
  }
  while (starts->missing > 0) {
    auto waiting = starts->changed.wait();
    co_await waiting;
  }
  co_return starts->outcome;
}

Task<Result<bool>> NodeFolder::finish_replay() {
  auto all = runtime::on_lane(*sync_lane_, *seams_.shards[0], [this] { return data_->sync_replay(); });
  const Result<void> together = co_await all;
  Result<bool> finished = false;
  if (!together) finished = tidemark::fail(together.error());
  while (finished && !*finished) {
    auto work = [this] { return data_->finish_replay(); };
    auto finishing = runtime::on_lane(*background_lane_, *seams_.shards[0], std::move(work));
    finished = co_await finishing;
  }
  // What the stores have synced meanwhile may have taken an error that this would have been told.
  Result<void> synced;
  if (!finished) {
    synced = tidemark::fail(finished.error());
  } else if (metadata_store_) {
    auto ending = metadata_store_->end_of_syncs();
    synced = co_await ending;
  }
  for (auto& shard : shards_) {
    if (!synced) break;
    auto make = [target = shard.get(), folder = index_] { return target->store(folder)->end_of_syncs(); };
    auto ending = shard->call(*seams_.shards[0], std::move(make));
    synced = co_await ending;
  }
  for (const Error& error : data_->stuck_graves())
    log().warn("files of a deleted partition stay: the next start tries to remove them again",
               {{"reason", error.message()}});
  if (!synced) co_return tidemark::fail(synced.error());
  co_return !offline();
}

void NodeFolder::allow_checkpoints() {
  if (metadata_store_) metadata_store_->allow_checkpoints();
  for (auto& shard : shards_) {
    shard->loop().post(
        [target = shard.get(), folder = index_] { target->store(folder)->allow_checkpoints(); });
  }
}

Task<void> NodeFolder::keep_reserve() {
  constexpr auto kPause = std::chrono::seconds(1);
  Result<bool> kept = false;
  while (kept && !*kept) {
    auto pause = runtime::sleep_for(*seams_.shards[0], kPause);
    co_await pause;
    auto work = [this] { return data_->keep_reserve(); };
    auto keeping = runtime::on_lane(*background_lane_, *seams_.shards[0], std::move(work));
    kept = co_await keeping;
  }
  if (!kept)
    log().warn("nothing is put aside for a start on a full disk",
               {{"folder", path()}, {"reason", kept.error().message()}});
}

Task<Result<void>> NodeFolder::mark_clean_stop() {
  auto work = [this] { return data_->mark_clean_stop(); };
  auto marking = runtime::on_lane(*background_lane_, *seams_.shards[0], std::move(work));
  auto marked = co_await marking;
  co_return marked;
}

storage::LogCleanerOptions NodeFolder::cleaner_options(const Shard& shard) const {
  const config::BrokerConfig& broker = shard.view()->broker;
  storage::LogCleanerOptions options;
  const size_t cleaners = shards_.size() * config_.data_dirs.size();
  const auto map_bytes = static_cast<uint64_t>(std::max<int64_t>(broker.log_cleaner_dedupe_buffer_size, 0));
  options.map_bytes = std::min(map_bytes, memory_limit(config_) / 2) / cleaners;
  constexpr double kMost = 1e18;  // beyond it there is no limit
  const double rate = broker.log_cleaner_io_max_bytes_per_second / static_cast<double>(cleaners);
  if (rate < kMost) options.bytes_per_second = static_cast<uint64_t>(std::max(rate, 1.0));
  options.backoff = runtime::saturating_ms(broker.log_cleaner_backoff_ms);
  return options;
}

}  // namespace tidemark::broker
