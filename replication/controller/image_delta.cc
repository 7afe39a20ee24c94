#include "replication/controller/image_delta.h"

#include <algorithm>
#include <utility>

#include "protocol/invariant.h"

namespace tidemark::replication {

namespace {

template <class Map, class Key>
auto shared_value(const Map& map, const Key& key) {
  const auto* found = map.find(key);
  return found != nullptr ? *found : nullptr;
}

// Two shared values, each perhaps missing, that hold the same.
template <class T>
bool same(const std::shared_ptr<const T>& a, const std::shared_ptr<const T>& b) {
  return a == b || (a && b && *a == *b);
}

}  // namespace

void ImageDelta::for_each_partition(const std::function<void(const PartitionChange&)>& visit) const {
  for (const TopicChange& change : topics) {
    const TopicImage& topic = change.after ? *change.after : *change.before;
    const int32_t count = std::max(change.before ? change.before->partition_count() : 0,
                                   change.after ? change.after->partition_count() : 0);
    for (PartitionId id(0); id.value < count; ++id.value) {
      const PartitionImage* old_one = change.before ? change.before->partition(id) : nullptr;
      const PartitionImage* new_one = change.after ? change.after->partition(id) : nullptr;
      if (old_one == new_one || (old_one != nullptr && new_one != nullptr && *old_one == *new_one)) continue;
      visit(PartitionChange{topic, id, old_one, new_one});
    }
  }
}

ImageDelta ImageDelta::of(std::shared_ptr<const MetadataImage> before,
                          std::shared_ptr<const MetadataImage> after, const Touched& touched) {
  REQUIRES(before != nullptr && after != nullptr);
  ImageDelta delta;
  for (const Uuid& id : touched.topics) {
    TopicChange change{shared_value(before->topics_by_id, id), shared_value(after->topics_by_id, id)};
    if (!same(change.before, change.after)) delta.topics.push_back(std::move(change));
  }
  std::stable_partition(delta.topics.begin(), delta.topics.end(),
                        [](const TopicChange& c) { return !c.after; });
  for (const ConfigResource& resource : touched.configs) {
    if (!same(shared_value(before->configs, resource), shared_value(after->configs, resource)))
      delta.configs.push_back(resource);
  }
  for (const QuotaEntity& entity : touched.quotas) {
    if (!same(shared_value(before->quotas, entity), shared_value(after->quotas, entity)))
      delta.quotas.push_back(entity);
  }
  for (const BrokerId id : touched.brokers) {
    if (!same(shared_value(before->brokers, id), shared_value(after->brokers, id)))
      delta.brokers.push_back(id);
  }
  delta.features_changed = before->features != after->features;
  delta.controller_changed =
      before->controller_id != after->controller_id || before->controller_epoch != after->controller_epoch;
  delta.before = std::move(before);
  delta.after = std::move(after);
  return delta;
}

ImageDelta ImageDelta::between(std::shared_ptr<const MetadataImage> before,
                               std::shared_ptr<const MetadataImage> after) {
  Touched all;
  for (const MetadataImage* image : {before.get(), after.get()}) {
    for (const auto& [id, topic] : image->topics_by_id) all.topics.insert(id);
    for (const auto& [resource, configs] : image->configs) all.configs.insert(resource);
    for (const auto& [entity, quotas] : image->quotas) all.quotas.insert(entity);
    for (const auto& [id, broker] : image->brokers) all.brokers.insert(id);
  }
  return of(std::move(before), std::move(after), all);
}

}  // namespace tidemark::replication
