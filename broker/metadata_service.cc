#include "broker/metadata_service.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/resolver.h"
#include "protocol/batch/batch_iterator.h"
#include "protocol/invariant.h"
#include "replication/controller/metadata_log.h"

namespace tidemark::broker {

using replication::Controller;
using replication::ImageDelta;
using runtime::Task;

MetadataService::MetadataService(Shards& shards, runtime::Random& random, const config::NodeConfig& config,
                                 Uuid cluster_id)
    : shards_(shards),
      clock_(shards[0]->loop().clock()),
      config_(config),
      controller_(cluster_id.to_string(), config.node_id, config.properties, random),
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

// --- the log
// ---------------------------------------------------------------------------------------------------------

Task<Result<void>> MetadataService::replay(std::shared_ptr<storage::Log> log) {
  log_ = std::move(log);
  constexpr uint32_t kPiece = 8 << 20;
  while (controller_.next_offset() < log_->end()) {
    auto locating = log_->locate(controller_.next_offset(), log_->end(), kPiece, true);
    auto range = co_await locating;
    if (!range) co_return fail(range.error());
    std::vector<std::byte> bytes;
    bytes.reserve(range->bytes);
    while (bytes.size() < range->bytes) {
      auto reading = log_->read(*range, static_cast<uint32_t>(bytes.size()), range->bytes);
      auto piece = co_await reading;
      if (!piece) co_return fail(piece.error());
      bytes.insert(bytes.end(), piece->bytes.begin(), piece->bytes.end());
    }
    protocol::BatchIterator batches(bytes);
    while (true) {
      auto batch = batches.next();
      if (!batch) co_return fail(Error::corruption("the metadata log: " + batch.error().message()));
      if (!*batch) break;
    }
    if (batches.whole_bytes() == 0) {
      co_return fail(Error::corruption(
          fmt::format("the metadata log ends inside a batch at offset {}", controller_.next_offset())));
    }
    auto applied = controller_.apply_log(std::span<const std::byte>(bytes).first(batches.whole_bytes()));
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
  if (!log_->has_room(batch.size())) {
    auto making = log_->make_room(batch.size(), -1);
    auto room = co_await making;
    if (!room) co_return fail(room.error());
  }
  auto header = protocol::parse_batch_header(batch.bytes);
  INVARIANT(header, "a metadata batch of our own cannot be read");
  const Offset base = log_->append(std::move(batch), *header, term_);
  auto waiting = log_->wait_counted(log_->end());
  const bool committed = co_await waiting;
  if (!committed) {
    co_return fail(Error::io(fmt::format("the metadata log is offline: {}",
                                         log_->offline() ? log_->offline()->message() : "its disk failed"))
                       .mark_possibly_persisted());
  }
  co_return base;
}

Task<Result<ImageDelta>> MetadataService::commit_records(replication::RecordList records) {
  if (records.empty()) co_return ImageDelta{controller_.image(), controller_.image(), {}, {}, {}};
  auto batch = replication::encode_records(controller_.next_offset(), term_, records, clock_.wall());
  if (!batch) co_return fail(batch.error());
  auto appending = append(std::move(*batch));
  auto base = co_await appending;
  if (!base) co_return fail(base.error());
  auto delta = controller_.apply(*base, term_, records);
  INVARIANT(delta, "records that the controller decided do not fit its image: {}", delta.error().message());
  co_return std::move(*delta);
}

Task<Result<void>> MetadataService::commit(replication::RecordList records) {
  auto committing = commit_records(std::move(records));
  auto delta = co_await committing;
  if (!delta) co_return fail(delta.error());
  if (!delta->empty()) {
    auto publishing = publish(std::move(*delta));
    co_await publishing;
  }
  co_return Result<void>();
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

// --- the shards
// ------------------------------------------------------------------------------------------------------

config::TopicConfig MetadataService::topic_config(std::string_view topic) const {
  const auto& image = *controller_.image();
  const auto& dynamic_broker =
      image.config(replication::ConfigResourceType::broker, std::to_string(config_.node_id.value));
  const auto& dynamic_default = image.config(replication::ConfigResourceType::broker, "");
  return config::resolve_topic_config(image.config(replication::ConfigResourceType::topic, topic),
                                      {&dynamic_broker, &dynamic_default, &config_.properties});
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
  const auto& image = *view->image;
  const auto& dynamic_broker =
      image.config(replication::ConfigResourceType::broker, std::to_string(config_.node_id.value));
  const auto& dynamic_default = image.config(replication::ConfigResourceType::broker, "");
  view->broker = config::resolve_broker_config({&dynamic_broker, &dynamic_default, &config_.properties});
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
  // Made before anyone hears of them, and gone for everyone before they are erased.
  std::vector<std::shared_ptr<void>> to_open(opens.begin(), opens.end());
  auto opening = run_changes(std::move(to_open));
  const auto failed = co_await opening;
  set_unopened(*view, failed);
  auto publishing = publish_view(std::move(view));
  co_await publishing;
  std::vector<std::shared_ptr<void>> to_erase(erases.begin(), erases.end());
  auto erasing = run_changes(std::move(to_erase));
  (void)co_await erasing;
}

}  // namespace tidemark::broker
