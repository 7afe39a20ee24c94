// What the image means for this node: its partitions opened, made, led and erased on their shards, and the
// view that every shard then has.
#include <algorithm>

#include "broker/metadata_service.h"
#include "broker/shard_change.h"

namespace tidemark::broker {

using replication::ImageDelta;
using runtime::Task;

namespace {

// By shard.
std::vector<std::shared_ptr<ShardChange>> no_changes(size_t shards) {
  std::vector<std::shared_ptr<ShardChange>> changes;
  for (size_t s = 0; s < shards; ++s) changes.push_back(std::make_shared<ShardChange>());
  return changes;
}

Task<bool> set_shard_view(Shard& shard, std::shared_ptr<const ClusterView> view) {
  shard.set_view(std::move(view));
  co_return true;
}

}  // namespace

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

Task<std::vector<UnopenedPartition>> MetadataService::run_changes(
    std::vector<std::shared_ptr<ShardChange>> changes) {
  std::vector<UnopenedPartition> failed;
  for (size_t s = 0; s < changes.size(); ++s) {
    const auto& change = changes[s];
    if (change->empty()) continue;
    auto make = [shard = shards_[s].get(), change] { return change_shard(*shard, change); };
    auto calling = shards_[s]->call(shards_[0]->loop(), std::move(make));
    const auto of_shard = co_await calling;
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
  auto changes = no_changes(shards_.size());
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
  auto running = run_changes(std::move(changes));
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
  view->deleted.clear();
  view->broker = config::resolve_broker_config(
      replication::broker_layers(*view->image, config_.node_id, config_.properties));
  return view;
}

Task<Result<void>> MetadataService::open_partitions(Recovered recovered) {
  auto changes = no_changes(shards_.size());
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
  auto running = run_changes(std::move(changes));
  const auto failed = co_await running;
  set_unopened(*view, failed);
  auto publishing = publish_view(std::move(view));
  co_await publishing;
  co_return Result<void>();
}

Task<void> MetadataService::publish(ImageDelta delta) {
  auto opens = no_changes(shards_.size());
  auto erases = no_changes(shards_.size());
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
      view->deleted.emplace_back(change.before->name, change.before->id);
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
  auto erasing = run_changes(std::move(erases));
  (void)co_await erasing;
  auto opening = run_changes(std::move(opens));
  const auto failed = co_await opening;
  set_unopened(*view, failed);
  auto publishing = publish_view(std::move(view));
  co_await publishing;
}

}  // namespace tidemark::broker
