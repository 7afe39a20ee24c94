#include "broker/node.h"

#include <fmt/format.h>

#include "broker/metadata_log.h"
#include "broker/shard_change.h"
#include "broker/telemetry/client_telemetry.h"
#include "protocol/invariant.h"
#include "protocol/runtime/milliseconds.h"
#include "replication/controller/features.h"

namespace tidemark::broker {

using runtime::Task;
using Phase = NodeStatus::Phase;

namespace {

constexpr auto kAskSpaceEvery = std::chrono::seconds(10);

}  // namespace

Node::Node(config::NodeConfig config, NodeSeams seams)
    : config_(std::move(config)),
      seams_(std::move(seams)),
      watches_(seams_.shards.size() * config_.data_dirs.size() + 1),
      compression_lane_(seams_.make_lane("compression")),
      file_cache_(std::make_shared<storage::FileCache>(seams_.files, seams_.max_open_segments)),
      replay_end_(*seams_.shards.at(0)) {
  INVARIANT(!config_.data_dirs.empty(), "a node without a data folder");
  seams_.files.on_no_descriptors([cache = file_cache_.get()] { return cache->give_back(); });
  for (size_t i = 0; i < seams_.shards.size(); ++i) {
    shards_.push_back(
        std::make_unique<Shard>(static_cast<uint16_t>(i), *seams_.shards[i], config_.data_dirs.size()));
  }
  for (size_t f = 0; f < config_.data_dirs.size(); ++f) {
    folders_.push_back(std::make_unique<NodeFolder>(f, config_, seams_, shards_));
    folder_infos_.push_back(folders_.back()->info());
  }
  first().on_failed = [this](const Error& error) { seams_.on_offline(error); };
}

Node::~Node() {
  for (auto& folder : folders_) folder->end_lanes();
  compression_lane_.reset();
  recovery_lanes_.clear();
  seams_.files.on_no_descriptors({});
}

// Before anything is written: the wrong order of folders must be mended by no more than the right one.
Task<Result<void>> Node::check_first_folder() {
  auto work = [this]() -> Result<void> {
    std::vector<bool> with_metadata;
    for (const auto& folder : folders_) {
      const std::string path = storage::DataFolder::identity_path(folder->path());
      const auto there = seams_.files.exists(path);
      if (!there || !*there) {
        with_metadata.push_back(false);
        continue;
      }
      const auto identity = storage::IdentityFile::open(seams_.files, path);
      with_metadata.push_back(identity && identity->identity() && identity->identity()->term.value > 0);
    }
    const auto found = std::ranges::find(with_metadata, true);
    if (found == with_metadata.end() || found == with_metadata.begin()) return {};
    return fail(
        Error::config(fmt::format("the metadata log is in {}: name that folder first in log.dirs",
                                  config_.data_dirs[static_cast<size_t>(found - with_metadata.begin())])));
  };
  auto checking = runtime::on_lane(first().background_lane(), *seams_.shards[0], std::move(work));
  auto checked = co_await checking;
  co_return checked;
}

Task<Result<void>> Node::open_folders() {
  status_.phase = Phase::replaying_journal;
  if (folders_.size() > 1) {
    auto checking = check_first_folder();
    auto checked = co_await checking;
    if (!checked) co_return checked;
  }
  Uuid cluster;
  for (auto& folder : folders_) {
    auto opening = folder->open(cluster, file_cache_);
    auto opened = co_await opening;
    if (opened) {
      cluster = folder->data().identity().cluster_id;
      continue;
    }
    // A disk that fails, fails alone. What somebody has set wrong is told at once, and so is a folder in use.
    const Error& error = opened.error();
    const bool disk = error.kind() == ErrorKind::io || error.kind() == ErrorKind::no_space;
    if (folder->holds_metadata() || !disk) co_return opened;
    folder->leave_out(error);
  }
  co_return check_moved();
}

// Before any journal is freed: where a partition was moved by hand after a stop that was not clean, its
// records may be in the journal that it was moved away from.
Result<void> Node::check_moved() const {
  for (const auto& holder : folders_) {
    if (holder->offline()) continue;
    for (const auto& [name, state] : holder->data().replay().moved) {
      for (const auto& folder : folders_) {
        if (folder->offline() || folder->data().replay().orphans == 0) continue;
        if (folder != holder && folder->data().identity().folder_id != state.home) continue;
        return fail(Error::config(fmt::format(
            "{}/{} was made in another data folder, and the journal of {} may hold records of it: "
            "move it back where it was, and start again",
            holder->path(), name, folder->path())));
      }
    }
  }
  return {};
}

Task<Result<void>> Node::start_stores() {
  for (auto& folder : folders_) {
    if (folder->offline()) continue;
    auto starting = folder->start_stores();
    auto started = co_await starting;
    if (started) continue;
    if (folder->holds_metadata()) co_return started;
    folder->fail(started.error());
  }
  co_return Result<void>();
}

Task<Result<MetadataService::Recovered>> Node::recover_logs() {
  status_.phase = Phase::recovering_logs;
  struct Outcome {
    std::vector<FoundLog> logs;
    std::map<size_t, Error> failed;  // folders
    storage::RecoveryStats stats;
  };
  struct ToRecover {
    NodeFolder* folder;
    const storage::ReplayedLog* log;
  };
  std::vector<ToRecover> found;
  for (const auto& folder : folders_) {
    if (folder->offline()) continue;
    for (const auto& [id, replayed] : folder->data().replay().logs)
      found.push_back({folder.get(), &replayed});
  }
  MetadataService::Recovered recovered;
  for (const auto& folder : folders_) {
    if (folder->offline()) continue;
    for (const auto& [name, state] : folder->data().replay().moved) {
      FoundLog log;
      log.folder = folder->index();
      log.moved = true;
      log.log.folder_name = name;
      log.log.state = state;
      log.log.damage = Error::corruption(
          fmt::format("{}/{} was made in another data folder, whose journal may hold records of it: move it "
                      "back there",
                      folder->path(), name));
      recovered[TopicIdPartition{state.topic_id, state.partition}].push_back(std::move(log));
    }
  }
  status_.logs_total = found.size();
  // One lane for each shard: each takes the next log until there is none.
  std::vector<runtime::Lane*> lanes;
  for (const auto& shard : shards_) {
    recovery_lanes_.push_back(seams_.make_lane(fmt::format("recovery-{}", shard->index())));
    lanes.push_back(recovery_lanes_.back().get());
  }
  auto next = std::make_shared<std::atomic<size_t>>(0);
  auto work = [this, found, next] {
    Outcome outcome;
    while (true) {
      const size_t i = next->fetch_add(1);
      if (i >= found.size()) return outcome;
      auto& [folder, replayed] = found[i];
      auto log = folder->data().recover(*replayed, {}, seams_.shards[0]->clock().wall(), outcome.stats);
      if (log) {
        outcome.logs.push_back({folder->index(), std::move(*log)});
        ++status_.logs_recovered;
      } else {
        outcome.failed.emplace(folder->index(), log.error());
        if (folder->holds_metadata()) *next = found.size();
      }
    }
  };
  auto recovering = runtime::on_lanes(lanes, *seams_.shards[0], std::move(work));
  auto outcomes = co_await recovering;
  recovery_lanes_.clear();
  storage::RecoveryStats stats;
  for (const auto& outcome : outcomes) {
    for (const auto& [folder, error] : outcome.failed) {
      if (folders_[folder]->holds_metadata()) co_return fail(error);
      folders_[folder]->fail(error);
    }
  }
  for (auto& outcome : outcomes) {
    stats.scanned_bytes += outcome.stats.scanned_bytes;
    stats.cut_bytes += outcome.stats.cut_bytes;
    for (FoundLog& one : outcome.logs) {
      if (folders_[one.folder]->offline()) continue;
      if (one.log.damage) {
        log().error("partition is damaged and stays offline", {{"partition", one.log.folder_name},
                                                               {"reason", one.log.damage->message()},
                                                               {"advice", kDamageAdvice}});
      } else if (log().wants(LogLevel::debug)) {
        log().debug(
            "partition recovered",
            {{"partition", one.log.folder_name}, {"start", one.log.state.log_start}, {"end", one.log.end}});
      }
      const TopicIdPartition partition{one.log.state.topic_id, one.log.state.partition};
      recovered[partition].push_back(std::move(one));
    }
  }
  if (stats.cut_bytes > 0) log().info("cut appends that were never answered", {{"bytes", stats.cut_bytes}});
  log().info("logs recovered", {{"logs", found.size()}, {"scanned_bytes", stats.scanned_bytes}});
  co_return std::move(recovered);
}

Task<Result<std::shared_ptr<storage::Log>>> Node::open_metadata_log(MetadataService::Recovered& recovered) {
  storage::LogStore& store = *first().metadata_store();
  storage::DataFolder& data = first().data();
  storage::LogSettings settings;
  settings.delete_policy = false;
  settings.keeps_headroom = true;
  settings.segment_ms = config_.broker.metadata_log_segment_ms;
  const std::string name = fmt::format("{}-0", kClusterMetadataTopic);
  const auto found = recovered.find(TopicIdPartition{kMetadataTopicId, PartitionId(0)});
  if (found != recovered.end()) {
    FoundLog& log = found->second.front();
    const auto other = std::ranges::find_if(
        found->second, [&](const FoundLog& one) { return one.folder != first().index(); });
    if (other != found->second.end()) {
      co_return fail(Error::corruption(
          fmt::format("{} holds a metadata log too: move it away", folders_[other->folder]->path())));
    }
    if (log.moved) {
      co_return fail(
          Error::corruption(fmt::format("the metadata log {}/{} was made in a data folder of another "
                                        "identity: restore that folder whole, {} "
                                        "included",
                                        data.path(), name, storage::DataFolder::identity_path(data.path()))));
    }
    if (log.log.damage) {
      const Error& damage = *log.log.damage;
      if (damage.kind() == ErrorKind::io) co_return fail(damage);
      co_return fail(Error::corruption(fmt::format(
          "the metadata log {}/{} is damaged, and no node starts without it: {}: restore the data "
          "folder from a copy, or start with an empty one",
          data.path(), name, damage.message())));
    }
    auto adopted = store.adopt(std::move(log.log), settings);
    recovered.erase(found);
    co_return adopted;
  }
  const auto& unreadable = data.replay().unreadable;
  if (const auto ours = unreadable.find(name); ours != unreadable.end()) co_return fail(ours->second);
  // Whatever the term: a folder that was another one's second has none.
  bool holds_partitions = !recovered.empty();
  for (const auto& folder : folders_)
    holds_partitions =
        holds_partitions || (!folder->offline() && !folder->data().replay().unreadable.empty());
  if (holds_partitions) {
    co_return fail(Error::corruption(
        fmt::format("{} holds partitions, but its metadata log is gone: restore {}", data.path(), name)));
  }
  auto creating = store.create(name, kMetadataTopicId, PartitionId(0), settings);
  auto created = co_await creating;
  co_return created;
}

// Whether a folder and the metadata log are of one history: neither is an older copy, and no life without the
// folder has begun from one.
Result<void> Node::check_history(NodeFolder& folder, LeaderEpoch last) {
  const storage::Identity& identity = folder.data().identity();
  const LeaderEpoch served = identity.served_term;
  const auto mend = [&](std::string_view what, LeaderEpoch knows) {
    return fail(
        Error::corruption(fmt::format("{} and the metadata log in {} do not fit together: the folder has "
                                      "served to term {}, and the log knows of "
                                      "{}: {}",
                                      folder.path(), first().path(), served, knows, what)));
  };
  const std::string older_log = fmt::format("restore the newest copy of {}", first().path());
  const std::string older_folder =
      fmt::format("restore the newest copy of {}, or leave it out", folder.path());
  if (served > last) return mend(older_log, last);
  const auto* before = metadata_->controller().image()->broker(config_.node_id);
  if (before == nullptr) return {};
  const auto& registered = before->log_dirs;
  if (std::ranges::find(registered, identity.folder_id) != registered.end())
    return served < before->term ? mend(older_folder, before->term) : Result<void>();
  const auto left_out =
      std::ranges::find(before->left_out, identity.folder_id, &replication::LeftOutDirectory::id);
  if (left_out == before->left_out.end()) {
    // It is new; or the metadata log is from before it was added. (One that holds nothing was added by a
    // start that ended early.)
    const bool holds_logs = served.value > 0 && !folder.data().replay().logs.empty();
    return holds_logs ? mend(older_log, LeaderEpoch(0)) : Result<void>();
  }
  if (served < left_out->served) return mend(older_folder, left_out->served);
  if (served >= left_out->left_out) return mend(older_log, left_out->left_out);
  return {};
}

// Durably in every folder, before anything is written in it: a metadata log that was restored from an older
// copy would take what it does not know for what is deleted, and lead in epochs that were led in before.
Task<Result<void>> Node::begin_term(LeaderEpoch term) {
  for (const auto& folder : folders_) {
    if (folder->offline()) continue;
    auto work = [of = folder.get(), term, node = config_.node_id] {
      return of->holds_metadata() ? of->data().write_term(term, node) : of->data().write_served_term(term);
    };
    auto writing = runtime::on_lane(folder->background_lane(), *seams_.shards[0], std::move(work));
    auto written = co_await writing;
    if (written) continue;
    if (folder->holds_metadata()) co_return written;
    folder->fail(written.error());
  }
  co_return Result<void>();
}

Task<Result<void>> Node::start_metadata(MetadataService::Recovered& recovered) {
  storage::DataFolder& data = first().data();
  metadata_ = std::make_unique<MetadataService>(shards_, folder_infos_, seams_.random, config_,
                                                data.identity().cluster_id, log());
  metadata_->on_unopened = [this](const UnopenedPartition& partition) {
    log().warn("partition cannot be opened: it is tried again",
               {{"partition", partition.name}, {"reason", partition.error.message()}});
  };
  auto opening = open_metadata_log(recovered);
  auto opened = co_await opening;
  if (!opened) co_return fail(opened.error());
  const std::shared_ptr<storage::Log> log = std::move(*opened);
  auto replaying = metadata_->replay(*first().metadata_store(), log, seams_.files, first().background_lane());
  auto replayed = co_await replaying;
  if (!replayed) co_return replayed;

  // A term is synced before anything is written in it, but for what one damaged copy of the identity forgets.
  constexpr int32_t kMostForgotten = 1000;
  if (log->latest_epoch().value - kMostForgotten > data.identity().term.value &&
      data.identity().term.value > 0) {
    co_return fail(Error::corruption(
        fmt::format("the metadata log {}/{} has a batch of term {}, and its node has come to {}: restore the "
                    "data folder from a copy",
                    data.path(), log->folder_name(), log->latest_epoch(), data.identity().term)));
  }
  // A new term at every start, synced before anything is written in it.
  const LeaderEpoch last = std::max(data.identity().term, log->latest_epoch());
  LeaderEpoch term(seams_.planted == storage::Planted::epoch_reused ? std::max(last.value, 1)
                                                                    : last.value + 1);
  for (const auto& folder : folders_) {
    if (folder->offline() || folder->holds_metadata()) continue;
    if (auto fits = check_history(*folder, last); !fits) co_return fits;
  }
  // A folder that fails meanwhile may hold this term all the same: the one that begins without it is another.
  for (size_t before = 0; before != folders_online();) {
    if (before != 0) ++term.value;
    before = folders_online();
    auto beginning = begin_term(term);
    auto begun = co_await beginning;
    if (!begun) co_return begun;
  }

  replication::BrokerRegistration registration;
  registration.cluster_id = data.identity().cluster_id.to_string();
  registration.broker = config_.node_id;
  registration.incarnation_id = seams_.random.uuid();
  for (const auto& listener : config_.listeners) {
    const auto& told = listener.advertised ? *listener.advertised : listener.address;
    registration.endpoints.push_back({listener.name, told.host, told.port, 0});
  }
  registration.rack = config_.rack;
  bool was_clean = true;
  for (const auto& folder : folders_) {
    if (!folder->offline()) registration.log_dirs.push_back(folder->data().identity().folder_id);
    was_clean = was_clean && !folder->offline() && folder->data().was_clean();
  }
  for (const auto& feature : replication::kSupportedFeatures) {
    if (feature.public_to_clients)
      registration.features[std::string(feature.name)] = {feature.min, feature.max};
  }
  const auto* before = metadata_->controller().image()->broker(config_.node_id);
  if (was_clean && before != nullptr) registration.clean_stop_of = before->epoch;
  registration.unfenced = true;
  auto leading = metadata_->lead(term, std::move(registration));
  auto led = co_await leading;
  co_return led;
}

Task<Result<void>> Node::start() {
  auto opening = open_folders();
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
        for (auto& folder : folder_infos_) {
          if (folder->offline()) continue;
          auto asking = folder->space(*seams_.shards[0]);
          (void)co_await asking;
        }
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
  telemetry_ = std::make_unique<ClientTelemetry>(
      shards_, seams_.metrics != nullptr ? seams_.metrics->client_series.get() : nullptr,
      config_.broker.telemetry_max_bytes);
  telemetry_->start();
  const auto slots =
      static_cast<size_t>(std::max(config_.broker.max_incremental_fetch_session_cache_slots, 0));
  const uint64_t memory = memory_limit(config_);
  answer_memory_ = std::make_shared<runtime::ByteBudget>(memory / 4);
  element_memory_ = std::make_shared<runtime::ByteBudget>(memory / 4);
  session_memory_ = std::make_shared<runtime::ByteBudget>(memory / 8);
  GroupMetrics* const group_metrics = seams_.metrics != nullptr ? &seams_.metrics->groups : nullptr;
  const config::BrokerConfig& broker = config_.broker;
  usages_ = std::make_unique<Usages>(
      QuotaWindows(broker.quota_window_num, broker.quota_window_size_seconds),
      QuotaWindows(broker.controller_quota_window_num, broker.controller_quota_window_size_seconds),
      shards_.size());
  for (auto& shard : shards_) {
    quotas_.push_back(std::make_unique<ClientQuotas>(*shard, *usages_));
    randoms_.push_back(std::make_unique<runtime::SeededRandom>(seams_.random.next()));
    sessions_.push_back(std::make_unique<FetchSessions>(shard->index(), shards_.size(),
                                                        (slots + shards_.size() - 1) / shards_.size(),
                                                        session_memory_, *randoms_.back()));
    producer_ids_.push_back(std::make_unique<ProducerIds>(*metadata_, shard->loop()));
    groups_.push_back(std::make_unique<GroupCoordinators>(*shard, shards_, seams_.random.next(), log(),
                                                          group_metrics, seams_.planted));
    handlers_.push_back(std::make_unique<ApiHandler>(
        ApiServices{*shard, shards_, *metadata_, *sessions_.back(), *producer_ids_.back(), groups_,
                    *quotas_.back(), folder_infos_, *telemetry_, *compression_lane_, *randoms_.back(),
                    answer_memory_, element_memory_, seams_.metrics}));
    if (seams_.metrics != nullptr) {
      shard->loop().post([this, target = shard.get(), sessions = sessions_.back().get()] {
        target->tasks().spawn(sample_loop(*target, *sessions));
      });
      group_lags_.push_back(
          std::make_unique<GroupLag>(*shard, shards_, *groups_.back(), seams_.metrics->groups));
      shard->loop().post(
          [target = shard.get(), lag = group_lags_.back().get()] { target->tasks().spawn(lag->run()); });
    }
    shard->loop().post(
        [this, target = shard.get(), random = randoms_.back().get(), groups = groups_.back().get()] {
          groups->start();
          target->tasks().spawn(watch_loop(*target));
          for (auto& folder : folders_) {
            if (target->store(folder->index()) == nullptr) continue;
            target->tasks().spawn(retention_loop(*target, folder->index()));
            if (config_.broker.log_cleaner_enable) start_cleaner(*target, *folder, *random);
          }
        });
  }
  replays_ = folders_.size();
  // A folder that hangs must not hold up the others.
  for (auto& folder : folders_) {
    if (folder->offline()) {
      --replays_;
    } else {
      shards_[0]->tasks().spawn(finish_replay(*folder));
    }
  }
  for (auto& folder : folder_infos_) shards_[0]->tasks().spawn(space_loop(*folder));
  status_.phase = Phase::ready;
  co_return Result<void>();
}

// Rule 7: what was replayed is synced in the background; only then may journals free anything.
Task<void> Node::finish_replay(NodeFolder& folder) {
  auto finishing = folder.finish_replay();
  const auto synced = co_await finishing;
  if (!synced) {
    // Rule 13: no journal may ever free what is not known to be in the files.
    folder.fail(Error::io("replayed data could not be synced: " + synced.error().message()));
  } else if (*synced) {  // or a sync has failed elsewhere, and this one could not know
    folder.allow_checkpoints();
    if (folder.holds_metadata()) metadata_->allow_snapshots();
    shards_[0]->tasks().spawn(folder.keep_reserve());
  }
  if (--replays_ == 0) replay_end_.notify_all();
}

// For placement and the metrics. Each folder by itself, here and below: one that hangs holds up no other.
Task<void> Node::space_loop(FolderInfo& folder) {
  while (!folder.offline()) {
    auto pause = runtime::sleep_for(shards_[0]->loop(), kAskSpaceEvery);
    co_await pause;
    folder.set_asked(shards_[0]->loop().mono());
    auto asking = folder.space(shards_[0]->loop());
    (void)co_await asking;
    folder.set_asked(runtime::kNever);
  }
}

std::string Node::stalled(runtime::MonoTime now) const {
  std::string all;
  for (size_t i = 0; i < watches_.size(); ++i) {
    const runtime::MonoTime since = watches_[i].stalled_since();
    if (since == runtime::kNever) continue;
    all += fmt::format("{}journal {} has been stalled for {} s", all.empty() ? "" : "; ",
                       journal_name(i, watches_.size(), shards_.size()),
                       std::chrono::duration_cast<std::chrono::seconds>(now - since).count());
  }
  return all;
}

// Rule 15.
Task<void> Node::watch_loop(Shard& shard) {
  while (true) {
    for (size_t f = 0; f < shard.folders(); ++f) {
      if (shard.store(f) != nullptr)
        watch(*shard.store(f), *folder_infos_[f], f * shards_.size() + shard.index(), shard.loop().mono());
    }
    if (shard.index() == 0)
      watch(*first().metadata_store(), *first().info(), watches_.size() - 1, shard.loop().mono());
    auto pause = runtime::sleep_for(shard.loop(), JournalWatch::kLookEvery);
    co_await pause;
  }
}

void Node::watch(storage::LogStore& store, FolderInfo& folder, size_t journal, runtime::MonoTime now) {
  JournalWatch& watch = watches_[journal];
  const runtime::MonoTime since = watch.stalled_since();
  const bool offline = store.offline().has_value();  // then nothing waits for it any more
  if (!watch.look(offline ? runtime::Duration(0) : store.age(now), now) || offline) return;
  const std::string name = journal_name(journal, watches_.size(), shards_.size());
  folder.set_stalled(since == runtime::kNever);
  if (since == runtime::kNever) {
    const char* const waits_for = store.journal().age(now) < store.age(now) ? "a segment's write"
                                  : store.journal().starved()               ? "a checkpoint"
                                                                            : "a sync";
    log().warn(
        "a journal is stalled: its appends wait, and this node is not ready",
        {{"journal", name},
         {"seconds", std::chrono::duration_cast<std::chrono::seconds>(JournalWatch::kStalled).count()},
         {"waits_for", waits_for},
         {"advice",
          "look whether the disk hangs (kernel log, iostat), or who else uses it; nothing is lost, and it "
          "goes on when the disk does"}});
  } else {
    log().info("the journal goes on",
               {{"journal", name},
                {"seconds", std::chrono::duration_cast<std::chrono::seconds>(now - since).count()}});
  }
}

Task<void> Node::sample_loop(Shard& shard, const FetchSessions& sessions) {
  while (true) {
    seams_.metrics->sample(shard, sessions);
    if (shard.index() == 0) {
      seams_.metrics->sample_metadata(*first().metadata_store(), metadata_->unopened(), shard.loop().mono());
      seams_.metrics->sample_quotas(*usages_);
      seams_.metrics->sample_memory(*answer_memory_, *element_memory_, *session_memory_);
    }
    auto pause = runtime::sleep_for(shard.loop(), NodeMetrics::kSampleEvery);
    co_await pause;
  }
}

Task<void> Node::retention_loop(Shard& shard, size_t folder) {
  while (true) {
    auto pause = runtime::sleep_for(
        shard.loop(), runtime::saturating_ms(shard.view()->broker.log_retention_check_interval_ms));
    co_await pause;
    std::vector<std::shared_ptr<replication::Partition>> all;
    for (const auto& [id, partition] : shard.partitions()) {
      if (&partition->log().store() == shard.store(folder)) all.push_back(partition);
    }
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

void Node::start_cleaner(Shard& shard, NodeFolder& folder, runtime::Random& random) {
  auto options = [&shard, &folder] { return folder.cleaner_options(shard); };
  storage::LogStore& store = *shard.store(folder.index());
  auto candidates = [&shard, &store] {
    std::vector<storage::CleanCandidate> all;
    for (const auto& [id, partition] : shard.partitions()) {
      if (partition->log().settings().compact_policy && &partition->log().store() == &store)
        all.push_back({partition->shared_log(), partition->high_watermark()});
    }
    return all;
  };
  auto made = std::make_unique<storage::LogCleaner>(std::move(options), store, random, std::move(candidates));
  storage::LogCleaner& cleaner = *made;
  shard.set_cleaner(folder.index(), std::move(made));
  cleaner.on_cleaned = [this](const storage::Log& of, const storage::CleaningStats& stats) {
    if (stats.bytes_kept >= stats.bytes_read) return;
    log().info("compacted", {{"partition", of.folder_name()},
                             {"to_offset", of.state().cleaned_to},
                             {"freed_bytes", stats.bytes_read - stats.bytes_kept},
                             {"kept_bytes", stats.bytes_kept},
                             {"removed_records", stats.records_read - stats.records_kept}});
  };
  cleaner.on_failure = [this](const storage::Log& of, const Error& error) {
    log().error("a log cannot be compacted, and is left as it is until a restart",
                {{"partition", of.folder_name()},
                 {"reason", error.message()},
                 {"advice",
                  "it is served, but only grows: copy its folder away, look at the disk's own errors, and "
                  "restore the topic or write it anew"}});
  };
  cleaner.on_disk_error = [this](const storage::Log& of, const Error& error) {
    log().error("a log cannot be compacted while its disk fails, and grows: it is tried again",
                {{"partition", of.folder_name()},
                 {"reason", error.message()},
                 {"advice", "look at the disk's health; move the partition away from it"}});
  };
  shard.tasks().spawn(cleaner.run());
}

namespace {

Task<bool> stop_groups(GroupCoordinators& groups) {
  auto stopping = groups.stop();
  co_await stopping;
  co_return true;
}

Task<Result<void>> stop_store(Shard& shard, size_t folder) {
  if (shard.cleaner(folder) != nullptr) {
    auto ending = shard.cleaner(folder)->stop();
    co_await ending;
  }
  auto stopping = shard.store(folder)->stop();
  auto stopped = co_await stopping;
  co_return stopped;
}

}  // namespace

Task<Result<void>> Node::stop() {
  status_.phase = Phase::stopping;
  // A stop that comes this early waits: without what was replayed in its files there is no mark to leave.
  while (replays_ > 0) {
    auto waiting = replay_end_.wait();
    co_await waiting;
  }
  for (size_t i = 0; i < groups_.size(); ++i) {
    auto make = [groups = groups_[i].get()] { return stop_groups(*groups); };
    auto stopping = shards_[i]->call(shards_[0]->loop(), std::move(make));
    (void)co_await stopping;
  }
  auto ending = metadata_->stop();
  co_await ending;
  Result<void> result;
  // The metadata log's last: a next start looks there for what the others hold.
  for (auto folder = folders_.rbegin(); folder != folders_.rend(); ++folder) {
    const bool failed = (*folder)->offline();  // of which was told
    auto stopping = stop_folder(**folder);
    auto stopped = co_await stopping;
    if (!stopped && (!failed || (*folder)->holds_metadata())) result = stopped;
  }
  co_return result;
}

// Without an error it has its mark; else its next start replays.
Task<Result<void>> Node::stop_folder(NodeFolder& folder) {
  Result<void> result;
  for (auto& shard : shards_) {
    if (shard->store(folder.index()) == nullptr) continue;
    auto make = [target = shard.get(), index = folder.index()] { return stop_store(*target, index); };
    auto calling = shard->call(*seams_.shards[0], std::move(make));
    auto stopped = co_await calling;
    if (!stopped) result = stopped;
  }
  if (folder.metadata_store() != nullptr) {
    auto stopping = folder.metadata_store()->stop();
    auto stopped = co_await stopping;
    if (!stopped) result = stopped;
  }
  if (!result || folder.offline()) co_return result;
  auto marking = folder.mark_clean_stop();
  auto marked = co_await marking;
  co_return marked;
}

}  // namespace tidemark::broker
