#include "tests/simulation/cluster_model.h"

#include <fmt/format.h>

#include <algorithm>

namespace tidemark::simulation {

using Pending = NameModel::Pending;

void TopicModel::set_partitions(int32_t count) {
  while (partition_count() < count) {
    partitions.emplace_back(fmt::format("{}-{} ({})", name, partition_count(), id), id);
    if (compacts) partitions.back().may_be_compacted();
  }
}

void TopicModel::may_be_compacted() {
  compacts = true;
  for (PartitionModel& partition : partitions) partition.may_be_compacted();
}

ClusterModel::ClusterModel(size_t names) {
  for (size_t i = 0; i < names; ++i) {
    names_.push_back(fmt::format("topic{}", i));
    by_name_[names_.back()];
  }
}

TopicPtr ClusterModel::topic(const Uuid& id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : it->second;
}

NameModel& ClusterModel::change(const std::string& name) {
  ++changes_;
  NameModel& model = by_name_.at(name);
  ++model.version;
  return model;
}

void ClusterModel::settle(NameModel& name) {
  name.busy = false;
  name.pending = Pending::none;
  name.pending_settings.clear();
}

void ClusterModel::begin(const std::string& name) { change(name).busy = true; }

void ClusterModel::refused(const std::string& name) { settle(change(name)); }

void ClusterModel::unanswered(const std::string& name, Pending pending, uint64_t life) {
  NameModel& model = change(name);
  model.pending = pending;
  model.pending_life = life;
}

Verdict ClusterModel::created(const std::string& name, Uuid id, int32_t partitions,
                              std::map<std::string, std::string> settings) {
  NameModel& model = change(name);
  if (by_id_.contains(id)) return fmt::format("{}: topic id {} is given a second time", name, id);
  model.topic = std::make_shared<TopicModel>(name, id);
  model.topic->set_partitions(partitions);
  model.topic->settings = std::move(settings);
  const auto policy = model.topic->settings.find("cleanup.policy");
  if (policy != model.topic->settings.end() && policy->second.starts_with("compact"))
    model.topic->may_be_compacted();
  topics_.push_back(model.topic);
  by_id_.emplace(id, model.topic);
  tell_lost(*model.topic);
  allow_late_trims(model);
  settle(model);
  return std::nullopt;
}

void ClusterModel::lost(const Uuid& id, PartitionId partition, uint64_t life) {
  const TopicPtr known = topic(id);
  if (known && partition.value < known->partition_count()) {
    known->partition(partition).lose(life, true);
  } else {
    lost_unknown_[id][partition] = life;
  }
}

void ClusterModel::others_may_be_lost(const std::set<std::pair<Uuid, PartitionId>>& left, uint64_t life) {
  for (const auto& [name, model] : by_name_) {
    if (model.busy) changing_at_loss_[name] = life;
    if (!model.topic) continue;
    for (PartitionId p(0); p.value < model.topic->partition_count(); ++p.value)
      if (!left.contains({model.topic->id, p})) model.topic->partition(p).lose_perhaps(life);
  }
}

void ClusterModel::tell_lost(TopicModel& topic) {
  if (const auto changing = changing_at_loss_.find(topic.name); changing != changing_at_loss_.end()) {
    for (PartitionId p(0); p.value < topic.partition_count(); ++p.value)
      topic.partition(p).lose_perhaps(changing->second);
    changing_at_loss_.erase(changing);
  }
  auto& lost = lost_unknown_[topic.id];
  std::erase_if(lost, [&](const auto& entry) {
    const auto& [partition, life] = entry;
    if (partition.value >= topic.partition_count()) return false;
    topic.partition(partition).lose(life, false);
    return true;
  });
}

void ClusterModel::trim_unanswered(const std::string& name, PartitionId partition, Offset to) {
  Offset& furthest = by_name_.at(name).late_trims[partition];
  furthest = std::max(furthest, to);
}

void ClusterModel::allow_late_trims(NameModel& name) {
  for (const auto& [partition, to] : name.late_trims)
    if (partition.value < name.topic->partition_count()) name.topic->partition(partition).begin_trim(to);
}

void ClusterModel::erased(const std::string& name) {
  NameModel& model = change(name);
  model.topic->gone = true;
  model.topic->gone_at = changes_;
  model.topic = nullptr;
  settle(model);
}

void ClusterModel::grown(const std::string& name, int32_t partitions) {
  NameModel& model = change(name);
  model.topic->set_partitions(partitions);
  tell_lost(*model.topic);
  allow_late_trims(model);
  settle(model);
}

void ClusterModel::altered(const std::string& name, const std::map<std::string, std::string>& settings) {
  NameModel& model = change(name);
  for (const auto& [key, value] : settings) model.topic->settings[key] = value;
  settle(model);
}

Verdict ClusterModel::saw(const std::string& name, const std::optional<Seen>& seen, uint64_t version,
                          uint64_t life) {
  NameModel& model = by_name_.at(name);
  const TopicPtr topic = model.topic;
  if (seen) {
    // However old the answer: what was deleted before the question is gone for good.
    if (const TopicPtr known = this->topic(seen->id); known && known->gone && known != topic) {
      if (model.version == version)
        return fmt::format("{} is there again as {}, which was deleted", name, seen->id);
      return std::nullopt;
    }
  }
  if (model.version != version) return std::nullopt;
  const bool same = topic && seen && seen->id == topic->id;
  if (!model.busy) {
    if (!topic && seen) return fmt::format("{} is there as {}, and nobody made it", name, seen->id);
    if (topic && !seen) return fmt::format("{} ({}) is gone, and nobody deleted it", name, topic->id);
    if (topic && !same) return fmt::format("{} is {}, and was {}", name, seen->id, topic->id);
    if (topic && seen->partitions != topic->partition_count())
      return fmt::format("{} has {} partitions instead of {}", name, seen->partitions,
                         topic->partition_count());
    return std::nullopt;
  }
  const bool certain = life > model.pending_life;  // whoever might still do it is dead
  switch (model.pending) {
    case Pending::none: return std::nullopt;  // under way
    case Pending::create:
      if (seen) return created(name, seen->id, seen->partitions, model.pending_settings);
      if (model.pending_life == kAcknowledged) return fmt::format("{} was created, and is not there", name);
      if (certain) refused(name);
      return std::nullopt;
    case Pending::erase:
      if (!seen) {
        erased(name);
      } else if (!same) {
        return fmt::format("{} is {}, and was {}", name, seen->id, topic->id);
      } else if (certain) {
        refused(name);
      }
      return std::nullopt;
    case Pending::partitions:
      if (!same) return fmt::format("{} ({}) is gone, and nobody deleted it", name, topic->id);
      if (seen->partitions != topic->partition_count() && seen->partitions != model.pending_partitions)
        return fmt::format("{} has {} partitions", name, seen->partitions);
      if (seen->partitions == model.pending_partitions || certain) grown(name, seen->partitions);
      return std::nullopt;
    case Pending::alter:
      if (!same) return fmt::format("{} ({}) is gone, and nobody deleted it", name, topic->id);
      return std::nullopt;
  }
  return std::nullopt;
}

Verdict ClusterModel::saw_setting(const std::string& name, const std::string& key,
                                  const std::optional<std::string>& value, uint64_t version, uint64_t life) {
  NameModel& model = by_name_.at(name);
  if (model.version != version || !model.topic) return std::nullopt;
  auto& settings = model.topic->settings;
  const auto known = settings.find(key);
  const bool matches = known == settings.end() ? !value : value == known->second;
  if (matches) return std::nullopt;
  const auto pending = model.pending_settings.find(key);
  if (model.pending == Pending::alter && pending != model.pending_settings.end() &&
      value == pending->second) {
    if (life > model.pending_life) settings[key] = *value;
    return std::nullopt;
  }
  if (model.busy && model.pending != Pending::alter) return std::nullopt;
  return fmt::format("{}: {} is {}, and was set to {}", name, key, value.value_or("not set"),
                     known == settings.end() ? "nothing" : known->second);
}

bool ClusterModel::settings_pending(const std::string& name) const {
  return by_name_.at(name).pending == Pending::alter;
}

void ClusterModel::settings_settled(const std::string& name) { settle(change(name)); }

Verdict ClusterModel::new_producer_id(ProducerId id) {
  if (producer_ids_.insert(id).second) return std::nullopt;
  return fmt::format("producer id {} is given a second time", id);
}

SentBatch* ClusterModel::batch(uint64_t identity) {
  const auto it = batches_.find(identity);
  return it == batches_.end() ? nullptr : &it->second;
}

bool ClusterModel::may_hold_tombstone(const TopicModel& topic, PartitionId partition, int32_t key) const {
  return std::any_of(batches_.begin(), batches_.end(), [&](const auto& entry) {
    const SentBatch& batch = entry.second;
    if (batch.partition != partition || !belongs(batch, topic)) return false;
    const auto placed = batch.places.find(topic.id);
    const auto places = placed == batch.places.end() ? size_t{0} : placed->second.size();
    if (static_cast<size_t>(batch.attempts) <= places) return false;
    for (size_t i = 0; i < batch.keys.size(); ++i)
      if (batch.keys[i] == key && batch.tombstones[i]) return true;
    return false;
  });
}

bool ClusterModel::belongs(const SentBatch& batch, const TopicModel& topic) {
  if (batch.topic_id == topic.id) return true;
  return !batch.by_id && batch.topic == topic.name && (!topic.gone || topic.gone_at > batch.sent_at);
}

}  // namespace tidemark::simulation
