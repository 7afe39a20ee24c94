#include "tests/simulation/storage_node.h"

#include <utility>

namespace tidemark::simulation {

using runtime::Task;
using storage::DataFolder;
using storage::LogStore;
using storage::RecoveredLog;

StorageNode::StorageNode(SimProcess& process, StorageNodeOptions options, SimStoreContent& derived,
                         uint64_t seed, std::function<storage::LogSettings(const std::string&)> settings_of)
    : process_(process),
      options_(std::move(options)),
      derived_content_(derived),
      random_(seed),
      settings_of_(std::move(settings_of)),
      write_lane_(&process.add_lane(options_.cross_delay)),
      read_lane_(&process.add_lane(options_.cross_delay)),
      background_lane_(&process.add_lane(options_.cross_delay)),
      scrub_lane_(&process.add_lane(options_.cross_delay)),
      sync_lane_(&process.add_lane(options_.cross_delay)),
      clean_lane_(&process.add_lane(options_.cross_delay)) {
  for (size_t i = 0; i < options_.shards; ++i) {
    journal_lanes_.push_back(&process.add_lane(options_.cross_delay));
    auto shard = std::make_unique<Shard>();
    shard->loop = &process.add_loop(options_.wall_clock, options_.cross_delay);
    shard->scope = std::make_unique<runtime::TaskScope>();
    shards_.push_back(std::move(shard));
  }
}

StorageNode::~StorageNode() {
  for (auto& shard : shards_) shard->scope.reset();
}

size_t StorageNode::shard_of(const std::string& folder_name) const {
  uint64_t h = 0xCBF29CE484222325ULL;
  for (const char c : folder_name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return (h >> 7) % options_.shards;
}

void StorageNode::went_offline(const Error& error) {
  if (!offline_) offline_ = error;
}

void StorageNode::start() {
  shards_[0]->loop->post([this] { shards_[0]->scope->spawn(run_start()); });
}

Task<void> StorageNode::run_start() {
  auto opening = open_all();
  auto opened = co_await opening;
  if (!opened) {
    failure_ = opened.error();
    co_return;
  }
  started_ = true;
  // The earlier generations may be synced while the node serves already.
  auto& loop = *shards_[0]->loop;
  Result<bool> finished = false;
  while (finished && !*finished) {
    auto work = [this] { return data_->finish_replay(); };
    auto finishing = runtime::on_lane(*background_lane_, loop, std::move(work));
    finished = co_await finishing;
  }
  for (auto& shard : shards_) {
    if (!finished) break;
    Shard& there = *shard;
    auto make = [&there] { return there.store->end_of_syncs(); };
    auto ending = runtime::run_on(*there.loop, *there.scope, loop, std::move(make));
    const auto ended = co_await ending;
    if (!ended) finished = fail(ended.error());
  }
  if (!finished) {
    went_offline(finished.error());
    co_return;
  }
  for (auto& shard : shards_) {
    Shard& there = *shard;
    auto make = [this, &there] { return allow_checkpoints(there); };
    auto allowing = runtime::run_on(*there.loop, *there.scope, loop, std::move(make));
    (void)co_await allowing;
  }
  replay_finished_ = true;
}

Result<void> StorageNode::open_folder() {
  storage::DataFolderOptions folder;
  folder.path = options_.folder;
  folder.node = BrokerId(1);
  folder.max_open_files = options_.max_open_files;
  folder.whole_sync_from = options_.store.whole_sync_from;
  folder.planted = options_.planted;
  const auto open_store = [this](const std::string&) -> Result<std::unique_ptr<storage::KeyValueStore>> {
    return std::make_unique<SimKeyValueStore>(derived_content_);
  };
  TRY_ASSIGN(data_, DataFolder::open(std::move(folder), process_.files(), open_store, random_));
  return {};
}

Task<Result<void>> StorageNode::open_all() {
  auto& loop = *shards_[0]->loop;
  auto open = [this] { return open_folder(); };
  auto opening = runtime::on_lane(*background_lane_, loop, std::move(open));
  auto opened = co_await opening;
  if (!opened) co_return fail(opened.error());

  std::vector<std::shared_ptr<Recovered>> found;
  for (size_t i = 0; i < shards_.size(); ++i) found.push_back(std::make_shared<Recovered>());
  for (const auto& [id, replayed] : data_->replay().logs) {
    auto recover = [this, log = &replayed, now = loop.clock().wall()] {
      return data_->recover(*log, {options_.index_interval_bytes}, now, recovery_);
    };
    auto recovering = runtime::on_lane(*background_lane_, loop, std::move(recover));
    auto recovered = co_await recovering;
    if (!recovered) co_return fail(recovered.error());
    found[shard_of(replayed.folder_name)]->push_back(std::move(*recovered));
  }
  for (size_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = *shards_[i];
    auto make = [this, &shard, i, logs = found[i]] { return open_shard(shard, i, logs); };
    auto task = runtime::run_on(*shard.loop, *shard.scope, loop, std::move(make));
    auto done = co_await task;
    if (!done) co_return fail(done.error());
  }
  co_return Result<void>();
}

Task<Result<void>> StorageNode::open_shard(Shard& shard, size_t index, std::shared_ptr<Recovered> logs) {
  storage::LogStoreOptions options = options_.store;
  options.folder = options_.folder;
  options.home = data_->identity().folder_id;
  options.whole_sync = data_->whole_sync();
  options.planted = options_.planted;
  options.journal.planted = options_.planted;
  options.journal.id = storage::JournalId(static_cast<uint32_t>(index));
  options.journal.generation = data_->identity().generation;
  options.journal.floor = data_->floor();
  options.journal.folder = data_->journal_folder();
  options.journal.keep_old_files = data_->keeps_old_journals();
  const storage::FolderLanes lanes{*journal_lanes_[index], *write_lane_, *read_lane_, *background_lane_,
                                   *scrub_lane_,           *clean_lane_, *sync_lane_};
  shard.store = std::make_unique<LogStore>(std::move(options), *shard.loop, lanes, process_.files(),
                                           data_->cache(), data_->derived());
  shard.store->on_offline = [this](const Error& error) { went_offline(error); };
  shard.store->on_log_offline = [this](const storage::Log& log, const Error& error) {
    // A deleted log goes offline too.
    if (error.kind() != ErrorKind::protocol && !log_offline_) log_offline_ = error;
    (void)log;
  };
  // The old journals' files are named to one of the stores.
  std::vector<std::string> old_files;
  if (index == 0) old_files = data_->old_journal_files();
  auto starting = shard.store->start(std::move(old_files));
  auto started = co_await starting;
  if (!started) co_return fail(started.error());
  for (RecoveredLog& recovered : *logs) {
    const std::string name = recovered.folder_name;
    shard.logs[name] = shard.store->adopt(std::move(recovered), settings_of_(name));
  }
  if (options_.cleaner) start_cleaner(shard);
  co_return Result<void>();
}

void StorageNode::start_cleaner(Shard& shard) {
  auto candidates = [&shard] {
    std::vector<storage::CleanCandidate> found;
    for (const auto& [name, log] : shard.logs) found.push_back({log, log->counted()});
    return found;
  };
  shard.cleaner = std::make_unique<storage::LogCleaner>(*options_.cleaner, *shard.store, random_, candidates);
  shard.cleaner->on_failure = [this](const storage::Log&, const Error& error) {
    // A disk that does not give a file now may give it later.
    if (error.kind() == ErrorKind::corruption && !log_offline_) log_offline_ = error;
  };
  shard.scope->spawn(shard.cleaner->run());
}

Task<Result<void>> StorageNode::allow_checkpoints(Shard& shard) {
  shard.store->allow_checkpoints();
  co_return Result<void>();
}

void StorageNode::stop() { shards_[0]->scope->spawn(run_stop()); }

Task<void> StorageNode::run_stop() {
  auto& loop = *shards_[0]->loop;
  // As a node does: without what was replayed in its files there is no mark to leave.
  while (!replay_finished_) {
    auto pause = runtime::sleep_for(loop, std::chrono::milliseconds(1));
    co_await pause;
  }
  for (auto& shard : shards_) {
    Shard& there = *shard;
    auto make = [this, &there] { return stop_shard(there); };
    auto stopping = runtime::run_on(*there.loop, *there.scope, loop, std::move(make));
    auto done = co_await stopping;
    if (!done) {
      went_offline(done.error());
      co_return;
    }
  }
  auto work = [this] { return data_->mark_clean_stop(); };
  auto marking = runtime::on_lane(*background_lane_, loop, std::move(work));
  auto marked = co_await marking;
  if (!marked) {
    went_offline(marked.error());
    co_return;
  }
  stopped_ = true;
}

Task<Result<void>> StorageNode::stop_shard(Shard& shard) {
  if (shard.cleaner) {
    auto ending = shard.cleaner->stop();
    co_await ending;
  }
  auto stopping = shard.store->stop();
  auto stopped = co_await stopping;
  co_return stopped;
}

}  // namespace tidemark::simulation
