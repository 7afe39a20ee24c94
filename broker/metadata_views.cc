// What the image means for this node: its partitions opened, made, led and erased on their shards, and the
// view that every shard then has.
#include <algorithm>

#include <fmt/format.h>

#include "broker/metadata_service.h"
#include "broker/node_folder.h"

namespace tidemark::broker {

using replication::ImageDelta;
using runtime::Task;

namespace {

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

std::vector<FolderState> MetadataService::folder_states() const {
  std::vector<FolderState> states;
  for (size_t f = 0; f < folders_.size(); ++f) {
    const FolderInfo& folder = *folders_[f];
    states.push_back({folder.id(), !folder.offline(), folder.free_bytes(), partitions_in_[f],
                      folder.stalled(clock_.mono())});
  }
  return states;
}

Uuid MetadataService::directory_of(const replication::PartitionImage& partition) const {
  const auto replica = std::ranges::find(partition.replicas, config_.node_id);
  return replica == partition.replicas.end()
             ? Uuid{}
             : partition.directories[static_cast<size_t>(replica - partition.replicas.begin())];
}

std::optional<size_t> MetadataService::place_new(const replication::PartitionImage& partition) const {
  const LogPlace place = place_of(directory_of(partition), folder_states(), {});
  if (place.kind == LogPlace::Kind::absent) return std::nullopt;
  return place.folder;
}

// A leader epoch that the partition has not come to was never written: it lies outside a batch's checksum.
void MetadataService::check_epoch(storage::RecoveredLog& log, const replication::PartitionImage& partition) {
  const auto latest = log.epochs.latest();
  if (log.damage || !latest || latest->epoch <= partition.leader_epoch) return;
  log.damage = Error::corruption(fmt::format(
      "{}: a batch at offset {} or after it has leader epoch {}, and the partition has come to {}: it is "
      "damaged, or the metadata log is an older copy",
      log.folder_name, latest->start_offset, latest->epoch, partition.leader_epoch));
  events_.error(
      "partition is damaged and stays offline",
      {{"partition", log.folder_name}, {"reason", log.damage->message()}, {"advice", kDamageAdvice}});
}

std::optional<size_t> MetadataService::place(ShardChange::Open& open,
                                             const replication::PartitionImage& partition,
                                             std::vector<FoundLog> found, ShardChange& strays) {
  std::vector<LogCopy> copies;
  for (const FoundLog& copy : found)
    copies.push_back({copy.folder, copy.log.end == Offset(0) && !copy.log.damage});
  const LogPlace place = place_of(directory_of(partition), folder_states(), copies);
  for (size_t i = 0; i < found.size(); ++i) {
    if (std::ranges::find(place.discard, i) != place.discard.end()) {
      strays.strays.push_back({found[i].folder, std::move(found[i].log)});
    } else if (found.size() > 1 && (place.kind != LogPlace::Kind::found || i != place.copy)) {
      events_.error(
          "a second copy of a partition is left alone",
          {{"folder", fmt::format("{}/{}", folders_[found[i].folder]->path(), found[i].log.folder_name)},
           {"advice", "look which one is right, and move the other away"}});
    }
  }
  if (place.kind == LogPlace::Kind::absent || place.kind == LogPlace::Kind::ambiguous) return std::nullopt;
  if (place.kind == LogPlace::Kind::found) {
    FoundLog& chosen = found[place.copy];
    if (chosen.moved) {
      events_.error("a partition stays offline: it was moved by hand",
                    {{"partition", chosen.log.folder_name},
                     {"reason", chosen.log.damage->message()},
                     {"advice", "stop the node, move the folder back where it was, and start again"}});
      return std::nullopt;
    }
    check_epoch(chosen.log, partition);
    open.recovered = std::move(chosen.log);
  }
  return place.folder;
}

Task<void> MetadataService::tell_directories(ClusterView& view, const Changes& opened,
                                             const std::vector<UnopenedPartition>& failed) {
  std::vector<replication::DirectoryAssignment> told = std::exchange(untold_, {});
  std::erase_if(told, [&](const auto& one) { return view.topics.find(one.partition.topic_id) == nullptr; });
  for (const auto& change : opened) {
    for (const auto& open : change->opens) {
      if (std::ranges::find(failed, open.id, &UnopenedPartition::id) == failed.end())
        told.push_back({open.id, folders_[open.folder]->id()});
    }
  }
  auto decision = controller_.assign_directories(config_.node_id, told);
  if (decision.records.empty()) co_return;
  auto committing = commit_records(std::move(decision.records));
  const auto delta = co_await committing;
  if (!delta) {
    // It may be offline, and the node end: the next start finds the logs. A full disk has room again.
    if (delta.error().kind() == ErrorKind::no_space) {
      untold_ = std::move(told);
      begin_reopening();
    }
    co_return;
  }
  view.image = controller_.image();
  for (const auto& change : delta->topics) {
    const auto* known = view.topics.find(change.after->id);
    if (known == nullptr) continue;
    auto topic = std::make_shared<TopicView>(**known);
    topic->image = change.after;
    view.topics.set(change.after->id, std::move(topic));
  }
}

Task<std::vector<UnopenedPartition>> MetadataService::run_changes(const Changes& changes) {
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
    --partitions_in_[partition.folder];
    shard = kNoShard;
    view.topics.set(id.topic_id, std::move(topic));
    unopened_.insert(id);
    if (reported_.insert(id).second && on_unopened) on_unopened(partition);
  }
  if (!unopened_.empty()) begin_reopening();
}

void MetadataService::begin_reopening() {
  if (!std::exchange(reopening_, true)) shards_[0]->tasks().spawn(reopen_loop());
}

Task<void> MetadataService::reopen_loop() {
  while (!unopened_.empty() || !untold_.empty()) {
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
    const auto folder = place_new(*partition);
    if (!folder) {
      absent_.insert(id);
      continue;
    }
    const uint16_t shard = least_loaded();
    topic->shards[static_cast<size_t>(id.partition.value)] = shard;
    topic->folders[static_cast<size_t>(id.partition.value)] = static_cast<uint16_t>(*folder);
    ++partitions_in_[*folder];
    changes[shard]->opens.push_back(
        {id, topic->image->name, *folder, std::nullopt, topic->config, partition->leader_epoch});
    view->topics.set(id.topic_id, std::move(topic));
  }
  auto running = run_changes(changes);
  const auto failed = co_await running;
  auto telling = tell_directories(*view, changes, failed);
  co_await telling;
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
  // The same table for the same quotas: connections resolve theirs anew for another one.
  if (!(view->image->quotas == view_->image->quotas))
    view->quotas = std::make_shared<const QuotaTable>(view->image->quotas);
  view->broker = config::resolve_broker_config(
      replication::broker_layers(*view->image, config_.node_id, config_.properties));
  return view;
}

Task<Result<void>> MetadataService::open_partitions(Recovered recovered) {
  auto changes = no_changes(shards_.size());
  auto view = next_view();
  std::map<Uuid, size_t> away;  // partitions of folders that are not there
  for (const auto& [name, topic] : view->image->topics) {
    auto topic_view = std::make_shared<TopicView>(TopicView{topic, topic_config(name), {}, {}});
    for (int32_t p = 0; p < topic->partition_count(); ++p) {
      const TopicIdPartition id{topic->id, PartitionId(p)};
      const auto& partition = *topic->partitions[static_cast<size_t>(p)];
      if (std::find(partition.replicas.begin(), partition.replicas.end(), config_.node_id) ==
          partition.replicas.end()) {
        topic_view->shards.push_back(kNoShard);
        topic_view->folders.push_back(0);
        continue;
      }
      ShardChange::Open open{id, name, 0, std::nullopt, topic_view->config, partition.leader_epoch};
      std::vector<FoundLog> found;
      if (const auto copies = recovered.find(id); copies != recovered.end()) {
        found = std::move(copies->second);
        recovered.erase(copies);
      }
      const auto folder = place(open, partition, std::move(found), *changes[0]);
      if (!folder) {
        ++away[directory_of(partition)];
        absent_.insert(id);
        topic_view->shards.push_back(kNoShard);
        topic_view->folders.push_back(0);
        continue;
      }
      const uint16_t shard = least_loaded();
      topic_view->shards.push_back(shard);
      topic_view->folders.push_back(static_cast<uint16_t>(*folder));
      open.folder = *folder;
      ++partitions_in_[*folder];
      changes[shard]->opens.push_back(std::move(open));
    }
    view->topics.set(topic->id, std::move(topic_view));
  }
  for (auto& [id, strays] : recovered) {
    for (FoundLog& stray : strays) {
      if (stray.moved) {
        events_.warn(
            "a folder is left alone: it is of no topic, and was made in another data folder",
            {{"folder", fmt::format("{}/{}", folders_[stray.folder]->path(), stray.log.folder_name)}});
        continue;
      }
      // Here a topic was deleted, and the node ended before its files were. Or the metadata log is not of
      // this folder's history: what has records is nobody's to erase, as with Kafka.
      const bool put_aside =
          folders_.size() > 1 && (stray.log.damage || stray.log.end > stray.log.state.log_start);
      std::string name = fmt::format("{}/{}", folders_[stray.folder]->path(), stray.log.folder_name);
      changes[0]->strays.push_back(
          {stray.folder, std::move(stray.log), put_aside, std::move(name), std::nullopt});
    }
  }
  for (const auto& [directory, count] : away) {
    events_.error("partitions stay offline: their data folder is not there, or does not hold them alone",
                  {{"folder_id", directory},
                   {"partitions", count},
                   {"advice", "bring the folder back, or delete their topics"}});
  }
  auto running = run_changes(changes);
  const auto failed = co_await running;
  for (const ShardChange::Stray& stray : changes[0]->strays) {
    if (!stray.put_aside) continue;
    if (stray.failure) {
      events_.error("a log of no topic stays where it is: the next start tries again to put it aside",
                    {{"folder", stray.name},
                     {"reason", stray.failure->message()},
                     {"advice", "look at the disk and at the folder's permissions"}});
    } else {
      events_.warn(
          "a log of no topic is put aside, as a folder that ends in -stray: remove it if nobody misses it",
          {{"folder", stray.name}});
    }
  }
  auto telling = tell_directories(*view, changes, failed);
  co_await telling;
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
        const TopicIdPartition partition{change.before->id, PartitionId(static_cast<int32_t>(p))};
        absent_.erase(partition);
        const uint16_t shard = (*known)->shards[p];
        if (shard == kNoShard) continue;
        erases[shard]->erases.push_back(partition);
        --partitions_on_[shard];
        --partitions_in_[(*known)->folders[p]];
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
      const auto folder = ours ? place_new(partition) : std::nullopt;
      const uint16_t shard = folder ? least_loaded() : kNoShard;
      topic->shards.push_back(shard);
      topic->folders.push_back(static_cast<uint16_t>(folder.value_or(0)));
      if (ours && !folder) absent_.insert({id, PartitionId(p)});
      if (folder) {
        ++partitions_in_[*folder];
        opens[shard]->opens.push_back({{id, PartitionId(p)},
                                       topic->image->name,
                                       *folder,
                                       std::nullopt,
                                       topic->config,
                                       partition.leader_epoch});
      }
    }
    view->topics.set(id, topic);
  }
  // What goes first: a topic of the same name may come with it, and needs the folders. What comes is made
  // before anyone hears of it.
  auto erasing = run_changes(erases);
  (void)co_await erasing;
  auto opening = run_changes(opens);
  const auto failed = co_await opening;
  auto telling = tell_directories(*view, opens, failed);
  co_await telling;
  set_unopened(*view, failed);
  auto publishing = publish_view(std::move(view));
  co_await publishing;
}

}  // namespace tidemark::broker
