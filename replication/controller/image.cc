#include "replication/controller/image.h"

#include <algorithm>

namespace tidemark::replication {

bool is_reserved_directory(const Uuid& id) {
  return id == kMigratingDirectory || id == kUnassignedDirectory || id == kLostDirectory;
}

const PartitionImage* TopicImage::partition(PartitionId partition_id) const {
  if (partition_id.value < 0 || partition_id.value >= partition_count()) return nullptr;
  return partitions[static_cast<size_t>(partition_id.value)].get();
}

bool TopicImage::operator==(const TopicImage& other) const {
  return name == other.name && id == other.id &&
         std::equal(partitions.begin(), partitions.end(), other.partitions.begin(), other.partitions.end(),
                    [](const auto& a, const auto& b) { return a == b || *a == *b; });
}

const TopicImage* MetadataImage::topic(std::string_view name) const {
  const auto* found = topics.find(name);
  return found != nullptr ? found->get() : nullptr;
}

const TopicImage* MetadataImage::topic(const Uuid& id) const {
  const auto* found = topics_by_id.find(id);
  return found != nullptr ? found->get() : nullptr;
}

const BrokerImage* MetadataImage::broker(BrokerId id) const {
  const auto* found = brokers.find(id);
  return found != nullptr ? found->get() : nullptr;
}

const ConfigMap& MetadataImage::config(ConfigResourceType type, std::string_view name) const {
  static const ConfigMap kNothingSet;
  const auto* found = configs.find(ConfigResource{type, std::string(name)});
  return found != nullptr ? **found : kNothingSet;
}

const QuotaMap& MetadataImage::quotas_of(const QuotaEntity& entity) const {
  static const QuotaMap kNone;
  const auto* found = quotas.find(entity);
  return found != nullptr ? **found : kNone;
}

namespace {

// Maps whose values are shared: equal if what they point to is.
template <class Map>
bool same_content(const Map& a, const Map& b) {
  if (a.size() != b.size()) return false;
  for (auto i = a.begin(), j = b.begin(); i != a.end(); ++i, ++j) {
    if (i->first != j->first || (i->second != j->second && !(*i->second == *j->second))) return false;
  }
  return true;
}

}  // namespace

bool MetadataImage::operator==(const MetadataImage& other) const {
  return cluster_id == other.cluster_id && last_applied == other.last_applied &&
         last_applied_epoch == other.last_applied_epoch && controller_id == other.controller_id &&
         controller_epoch == other.controller_epoch && voters == other.voters &&
         same_content(brokers, other.brokers) && same_content(topics, other.topics) &&
         same_content(topics_by_id, other.topics_by_id) && collisions == other.collisions &&
         same_content(configs, other.configs) && same_content(quotas, other.quotas) &&
         features == other.features && next_producer_id == other.next_producer_id &&
         partition_count == other.partition_count;
}

std::string unify_collision_chars(std::string_view topic) {
  std::string unified(topic);
  std::replace(unified.begin(), unified.end(), '.', '_');
  return unified;
}

bool has_collision_chars(std::string_view topic) { return topic.find_first_of("._") != topic.npos; }

}  // namespace tidemark::replication
