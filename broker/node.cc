#include "broker/node.h"

#include <fmt/format.h>

#include "broker/metadata_log.h"
#include "broker/shard_change.h"
#include "protocol/invariant.h"
#include "replication/controller/features.h"

namespace tidemark::broker {

using runtime::Task;
using Phase = NodeStatus::Phase;

namespace {

constexpr uint64_t kDefaultMemoryLimit = 256 << 20;

uint64_t memory_limit(const config::NodeConfig& config) {
  const auto limit = config.broker.memory_limit;
  return limit > 0 ? static_cast<uint64_t>(limit) : kDefaultMemoryLimit;
}

}  // namespace

Node::Node(config::NodeConfig config, NodeSeams seams)
    : config_(std::move(config)),
      seams_(std::move(seams)),
      watches_(seams_.shards.size() + 1),
      replay_end_(*seams_.shards.at(0)) {
  INVARIANT(!seams_.shards.empty(), "a node without shards");
  write_lane_ = seams_.make_lane("segments");
  read_lane_ = seams_.make_lane("reads");
  background_lane_ = seams_.make_lane("background");
  scrub_lane_ = seams_.make_lane("scrub");
  clean_lane_ = seams_.make_lane("clean");
  compression_lane_ = seams_.make_lane("compression");
  for (size_t i = 0; i < seams_.shards.size(); ++i)
    shards_.push_back(std::make_unique<Shard>(static_cast<uint16_t>(i), *seams_.shards[i]));
}

Node::~Node() {
  // The loops have stopped. What runs in a lane still uses the folder: it ends first.
  journal_lanes_.clear();
  write_lane_.reset();
  read_lane_.reset();
  background_lane_.reset();
  scrub_lane_.reset();
  clean_lane_.reset();
  compression_lane_.reset();
  recovery_lanes_.clear();
}

storage::LogStoreOptions Node::store_options(storage::JournalId journal, uint64_t journal_bytes) const {
  const uint64_t memory = memory_limit(config_);
  storage::LogStoreOptions options;
  options.folder = folder_->path();
  options.tail_cache_bytes = memory / 4 / shards_.size();
  options.max_unwritten_bytes = memory / 4 / shards_.size();
  options.bypass_bytes = seams_.bypass_bytes;
  options.checkpoint_bytes = std::min(seams_.checkpoint_bytes, journal_bytes / 4);
  options.producer_expiry_ms = config_.broker.producer_id_expiration_ms;
  options.planted = seams_.planted;
  options.stores = shards_.size() + 1;
  if (journal == storage::kMetadataJournal) {
    options.headroom_bytes = seams_.metadata_headroom_bytes;
  } else {
    const auto rate = static_cast<uint64_t>(config_.broker.log_scrub_bytes_per_second);
    options.scrub_bytes_per_second = (rate + shards_.size() - 1) / shards_.size();
    options.scrub_interval = seams_.scrub_interval;
  }
  options.journal.id = journal;
  options.journal.generation = folder_->identity().generation;
  options.journal.floor = folder_->floor();
  options.journal.folder = folder_->journal_folder();
  options.journal.max_bytes = journal_bytes;
  options.journal.first_stretch_bytes = std::min(seams_.first_stretch_bytes, journal_bytes / 4);
  options.journal.stretch_bytes = std::min(seams_.stretch_bytes, journal_bytes / 4);
  options.journal.keep_old_files = folder_->keeps_old_journals();
  options.journal.planted = seams_.planted;
  return options;
}

std::unique_ptr<storage::LogStore> Node::make_store(runtime::Scheduler& loop, storage::JournalId journal,
                                                    runtime::Lane& lane, uint64_t journal_bytes) {
  auto store = std::make_unique<storage::LogStore>(
      store_options(journal, journal_bytes), loop,
      storage::FolderLanes{lane, *write_lane_, *read_lane_, *background_lane_, *scrub_lane_, *clean_lane_},
      seams_.files, folder_->cache(), folder_->derived());
  // By way of shard 0, which decides where partitions are made: it hears of this before any answer of the
  // store that failed.
  store->on_offline = [this](const Error& error) {
    seams_.shards[0]->post([this, error] { fail_folder(error); });
  };
  store->on_log_offline = [this](const storage::Log& partition, const Error& error) {
    if (error.code() != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
      log().error("partition went offline",
                  {{"partition", partition.folder_name()}, {"reason", error.message()}});
  };
  store->on_scrub_error = [this](const storage::Log& partition, const Error& error) {
    log().warn("a sealed segment cannot be read: its records may be lost to the disk",
               {{"partition", partition.folder_name()}, {"reason", error.message()}});
  };
  return store;
}

// A record of a failed group may be on the disk. Nothing that a later start must weigh against it, a namesake
// of the log that it creates for one, may be written to the folder's other journals.
void Node::fail_folder(const Error& error) {
  if (std::exchange(folder_failed_, true)) return;
  log().error("the data folder went offline", {{"reason", error.message()}});
  metadata_store_->fail_folder(error);
  for (auto& shard : shards_)
    shard->loop().post([target = shard.get(), error] { target->store().fail_folder(error); });
  seams_.on_offline(error);
}

Task<Result<void>> Node::open_folder() {
  status_.phase = Phase::replaying_journal;
  storage::DataFolderOptions options;
  options.path = config_.data_dirs.front();
  options.node = config_.node_id;
  // Two stretches of each journal, what the metadata log begins with, and small files.
  options.reserve_bytes =
      2 * (shards_.size() + 2) * seams_.first_stretch_bytes + 2 * seams_.metadata_headroom_bytes;
  options.max_open_files = seams_.max_open_segments;
  options.planted = seams_.planted;
  auto work = [this, options] {
    return storage::DataFolder::open(options, seams_.files, seams_.open_store, seams_.random);
  };
  auto opening = runtime::on_lane(*background_lane_, *seams_.shards[0], std::move(work));
  auto folder = co_await opening;
  if (!folder) co_return fail(folder.error());
  folder_ = std::move(*folder);
  const auto& replay = folder_->replay();
  if (folder_->identity().generation.value > 1 && !folder_->was_clean()) {
    log().info("journal replayed: the last stop was not clean",
               {{"records", replay.records},
                {"rewritten_bytes", replay.rewritten_bytes},
                {"torn_tails", folder_->journals().torn_tails()}});
  }
  for (const storage::JournalDamage& damage : folder_->journals().corruption())
    log().error("the journal is damaged: partitions that it may concern go offline", {{"what", damage.what}});
  for (const std::string& name : replay.unidentified)
    log().error("no readable partition.state: the folder is left alone; move it away, or restore it",
                {{"folder", name}});
  for (const auto& [name, error] : replay.unreadable)
    log().error("the folder cannot be read: its partition stays offline until a start that can",
                {{"folder", name}, {"reason", error.message()}});
  if (replay.orphans > 0)
    log().warn("journal records speak of logs whose folder is gone", {{"records", replay.orphans}});
  co_return Result<void>();
}

namespace {

Task<Result<void>> start_store(Shard& shard, std::unique_ptr<storage::LogStore> store,
                               std::vector<std::string> old_files) {
  shard.set_store(std::move(store));
  auto starting = shard.store().start(std::move(old_files));
  auto started = co_await starting;
  co_return started;
}

}  // namespace

Task<Result<void>> Node::start_stores() {
  const auto journal_bytes = static_cast<uint64_t>(config_.broker.journal_size);  // of each shard
  journal_lanes_.push_back(seams_.make_lane("journal-meta"));
  metadata_store_ =
      make_store(*seams_.shards[0], storage::kMetadataJournal, *journal_lanes_.back(), kMetadataJournalBytes);
  // The files of earlier generations are this one's to remove.
  auto starting = metadata_store_->start(folder_->old_journal_files());
  auto started = co_await starting;
  if (!started) co_return started;
  for (auto& shard : shards_) {
    journal_lanes_.push_back(seams_.make_lane(fmt::format("journal-{}", shard->index())));
    auto store =
        make_store(shard->loop(), storage::JournalId(shard->index()), *journal_lanes_.back(), journal_bytes);
    auto held = std::make_shared<std::unique_ptr<storage::LogStore>>(std::move(store));
    auto make = [target = shard.get(), held] { return start_store(*target, std::move(*held), {}); };
    auto calling = shard->call(*seams_.shards[0], std::move(make));
    started = co_await calling;
    if (!started) co_return started;
  }
  co_return Result<void>();
}

Task<Result<MetadataService::Recovered>> Node::recover_logs() {
  status_.phase = Phase::recovering_logs;
  status_.logs_total = folder_->replay().logs.size();
  struct Outcome {
    std::vector<storage::RecoveredLog> logs;
    storage::RecoveryStats stats;
  };
  std::vector<const storage::ReplayedLog*> found;
  for (const auto& [id, replayed] : folder_->replay().logs) found.push_back(&replayed);
  // One lane for each shard: each takes the next log until there is none.
  std::vector<runtime::Lane*> lanes;
  for (const auto& shard : shards_) {
    recovery_lanes_.push_back(seams_.make_lane(fmt::format("recovery-{}", shard->index())));
    lanes.push_back(recovery_lanes_.back().get());
  }
  auto next = std::make_shared<std::atomic<size_t>>(0);
  auto work = [this, found, next]() -> Result<Outcome> {
    Outcome outcome;
    while (true) {
      const size_t i = next->fetch_add(1);
      if (i >= found.size()) return outcome;
      auto log = folder_->recover(*found[i], {}, seams_.shards[0]->clock().wall(), outcome.stats);
      if (!log) {
        *next = found.size();
        return fail(log.error());
      }
      outcome.logs.push_back(std::move(*log));
      ++status_.logs_recovered;
    }
  };
  auto recovering = runtime::on_lanes(lanes, *seams_.shards[0], std::move(work));
  auto outcomes = co_await recovering;
  recovery_lanes_.clear();
  MetadataService::Recovered recovered;
  storage::RecoveryStats stats;
  for (auto& outcome : outcomes) {
    if (!outcome) co_return fail(outcome.error());
    stats.scanned_bytes += outcome->stats.scanned_bytes;
    stats.cut_bytes += outcome->stats.cut_bytes;
    for (storage::RecoveredLog& log : outcome->logs) {
      const TopicIdPartition partition{log.state.topic_id, log.state.partition};
      recovered.insert_or_assign(partition, std::move(log));
    }
  }
  if (stats.cut_bytes > 0) log().info("cut appends that were never answered", {{"bytes", stats.cut_bytes}});
  for (const auto& [id, one] : recovered) {
    if (one.damage) {
      log().error("partition is damaged and stays offline",
                  {{"partition", one.folder_name}, {"reason", one.damage->message()}});
    } else if (log().wants(LogLevel::debug)) {
      log().debug("partition recovered",
                  {{"partition", one.folder_name}, {"start", one.state.log_start}, {"end", one.end}});
    }
  }
  log().info("logs recovered", {{"logs", recovered.size()}, {"scanned_bytes", stats.scanned_bytes}});
  co_return std::move(recovered);
}

Task<Result<void>> Node::start_metadata(MetadataService::Recovered& recovered) {
  metadata_ = std::make_unique<MetadataService>(shards_, seams_.random, config_,
                                                folder_->identity().cluster_id, log());
  metadata_->on_unopened = [this](const UnopenedPartition& partition) {
    log().warn("partition cannot be opened: it is tried again",
               {{"partition", partition.name}, {"reason", partition.error.message()}});
  };
  storage::LogSettings settings;
  settings.delete_policy = false;
  settings.segment_ms = config_.broker.metadata_log_segment_ms;
  std::shared_ptr<storage::Log> log;
  const std::string name = fmt::format("{}-0", kClusterMetadataTopic);
  const auto found = recovered.find(TopicIdPartition{kMetadataTopicId, PartitionId(0)});
  if (found != recovered.end()) {
    if (found->second.damage) {
      const Error& damage = *found->second.damage;
      if (damage.kind() == ErrorKind::io) co_return fail(damage);
      co_return fail(Error::corruption(fmt::format(
          "the metadata log {}/{} is damaged, and no node starts without it: {}: restore the data "
          "folder from a copy, or start with an empty one",
          folder_->path(), name, damage.message())));
    }
    log = metadata_store_->adopt(std::move(found->second), settings);
    recovered.erase(found);
  } else {
    const auto& unreadable = folder_->replay().unreadable;
    if (const auto ours = unreadable.find(name); ours != unreadable.end()) co_return fail(ours->second);
    if (folder_->identity().term.value > 0 && !(recovered.empty() && unreadable.empty())) {
      co_return fail(Error::corruption(fmt::format(
          "{} holds partitions, but its metadata log is gone: restore {}", folder_->path(), name)));
    }
    auto creating = metadata_store_->create(name, kMetadataTopicId, PartitionId(0), settings);
    auto created = co_await creating;
    if (!created) co_return fail(created.error());
    log = *created;
  }
  auto replaying = metadata_->replay(*metadata_store_, log, seams_.files, *background_lane_);
  auto replayed = co_await replaying;
  if (!replayed) co_return replayed;

  // A new term at every start, synced before anything is written in it.
  const LeaderEpoch last = std::max(folder_->identity().term, log->latest_epoch());
  const LeaderEpoch term(seams_.planted == storage::Planted::epoch_reused ? std::max(last.value, 1)
                                                                          : last.value + 1);
  auto work = [this, term] { return folder_->write_term(term, config_.node_id); };
  auto writing = runtime::on_lane(*background_lane_, *seams_.shards[0], std::move(work));
  auto written = co_await writing;
  if (!written) co_return written;

  replication::BrokerRegistration registration;
  registration.cluster_id = folder_->identity().cluster_id.to_string();
  registration.broker = config_.node_id;
  registration.incarnation_id = seams_.random.uuid();
  for (const auto& listener : config_.listeners) {
    const auto& told = listener.advertised ? *listener.advertised : listener.address;
    registration.endpoints.push_back({listener.name, told.host, told.port, 0});
  }
  registration.rack = config_.rack;
  registration.log_dirs = {folder_->identity().folder_id};
  for (const auto& feature : replication::kSupportedFeatures) {
    if (feature.public_to_clients)
      registration.features[std::string(feature.name)] = {feature.min, feature.max};
  }
  const auto* before = metadata_->controller().image()->broker(config_.node_id);
  if (folder_->was_clean() && before != nullptr) registration.clean_stop_of = before->epoch;
  registration.unfenced = true;
  auto leading = metadata_->lead(term, std::move(registration));
  auto led = co_await leading;
  co_return led;
}

Task<Result<void>> Node::start() {
  auto opening = open_folder();
  auto result = co_await opening;
  if (result) {
    auto starting = start_stores();
    result = co_await starting;
  }
  if (result) {
    auto recovering = recover_logs();
    auto recovered = co_await recovering;
    if (!recovered) {
      result = fail(recovered.error());
    } else {
      auto starting = start_metadata(*recovered);
      result = co_await starting;
      if (result) {
        status_.phase = Phase::opening_partitions;
        auto partitions = metadata_->open_partitions(std::move(*recovered));
        result = co_await partitions;
      }
    }
  }
  if (!result) {
    status_.phase = Phase::failed;
    co_return result;
  }
  folder_info_ = std::make_unique<FolderInfo>(folder_->path(), seams_.files, *background_lane_);
  const auto slots =
      static_cast<size_t>(std::max(config_.broker.max_incremental_fetch_session_cache_slots, 0));
  const uint64_t memory = memory_limit(config_);
  const auto answers = std::make_shared<runtime::ByteBudget>(memory / 4);
  for (auto& shard : shards_) {
    randoms_.push_back(std::make_unique<runtime::SeededRandom>(seams_.random.next()));
    sessions_.push_back(std::make_unique<FetchSessions>(
        shard->index(), shards_.size(), (slots + shards_.size() - 1) / shards_.size(), *randoms_.back()));
    producer_ids_.push_back(std::make_unique<ProducerIds>(*metadata_, shard->loop()));
    groups_.push_back(
        std::make_unique<GroupCoordinators>(*shard, seams_.random.next(), log(), seams_.planted));
    handlers_.push_back(std::make_unique<ApiHandler>(
        ApiServices{*shard, shards_, *metadata_, *sessions_.back(), *producer_ids_.back(), groups_,
                    *folder_info_, *compression_lane_, *randoms_.back(), answers, seams_.metrics}));
    if (seams_.metrics != nullptr) {
      shard->loop().post([this, target = shard.get(), sessions = sessions_.back().get()] {
        target->tasks().spawn(sample_loop(*target, *sessions));
      });
    }
    shard->loop().post(
        [this, target = shard.get(), random = randoms_.back().get(), groups = groups_.back().get()] {
          groups->start();
          target->tasks().spawn(watch_loop(*target));
          target->tasks().spawn(retention_loop(*target));
          if (config_.broker.log_cleaner_enable) start_cleaner(*target, *random);
        });
  }
  shards_[0]->tasks().spawn(finish_replay());
  shards_[0]->tasks().spawn(keep_reserve());
  status_.phase = Phase::ready;
  co_return Result<void>();
}

// Rule 7: what was replayed is synced in the background; only then may journals free anything.
Task<void> Node::finish_replay() {
  Result<bool> finished = false;
  while (finished && !*finished) {
    auto work = [this] { return folder_->finish_replay(); };
    auto finishing = runtime::on_lane(*background_lane_, *seams_.shards[0], std::move(work));
    finished = co_await finishing;
  }
  // What the stores have synced meanwhile may have taken an error that this would have been told.
  Result<void> synced;
  if (finished) {
    auto ending = metadata_store_->end_of_syncs();
    synced = co_await ending;
  } else {
    synced = fail(finished.error());
  }
  for (auto& shard : shards_) {
    if (!synced) break;
    auto make = [target = shard.get()] { return target->store().end_of_syncs(); };
    auto ending = shard->call(shards_[0]->loop(), std::move(make));
    synced = co_await ending;
  }
  for (const Error& error : folder_->stuck_graves())
    log().warn("files of a deleted partition stay: the next start tries to remove them again",
               {{"reason", error.message()}});
  if (!synced) {
    // Rule 13: no journal may ever free what is not known to be in the files.
    fail_folder(Error::io("replayed data could not be synced: " + synced.error().message()));
  } else if (!folder_failed_) {  // or a sync has failed elsewhere, and this one could not know
    metadata_store_->allow_checkpoints();
    metadata_->allow_snapshots();
    for (auto& shard : shards_)
      shard->loop().post([target = shard.get()] { target->store().allow_checkpoints(); });
  }
  replay_finished_ = true;
  replay_end_.notify_all();
}

// Once the journals of the start before are gone: this start may have taken what was put aside.
Task<void> Node::keep_reserve() {
  constexpr auto kPause = std::chrono::seconds(1);
  while (!replay_finished_) {
    auto waiting = replay_end_.wait();
    co_await waiting;
  }
  Result<bool> kept = false;
  while (kept && !*kept) {
    auto pause = runtime::sleep_for(shards_[0]->loop(), kPause);
    co_await pause;
    auto work = [this] { return folder_->keep_reserve(); };
    auto keeping = runtime::on_lane(*background_lane_, shards_[0]->loop(), std::move(work));
    kept = co_await keeping;
  }
  if (!kept)
    log().warn("nothing is put aside for a start on a full disk", {{"reason", kept.error().message()}});
}

namespace {

std::string journal_name(size_t index, size_t shards) {
  return index == shards ? "metadata" : std::to_string(index);
}

}  // namespace

std::string Node::stalled(runtime::MonoTime now) const {
  std::string all;
  for (size_t i = 0; i < watches_.size(); ++i) {
    const runtime::MonoTime since = watches_[i].stalled_since();
    if (since == runtime::kNever) continue;
    all += fmt::format("{}journal {} has been stalled for {} s", all.empty() ? "" : "; ",
                       journal_name(i, shards_.size()),
                       std::chrono::duration_cast<std::chrono::seconds>(now - since).count());
  }
  return all;
}

// Rule 15.
Task<void> Node::watch_loop(Shard& shard) {
  while (true) {
    watch(shard.store(), shard.index(), shard.loop().mono());
    if (shard.index() == 0) watch(*metadata_store_, shards_.size(), shard.loop().mono());
    auto pause = runtime::sleep_for(shard.loop(), JournalWatch::kLookEvery);
    co_await pause;
  }
}

void Node::watch(storage::LogStore& store, size_t journal, runtime::MonoTime now) {
  JournalWatch& watch = watches_[journal];
  const runtime::MonoTime since = watch.stalled_since();
  if (store.offline() || !watch.look(store.age(now), now)) return;
  const std::string name = journal_name(journal, shards_.size());
  if (since == runtime::kNever) {
    const char* const waits_for = store.journal().age(now) < store.age(now) ? "a segment's write"
                                  : store.journal().starved()               ? "a checkpoint"
                                                                            : "a sync";
    log().warn("a journal is stalled: its appends wait, and this node is not ready",
               {{"journal", name},
                {"seconds", std::chrono::duration_cast<std::chrono::seconds>(JournalWatch::kStalled).count()},
                {"waits_for", waits_for}});
  } else {
    log().info("the journal goes on",
               {{"journal", name},
                {"seconds", std::chrono::duration_cast<std::chrono::seconds>(now - since).count()}});
  }
}

Task<void> Node::sample_loop(Shard& shard, const FetchSessions& sessions) {
  while (true) {
    seams_.metrics->sample(shard, sessions);
    if (shard.index() == 0) seams_.metrics->sample_metadata(*metadata_store_, shard.loop().mono());
    auto pause = runtime::sleep_for(shard.loop(), NodeMetrics::kSampleEvery);
    co_await pause;
  }
}

Task<void> Node::retention_loop(Shard& shard) {
  while (true) {
    auto pause = runtime::sleep_for(
        shard.loop(), std::chrono::milliseconds(shard.view()->broker.log_retention_check_interval_ms));
    co_await pause;
    std::vector<std::shared_ptr<replication::Partition>> all;
    for (const auto& [id, partition] : shard.partitions()) all.push_back(partition);
    for (const auto& partition : all) {
      storage::Log& of = partition->log();
      of.producers().expire(shard.loop().clock().wall(),
                            std::chrono::milliseconds(shard.view()->broker.producer_id_expiration_ms));
      of.roll_if_old();
      auto cleaning = of.apply_retention(partition->high_watermark());
      auto freed = co_await cleaning;
      if (freed && *freed > 0)
        log().info("retention", {{"partition", of.folder_name()}, {"freed_bytes", *freed}});
    }
  }
}

storage::LogCleanerOptions Node::cleaner_options(const Shard& shard) const {
  const config::BrokerConfig& broker = shard.view()->broker;
  storage::LogCleanerOptions options;
  const auto map_bytes = static_cast<uint64_t>(std::max<int64_t>(broker.log_cleaner_dedupe_buffer_size, 0));
  options.map_bytes = std::min(map_bytes, memory_limit(config_) / 2) / shards_.size();
  constexpr double kMost = 1e18;  // beyond it there is no limit
  const double rate = broker.log_cleaner_io_max_bytes_per_second / static_cast<double>(shards_.size());
  if (rate < kMost) options.bytes_per_second = static_cast<uint64_t>(std::max(rate, 1.0));
  options.backoff = std::chrono::milliseconds(broker.log_cleaner_backoff_ms);
  return options;
}

void Node::start_cleaner(Shard& shard, runtime::Random& random) {
  auto options = [this, &shard] { return cleaner_options(shard); };
  auto candidates = [&shard] {
    std::vector<storage::CleanCandidate> all;
    for (const auto& [id, partition] : shard.partitions()) {
      if (partition->log().settings().compact_policy)
        all.push_back({partition->shared_log(), partition->high_watermark()});
    }
    return all;
  };
  shard.set_cleaner(std::make_unique<storage::LogCleaner>(std::move(options), shard.store(), random,
                                                          std::move(candidates)));
  shard.cleaner()->on_cleaned = [this](const storage::Log& of, const storage::CleaningStats& stats) {
    if (stats.bytes_kept >= stats.bytes_read) return;
    log().info("compacted", {{"partition", of.folder_name()},
                             {"to_offset", of.state().cleaned_to},
                             {"freed_bytes", stats.bytes_read - stats.bytes_kept},
                             {"kept_bytes", stats.bytes_kept},
                             {"removed_records", stats.records_read - stats.records_kept}});
  };
  shard.cleaner()->on_failure = [this](const storage::Log& of, const Error& error) {
    log().error("a log cannot be compacted, and is left as it is until a restart",
                {{"partition", of.folder_name()}, {"reason", error.message()}});
  };
  shard.tasks().spawn(shard.cleaner()->run());
}

namespace {

Task<bool> stop_groups(GroupCoordinators& groups) {
  auto stopping = groups.stop();
  co_await stopping;
  co_return true;
}

Task<Result<void>> stop_store(Shard& shard) {
  if (shard.cleaner() != nullptr) {
    auto ending = shard.cleaner()->stop();
    co_await ending;
  }
  auto stopping = shard.store().stop();
  auto stopped = co_await stopping;
  co_return stopped;
}

}  // namespace

Task<Result<void>> Node::stop() {
  status_.phase = Phase::stopping;
  // A stop that comes this early waits: without what was replayed in its files there is no mark to leave.
  while (!replay_finished_) {
    auto waiting = replay_end_.wait();
    co_await waiting;
  }
  for (size_t i = 0; i < groups_.size(); ++i) {
    auto make = [groups = groups_[i].get()] { return stop_groups(*groups); };
    auto stopping = shards_[i]->call(shards_[0]->loop(), std::move(make));
    (void)co_await stopping;
  }
  Result<void> result;
  auto ending = metadata_->stop_snapshots();
  co_await ending;
  for (auto& shard : shards_) {
    auto make = [target = shard.get()] { return stop_store(*target); };
    auto calling = shard->call(*seams_.shards[0], std::move(make));
    auto stopped = co_await calling;
    if (!stopped) result = stopped;
  }
  auto stopping = metadata_store_->stop();
  auto stopped = co_await stopping;
  if (!stopped) result = stopped;
  if (!result) co_return result;  // no mark: the next start replays
  auto work = [this] { return folder_->mark_clean_stop(); };
  auto marking = runtime::on_lane(*background_lane_, *seams_.shards[0], std::move(work));
  auto marked = co_await marking;
  co_return marked;
}

}  // namespace tidemark::broker
