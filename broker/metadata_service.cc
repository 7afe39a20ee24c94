#include "broker/metadata_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/resolver.h"
#include "config/settings.h"
#include "protocol/batch/batch_iterator.h"
#include "protocol/invariant.h"
#include "replication/controller/configs.h"
#include "replication/controller/metadata_log.h"

namespace tidemark::broker {

using replication::Controller;
using replication::ImageDelta;
using runtime::Task;

namespace {

constexpr uint64_t kLeastBytesBetweenSnapshots = 256 << 10;

}  // namespace

MetadataService::MetadataService(Shards& shards, runtime::Random& random, const config::NodeConfig& config,
                                 Uuid cluster_id, Log& events)
    : shards_(shards),
      events_(events),
      clock_(shards[0]->loop().clock()),
      config_(config),
      controller_(cluster_id.to_string(), config.node_id, config.properties, random),
      snapshot_done_(shards[0]->loop()),
      partitions_on_(shards.size(), 0) {
  auto view = std::make_shared<ClusterView>();
  view->node = config.node_id;
  view->cluster_id = cluster_id;
  view->image = controller_.image();
  view->broker = config.broker;
  for (const auto& listener : config.listeners) {
    if (listener.advertised) view->advertised.emplace_back(listener.name, *listener.advertised);
  }
  view_ = std::move(view);
}

// --- the log ----------------------------------------------------------------------------------------------

Task<Result<void>> MetadataService::load_snapshot() {
  auto work = [snapshots = snapshots_.get(), cluster = controller_.image()->cluster_id] {
    return snapshots->load(cluster);
  };
  auto loading = runtime::on_lane(*lane_, shards_[0]->loop(), std::move(work));
  auto found = co_await loading;
  if (!found) co_return fail(found.error());
  for (const std::string& refused : found->refused)
    events_.error("metadata snapshot refused: the one before it is read", {{"reason", refused}});
  const Offset reached = found->newest ? found->newest->id.end : Offset(0);
  if (log_->start() > reached) {
    co_return fail(Error::corruption(fmt::format(
        "the metadata log starts at offset {}, and no snapshot that can be read reaches it: restore a "
        ".checkpoint file of {} from a copy",
        log_->start(), log_->folder_name())));
  }
  if (!found->newest) co_return Result<void>();
  const replication::SnapshotId id = found->newest->id;
  // A snapshot is taken of committed records alone: a log that ends before it has lost some.
  if (log_->end() < id.end) {
    co_return fail(Error::corruption(fmt::format("the metadata log ends at offset {}, before its snapshot {}",
                                                 log_->end(), replication::snapshot_name(id))));
  }
  const auto epoch = log_->epochs().epoch_for_offset(id.end + (-1));
  if (log_->start() < id.end && epoch && *epoch != id.epoch) {
    co_return fail(
        Error::corruption(fmt::format("the metadata log has another epoch than its snapshot {}: {}",
                                      replication::snapshot_name(id), *epoch)));
  }
  controller_.restore(std::move(found->newest->image));
  snapshot_ = id;
  snapshot_bytes_ = found->newest->bytes;
  co_return Result<void>();
}

Task<Result<void>> MetadataService::replay(storage::LogStore& store, std::shared_ptr<storage::Log> log,
                                           storage::FileSystem& files, runtime::Lane& lane) {
  store_ = &store;
  log_ = std::move(log);
  lane_ = &lane;
  snapshots_ = std::make_unique<MetadataSnapshots>(files, log_->folder());
  if (log_->end() > Offset(0)) {  // a new log has no folder yet
    auto loading = load_snapshot();
    auto loaded = co_await loading;
    if (!loaded) co_return loaded;
  }
  constexpr uint32_t kPiece = 8 << 20;
  while (controller_.next_offset() < log_->end()) {
    auto locating = log_->locate(controller_.next_offset(), log_->end(), kPiece, true);
    auto range = co_await locating;
    if (!range) co_return fail(range.error());
    auto reading = log_->read_whole(*range);
    const auto bytes = co_await reading;
    if (!bytes) co_return fail(bytes.error());
    protocol::BatchIterator batches(*bytes);
    while (true) {
      auto batch = batches.next();
      if (!batch) co_return fail(Error::corruption("the metadata log: " + batch.error().message()));
      if (!*batch) break;
      last_timestamp_ms_ = (*batch)->header.max_timestamp;
    }
    bytes_since_snapshot_ += batches.whole_bytes();
    if (batches.whole_bytes() == 0) {
      co_return fail(Error::corruption(
          fmt::format("the metadata log ends inside a batch at offset {}", controller_.next_offset())));
    }
    auto applied = controller_.apply_log(std::span<const std::byte>(*bytes).first(batches.whole_bytes()));
    if (!applied) co_return fail(applied.error());
  }
  co_return Result<void>();
}

Task<Result<void>> MetadataService::lead(LeaderEpoch term, replication::BrokerRegistration registration) {
  term_ = term;
  const std::vector<replication::Voter> voters{{config_.node_id, Uuid{}}};
  auto change = replication::encode_leader_change(controller_.next_offset(), term_, config_.node_id, voters,
                                                  clock_.wall());
  if (!change) co_return fail(change.error());
  auto announcing = append(*change);
  auto announced = co_await announcing;
  if (!announced) co_return fail(announced.error());
  // Nobody sees the image before the registration behind it is durable too: one sync for both.
  auto applied = controller_.apply_log(*change);
  if (!applied) co_return fail(applied.error());
  auto beginning = commit_records(controller_.begin_term());
  auto begun = co_await beginning;
  if (!begun) co_return fail(begun.error());
  auto decision = controller_.register_broker(registration);
  auto registering = commit_records(std::move(decision.records));
  auto registered = co_await registering;
  if (!registered) co_return fail(registered.error());
  if (!decision.response.error.ok()) {
    co_return fail(decision.response.error.code,
                   decision.response.error.message.value_or("the broker was not registered"));
  }
  broker_epoch_ = decision.response.epoch;
  co_return Result<void>();
}

Task<Result<Offset>> MetadataService::append(std::vector<std::byte> bytes) {
  auto buffer = runtime::Buffer::allocate(bytes.size());
  std::copy(bytes.begin(), bytes.end(), buffer->bytes().begin());
  auto batch = runtime::BufferSlice::whole(std::move(buffer));
  auto header = protocol::parse_batch_header(batch.bytes);
  INVARIANT(header, "a metadata batch of our own cannot be read");
  // Always: a segment with room may be due by time.
  auto making = log_->make_room(batch.size(), header->max_timestamp);
  auto room = co_await making;
  if (!room) co_return fail(room.error());
  last_timestamp_ms_ = header->max_timestamp;
  co_return log_->append(std::move(batch), *header, term_);
}

Task<Result<void>> MetadataService::committed() {
  auto waiting = log_->wait_counted(log_->end());
  const bool durable = co_await waiting;
  if (!durable) {
    co_return fail(Error::io(fmt::format("the metadata log is offline: {}",
                                         log_->offline() ? log_->offline()->message() : "its disk failed"))
                       .mark_possibly_persisted());
  }
  co_return Result<void>();
}

Task<Result<ImageDelta>> MetadataService::commit_records(replication::RecordList records) {
  if (records.empty()) co_return ImageDelta{controller_.image(), controller_.image(), {}, {}, {}};
  auto batch = replication::encode_records(controller_.next_offset(), term_, records, clock_.wall());
  if (!batch) co_return fail(batch.error());
  const uint64_t bytes = batch->size();
  auto appending = append(std::move(*batch));
  auto base = co_await appending;
  if (!base) co_return fail(base.error());
  auto waiting = committed();
  auto durable = co_await waiting;
  if (!durable) co_return fail(durable.error());
  auto delta = controller_.apply(*base, term_, records);
  INVARIANT(delta, "records that the controller decided do not fit its image: {}", delta.error().message());
  bytes_since_snapshot_ += bytes;  // only now: a snapshot that is begun before does not hold them
  co_return std::move(*delta);
}

Task<Result<void>> MetadataService::commit(replication::RecordList records) {
  auto committing = commit_records(std::move(records));
  auto delta = co_await committing;
  if (!delta) co_return fail(delta.error());
  consider_snapshot();
  tell(*delta);
  if (!delta->empty()) {
    auto publishing = publish(std::move(*delta));
    co_await publishing;
  }
  co_return Result<void>();
}

// --- its snapshots ----------------------------------------------------------------------------------------

// A start reads at most so much of the log, relative to the snapshot: what the setting allows is for large
// clusters.
bool MetadataService::snapshot_due() const {
  const auto most = static_cast<uint64_t>(config_.broker.metadata_log_max_record_bytes_between_snapshots);
  return bytes_since_snapshot_ >= std::min(most, std::max(kLeastBytesBetweenSnapshots, 4 * snapshot_bytes_));
}

void MetadataService::allow_snapshots() {
  snapshots_allowed_ = true;
  shards_[0]->tasks().spawn(snapshot_loop());
  consider_snapshot();
}

void MetadataService::consider_snapshot() {
  if (!snapshots_allowed_ || snapshotting_ || !snapshot_due()) return;
  shards_[0]->tasks().spawn(take_snapshot());
}

Task<void> MetadataService::stop_snapshots() {
  snapshots_allowed_ = false;
  while (snapshotting_) {
    auto waiting = snapshot_done_.wait();
    co_await waiting;
  }
}

Task<void> MetadataService::snapshot_loop() {
  const int64_t interval_ms = config_.broker.metadata_log_max_snapshot_interval_ms;
  if (interval_ms == 0) co_return;
  while (true) {
    auto pause = runtime::sleep_for(shards_[0]->loop(), std::chrono::milliseconds(interval_ms));
    co_await pause;
    if (!snapshots_allowed_) co_return;
    if (bytes_since_snapshot_ == 0 || snapshotting_) continue;
    auto taking = take_snapshot();
    co_await taking;
  }
}

Task<void> MetadataService::take_snapshot() {
  snapshotting_ = true;
  // What is applied from here on is behind it.
  bytes_since_snapshot_ = 0;
  auto keeping = keep_snapshot(controller_.image(), last_timestamp_ms_);
  auto kept = co_await keeping;
  snapshotting_ = false;
  snapshot_done_.notify_all();
  if (kept) {
    consider_snapshot();  // for what came meanwhile
  } else {
    events_.error("no metadata snapshot could be taken", {{"reason", kept.error().message()}});
  }
}

Task<Result<void>> MetadataService::keep_snapshot(std::shared_ptr<const replication::MetadataImage> image,
                                                  int64_t timestamp_ms) {
  const replication::SnapshotId id = replication::snapshot_id(*image);
  if (snapshot_ == id) co_return Result<void>();
  auto write = [snapshots = snapshots_.get(), image, id, timestamp_ms]() -> Result<uint64_t> {
    TRY_ASSIGN(const auto bytes, replication::encode_snapshot(*image, timestamp_ms));
    TRY(snapshots->write(id, bytes));
    return bytes.size();
  };
  auto writing = runtime::on_lane(*lane_, shards_[0]->loop(), std::move(write));
  auto written = co_await writing;
  if (!written) co_return fail(written.error());
  const auto previous = std::exchange(snapshot_, id);
  snapshot_bytes_ = *written;
  events_.info("metadata snapshot taken", {{"file", replication::snapshot_name(id)}, {"bytes", *written}});

  // The log reaches back to the snapshot before this one, which is read if this one is damaged.
  if (previous && previous->end > log_->start()) {
    auto trimming = log_->trim(previous->end);
    auto trimmed = co_await trimming;
    if (!trimmed) co_return trimmed;
  }
  auto remove = [snapshots = snapshots_.get(), id, kept = previous.value_or(id)] {
    return snapshots->remove_others(std::array{id, kept});
  };
  auto removing = runtime::on_lane(*lane_, shards_[0]->loop(), std::move(remove));
  auto removed = co_await removing;
  if (!removed) co_return removed;
  // Recovery scans the log from its last checkpoint on: as short as the replay.
  auto checkpointing = store_->checkpoint();
  auto checkpointed = co_await checkpointing;
  co_return checkpointed;
}

// --- decisions --------------------------------------------------------------------------------------------

void MetadataService::tell(const ImageDelta& delta) const {
  for (const auto& change : delta.topics) {
    if (!change.before) {
      events_.info("topic created", {{"topic", change.after->name},
                                     {"id", change.after->id},
                                     {"partitions", change.after->partition_count()}});
    } else if (!change.after) {
      events_.info("topic deleted", {{"topic", change.before->name}, {"id", change.before->id}});
    } else if (change.before->partition_count() != change.after->partition_count()) {
      events_.info("partitions added", {{"topic", change.after->name},
                                        {"before", change.before->partition_count()},
                                        {"after", change.after->partition_count()}});
    }
  }
  for (const auto& resource : delta.configs) {
    const bool topic = resource.type == replication::ConfigResourceType::topic;
    if (topic && delta.after->topic(resource.name) == nullptr) continue;  // they went with it
    events_.info("settings changed", {{"of", topic ? "topic" : "broker"}, {"name", resource.name}});
    const auto scope = topic ? config::Scope::topic : config::Scope::broker;
    const auto& before = delta.before->config(resource.type, resource.name);
    for (const auto& [key, value] : delta.after->config(resource.type, resource.name)) {
      const config::Setting* setting = config::find_setting(scope, key);
      if (setting == nullptr || setting->status != config::Status::ignored) continue;
      if (const auto was = before.find(key); was != before.end() && was->second == value) continue;
      events_.warn("setting is ignored", {{"setting", key}, {"why", setting->note}});
    }
  }
}

Task<void> MetadataService::take_turn() {
  if (!deciding_) {
    deciding_ = true;
    co_return;
  }
  runtime::OneShot<bool> turn(shards_[0]->loop());
  turns_.push_back(turn.resolver());
  auto mine = turn.wait();
  co_await mine;
}

void MetadataService::release_turn() {
  if (turns_.empty()) {
    deciding_ = false;
    return;
  }
  turns_.front().set(true);
  turns_.pop_front();
}

// --- the shards -------------------------------------------------------------------------------------------

config::TopicConfig MetadataService::topic_config(std::string_view topic) const {
  const auto& image = *controller_.image();
  return config::resolve_topic_config(image.config(replication::ConfigResourceType::topic, topic),
                                      replication::broker_layers(image, config_.node_id, config_.properties));
}

uint16_t MetadataService::least_loaded() {
  const auto least = std::min_element(partitions_on_.begin(), partitions_on_.end());
  ++*least;
  return static_cast<uint16_t>(least - partitions_on_.begin());
}

namespace {

using PartitionPtr = std::shared_ptr<replication::Partition>;

// What happens to partitions of one shard, in one message.
struct ShardChange {
  struct Open {
    TopicIdPartition id;
    std::string topic;
    std::optional<storage::RecoveredLog> recovered;
    config::TopicConfig config;
    LeaderEpoch epoch;
  };
  struct Lead {
    TopicIdPartition id;
    config::TopicConfig config;
    LeaderEpoch epoch;
  };
  std::vector<Open> opens;
  std::vector<Lead> leads;
  std::vector<TopicIdPartition> erases;
  std::vector<storage::RecoveredLog> strays;
  [[nodiscard]] bool empty() const {
    return opens.empty() && leads.empty() && erases.empty() && strays.empty();
  }
};

using Unopened = std::vector<UnopenedPartition>;

Task<void> open_one(Shard& shard, ShardChange::Open open, size_t& missing, runtime::Signal& changed,
                    Unopened& failed) {
  std::shared_ptr<storage::Log> log;
  if (open.recovered) {
    log = shard.store().adopt(std::move(*open.recovered), replication::log_settings(open.config));
  } else {
    auto creating =
        shard.store().create(fmt::format("{}-{}", open.topic, open.id.partition), open.id.topic_id,
                             open.id.partition, replication::log_settings(open.config));
    auto created = co_await creating;
    if (created) {
      log = *created;
    } else {
      failed.push_back({open.id, fmt::format("{}-{}", open.topic, open.id.partition), created.error()});
    }
  }
  if (log) {
    auto partition = std::make_shared<replication::Partition>(open.id, open.topic, log, shard.loop());
    shard.add_partition(partition);
    auto leading = partition->lead(open.epoch, open.config);
    (void)co_await leading;
  }
  --missing;
  changed.notify_all();
}

Task<Unopened> change_shard(Shard& shard, std::shared_ptr<ShardChange> change) {
  // What goes first makes room for its namesakes.
  for (const TopicIdPartition& id : change->erases) {
    const auto partition = shard.partition(id);
    if (!partition) continue;
    shard.remove_partition(id);
    auto erasing = shard.store().erase(partition->shared_log());
    (void)co_await erasing;
  }
  for (auto& stray : change->strays) {
    auto log = shard.store().adopt(std::move(stray), {});
    auto erasing = shard.store().erase(std::move(log));
    (void)co_await erasing;
  }
  runtime::Signal changed(shard.loop());
  size_t missing = change->opens.size();
  Unopened failed;
  for (auto& open : change->opens)
    shard.tasks().spawn(open_one(shard, std::move(open), missing, changed, failed));
  while (missing > 0) {
    auto waiting = changed.wait();
    co_await waiting;
  }
  for (const auto& lead : change->leads) {
    const auto partition = shard.partition(lead.id);
    if (!partition) continue;
    auto leading = partition->lead(lead.epoch, lead.config);
    (void)co_await leading;  // a failure has taken the log offline
  }
  co_return failed;
}

Task<bool> set_shard_view(Shard& shard, std::shared_ptr<const ClusterView> view) {
  shard.set_view(std::move(view));
  co_return true;
}

}  // namespace

Task<std::vector<UnopenedPartition>> MetadataService::run_changes(
    std::vector<std::shared_ptr<void>> changes) {
  Unopened failed;
  for (size_t s = 0; s < changes.size(); ++s) {
    auto change = std::static_pointer_cast<ShardChange>(changes[s]);
    if (!change || change->empty()) continue;
    auto make = [shard = shards_[s].get(), change] { return change_shard(*shard, change); };
    auto calling = shards_[s]->call(shards_[0]->loop(), std::move(make));
    const Unopened of_shard = co_await calling;
    failed.insert(failed.end(), of_shard.begin(), of_shard.end());
  }
  co_return failed;
}

void MetadataService::set_unopened(ClusterView& view, const std::vector<UnopenedPartition>& failed) {
  for (const UnopenedPartition& partition : failed) {
    const TopicIdPartition& id = partition.id;
    const auto* known = view.topics.find(id.topic_id);
    if (known == nullptr) continue;
    auto topic = std::make_shared<TopicView>(**known);
    uint16_t& shard = topic->shards[static_cast<size_t>(id.partition.value)];
    --partitions_on_[shard];
    shard = kNoShard;
    view.topics.set(id.topic_id, std::move(topic));
    unopened_.insert(id);
    if (reported_.insert(id).second && on_unopened) on_unopened(partition);
  }
  if (unopened_.empty() || reopening_) return;
  reopening_ = true;
  shards_[0]->tasks().spawn(reopen_loop());
}

Task<void> MetadataService::reopen_loop() {
  while (!unopened_.empty()) {
    auto pause = runtime::sleep_for(shards_[0]->loop(), kReopenInterval);
    co_await pause;
    auto turn = take_turn();
    co_await turn;
    auto opening = reopen();
    co_await opening;
    release_turn();
  }
  reopening_ = false;
}

Task<void> MetadataService::reopen() {
  std::vector<std::shared_ptr<ShardChange>> changes;
  for (size_t s = 0; s < shards_.size(); ++s) changes.push_back(std::make_shared<ShardChange>());
  auto view = next_view();
  for (const TopicIdPartition& id : std::exchange(unopened_, {})) {
    const auto* known = view->topics.find(id.topic_id);
    if (known == nullptr) continue;  // deleted meanwhile
    auto topic = std::make_shared<TopicView>(**known);
    const auto* partition = topic->image->partition(id.partition);
    const uint16_t shard = least_loaded();
    topic->shards[static_cast<size_t>(id.partition.value)] = shard;
    changes[shard]->opens.push_back(
        {id, topic->image->name, std::nullopt, topic->config, partition->leader_epoch});
    view->topics.set(id.topic_id, std::move(topic));
  }
  std::vector<std::shared_ptr<void>> erased(changes.begin(), changes.end());
  auto running = run_changes(std::move(erased));
  const auto failed = co_await running;
  set_unopened(*view, failed);
  reported_ = unopened_;
  auto publishing = publish_view(std::move(view));
  co_await publishing;
}

Task<void> MetadataService::publish_view(std::shared_ptr<const ClusterView> view) {
  view_ = std::move(view);
  for (auto& shard : shards_) {
    auto make = [target = shard.get(), published = view_] { return set_shard_view(*target, published); };
    auto calling = shard->call(shards_[0]->loop(), std::move(make));
    (void)co_await calling;
  }
}

std::shared_ptr<ClusterView> MetadataService::next_view() const {
  auto view = std::make_shared<ClusterView>(*view_);
  view->image = controller_.image();
  view->broker = config::resolve_broker_config(
      replication::broker_layers(*view->image, config_.node_id, config_.properties));
  return view;
}

Task<Result<void>> MetadataService::open_partitions(Recovered recovered) {
  std::vector<std::shared_ptr<ShardChange>> changes;
  for (size_t s = 0; s < shards_.size(); ++s) changes.push_back(std::make_shared<ShardChange>());
  auto view = next_view();
  for (const auto& [name, topic] : view->image->topics) {
    auto topic_view = std::make_shared<TopicView>(TopicView{topic, topic_config(name), {}});
    for (int32_t p = 0; p < topic->partition_count(); ++p) {
      const TopicIdPartition id{topic->id, PartitionId(p)};
      const auto& partition = *topic->partitions[static_cast<size_t>(p)];
      if (std::find(partition.replicas.begin(), partition.replicas.end(), config_.node_id) ==
          partition.replicas.end()) {
        topic_view->shards.push_back(kNoShard);
        continue;
      }
      const uint16_t shard = least_loaded();
      topic_view->shards.push_back(shard);
      ShardChange::Open open{id, name, std::nullopt, topic_view->config, partition.leader_epoch};
      if (const auto found = recovered.find(id); found != recovered.end()) {
        open.recovered = std::move(found->second);
        recovered.erase(found);
      }
      changes[shard]->opens.push_back(std::move(open));
    }
    view->topics.set(topic->id, std::move(topic_view));
  }
  for (auto& [id, stray] : recovered) changes[0]->strays.push_back(std::move(stray));
  std::vector<std::shared_ptr<void>> erased(changes.begin(), changes.end());
  auto running = run_changes(std::move(erased));
  const auto failed = co_await running;
  set_unopened(*view, failed);
  auto publishing = publish_view(std::move(view));
  co_await publishing;
  co_return Result<void>();
}

Task<void> MetadataService::publish(ImageDelta delta) {
  std::vector<std::shared_ptr<ShardChange>> opens, erases;
  for (size_t s = 0; s < shards_.size(); ++s) {
    opens.push_back(std::make_shared<ShardChange>());
    erases.push_back(std::make_shared<ShardChange>());
  }
  auto view = next_view();
  // Settings of a broker reach all of its topics.
  const bool all_topics = std::any_of(delta.configs.begin(), delta.configs.end(), [](const auto& c) {
    return c.type == replication::ConfigResourceType::broker;
  });
  std::map<Uuid, std::shared_ptr<TopicView>> changed;
  const auto view_of = [&](const std::shared_ptr<const replication::TopicImage>& topic) {
    auto& entry = changed[topic->id];
    if (!entry) {
      const auto* known = view_->topics.find(topic->id);
      entry = std::make_shared<TopicView>(known != nullptr ? **known : TopicView{});
      entry->image = topic;
      entry->config = topic_config(topic->name);
    }
    return entry;
  };
  for (const auto& change : delta.topics) {
    if (change.after == nullptr) {
      const auto* known = view_->topics.find(change.before->id);
      if (known == nullptr) continue;
      for (size_t p = 0; p < (*known)->shards.size(); ++p) {
        const uint16_t shard = (*known)->shards[p];
        if (shard == kNoShard) continue;
        erases[shard]->erases.push_back({change.before->id, PartitionId(static_cast<int32_t>(p))});
        --partitions_on_[shard];
      }
      view->topics.erase(change.before->id);
    } else {
      view_of(change.after);
    }
  }
  for (const auto& resource : delta.configs) {
    if (resource.type != replication::ConfigResourceType::topic) continue;
    if (const auto* topic = view->image->topics.find(resource.name)) view_of(*topic);
  }
  if (all_topics) {
    for (const auto& [name, topic] : view->image->topics) view_of(topic);
  }
  for (auto& [id, topic] : changed) {
    for (int32_t p = 0; p < topic->image->partition_count(); ++p) {
      const auto index = static_cast<size_t>(p);
      const auto& partition = *topic->image->partitions[index];
      if (index < topic->shards.size()) {
        if (topic->shards[index] != kNoShard)
          opens[topic->shards[index]]->leads.push_back(
              {{id, PartitionId(p)}, topic->config, partition.leader_epoch});
        continue;
      }
      const bool ours = std::find(partition.replicas.begin(), partition.replicas.end(), config_.node_id) !=
                        partition.replicas.end();
      const uint16_t shard = ours ? least_loaded() : kNoShard;
      topic->shards.push_back(shard);
      if (ours) {
        opens[shard]->opens.push_back(
            {{id, PartitionId(p)}, topic->image->name, std::nullopt, topic->config, partition.leader_epoch});
      }
    }
    view->topics.set(id, topic);
  }
  // What goes first: a topic of the same name may come with it, and needs the folders. What comes is made
  // before anyone hears of it.
  std::vector<std::shared_ptr<void>> to_erase(erases.begin(), erases.end());
  auto erasing = run_changes(std::move(to_erase));
  (void)co_await erasing;
  std::vector<std::shared_ptr<void>> to_open(opens.begin(), opens.end());
  auto opening = run_changes(std::move(to_open));
  const auto failed = co_await opening;
  set_unopened(*view, failed);
  auto publishing = publish_view(std::move(view));
  co_await publishing;
}

}  // namespace tidemark::broker
