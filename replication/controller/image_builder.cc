#include "replication/controller/image_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "protocol/broker_ids.h"
#include "replication/controller/features.h"

namespace tidemark::replication {

namespace {

// Kafka's marks in a PartitionChangeRecord and a BrokerRegistrationChangeRecord.
constexpr int32_t kLeaderUnchanged = -2;
constexpr int8_t kRecoveryUnchanged = -1;
constexpr int8_t kFence = 1;
constexpr int8_t kUnfence = -1;
constexpr int8_t kEnterControlledShutdown = 1;

std::vector<BrokerId> broker_ids_if_any(const std::optional<std::vector<int32_t>>& ids) {
  return ids ? broker_ids(*ids) : std::vector<BrokerId>();
}
void set_if_given(std::vector<BrokerId>& target, const std::optional<std::vector<int32_t>>& ids) {
  if (ids) target = broker_ids(*ids);
}

Unexpected contradiction(std::string what) {
  return fail(Error::corruption("the metadata log contradicts itself: " + std::move(what)));
}

// The directories that a record of a version without them, or with none, means.
void default_directories(PartitionImage& partition) {
  if (partition.directories.empty())
    partition.directories.assign(partition.replicas.size(), kUnassignedDirectory);
}

Result<void> check_partition(const PartitionImage& partition, const TopicImage& topic, int32_t id) {
  const auto contradicts = [&](std::string_view what) {
    return contradiction(fmt::format("partition {}-{} {}", topic.name, id, what));
  };
  const auto is_replica = [&](BrokerId broker) {
    return std::find(partition.replicas.begin(), partition.replicas.end(), broker) !=
           partition.replicas.end();
  };
  if (partition.replicas.empty()) return contradicts("has no replica");
  if (partition.directories.size() != partition.replicas.size())
    return contradicts("has not one directory a replica");
  if (!std::all_of(partition.isr.begin(), partition.isr.end(), is_replica))
    return contradicts("has a stranger in its ISR");
  if (partition.leader != kNoBroker && !is_replica(partition.leader))
    return contradicts("is led by a stranger");
  return {};
}

// False: a tag of ours cannot be read.
bool read_tags(const protocol::RegisterBrokerRecord& record, BrokerImage& broker) {
  for (const protocol::UnknownTag& tag : record.unknown_tags.all()) {
    protocol::Decoder in(tag.value);
    if (tag.tag == kCleanStartTag) {
      broker.clean_start = tag.value.size() == 1 && tag.value[0] == std::byte{1};
    } else if (tag.tag == kFoldersTag) {
      broker.term = LeaderEpoch(in.read_int32());
      while (!in.failed() && in.remaining() > 0) {
        LeftOutDirectory& directory = broker.left_out.emplace_back();
        directory.id = in.read_uuid();
        directory.served = LeaderEpoch(in.read_int32());
        directory.left_out = LeaderEpoch(in.read_int32());
      }
    }
    if (in.failed()) return false;
  }
  return true;
}

}  // namespace

ImageBuilder::ImageBuilder(std::shared_ptr<const MetadataImage> base)
    : base_(std::move(base)), next_(std::make_shared<MetadataImage>(*base_)) {}

Result<void> ImageBuilder::apply(std::span<const std::byte> value) {
  TRY_ASSIGN(const MetadataRecord record, decode_record(value));
  return std::visit([this](const auto& r) { return on(r); }, record);
}

void ImageBuilder::apply_leader_change(const protocol::LeaderChangeMessage& change, LeaderEpoch term) {
  next_->controller_id = BrokerId(change.leader_id);
  next_->controller_epoch = term;
  next_->voters.clear();
  for (const auto& voter : change.voters)
    next_->voters.push_back({BrokerId(voter.voter_id), voter.voter_directory_id});
}

Result<void> ImageBuilder::begin_batch(Offset base, LeaderEpoch term, int32_t records) {
  REQUIRES(records > 0);
  if (base != next_->last_applied + 1)
    return contradiction(fmt::format("a batch at offset {} behind offset {}", base, next_->last_applied));
  if (term < next_->last_applied_epoch)
    return contradiction(fmt::format("a batch of term {} behind term {}", term, next_->last_applied_epoch));
  next_->last_applied = base + (records - 1);
  next_->last_applied_epoch = term;
  return {};
}

Result<ImageDelta> ImageBuilder::finish() && {
  for (const auto& [id, topic] : changing_topics_) {
    if (topic->partitions.empty())
      return contradiction(fmt::format("topic {} has no partition", topic->name));
  }

  return ImageDelta::of(std::move(base_), std::move(next_), touched_);
}

TopicImage* ImageBuilder::change_topic(const Uuid& id) {
  if (const auto found = changing_topics_.find(id); found != changing_topics_.end())
    return found->second.get();
  const TopicImage* current = next_->topic(id);
  if (current == nullptr) return nullptr;
  const auto copy = std::make_shared<TopicImage>(*current);
  next_->topics.set(copy->name, copy);
  next_->topics_by_id.set(id, copy);
  changing_topics_[id] = copy;
  touched_.topics.insert(id);
  return copy.get();
}

Result<void> ImageBuilder::on(const protocol::TopicRecord& record) {
  if (next_->topic(record.name) != nullptr)
    return contradiction(fmt::format("topic {} is created twice", record.name));
  if (record.topic_id.is_zero() || next_->topic(record.topic_id) != nullptr)
    return contradiction(fmt::format("topic {} gets the id {}", record.name, record.topic_id));
  const auto topic = std::make_shared<TopicImage>();
  topic->name = record.name;
  topic->id = record.topic_id;
  next_->topics.set(topic->name, topic);
  next_->topics_by_id.set(topic->id, topic);
  if (has_collision_chars(topic->name)) {
    const std::string unified = unify_collision_chars(topic->name);
    const auto* names = next_->collisions.find(unified);
    std::vector<std::string> all = names != nullptr ? *names : std::vector<std::string>();
    all.insert(std::upper_bound(all.begin(), all.end(), topic->name), topic->name);
    next_->collisions.set(unified, std::move(all));
  }
  changing_topics_[topic->id] = topic;
  touched_.topics.insert(topic->id);
  return {};
}

Result<void> ImageBuilder::on(const protocol::PartitionRecord& record) {
  TopicImage* topic = change_topic(record.topic_id);
  if (topic == nullptr)
    return contradiction(fmt::format("a partition of the unknown topic {}", record.topic_id));
  if (record.partition_id < 0 || record.partition_id > topic->partition_count())
    return contradiction(fmt::format("partition {}-{} leaves a gap", topic->name, record.partition_id));
  PartitionImage partition;
  partition.replicas = broker_ids(record.replicas);
  partition.directories = record.directories;
  partition.isr = broker_ids(record.isr);
  partition.removing_replicas = broker_ids(record.removing_replicas);
  partition.adding_replicas = broker_ids(record.adding_replicas);
  partition.elr = broker_ids_if_any(record.eligible_leader_replicas);
  partition.last_known_elr = broker_ids_if_any(record.last_known_elr);
  partition.leader = BrokerId(record.leader);
  partition.leader_epoch = LeaderEpoch(record.leader_epoch);
  partition.partition_epoch = record.partition_epoch;
  partition.recovering = record.leader_recovery_state == 1;
  default_directories(partition);
  TRY(check_partition(partition, *topic, record.partition_id));
  auto shared = std::make_shared<const PartitionImage>(std::move(partition));
  if (record.partition_id == topic->partition_count()) {
    topic->partitions.push_back(std::move(shared));
    ++next_->partition_count;
  } else {
    topic->partitions[static_cast<size_t>(record.partition_id)] = std::move(shared);
  }
  return {};
}

Result<void> ImageBuilder::on(const protocol::PartitionChangeRecord& record) {
  TopicImage* topic = change_topic(record.topic_id);
  const PartitionImage* current =
      topic != nullptr ? topic->partition(PartitionId(record.partition_id)) : nullptr;
  if (current == nullptr) {
    return contradiction(fmt::format("a change of the unknown partition {} of topic {}", record.partition_id,
                                     record.topic_id));
  }
  PartitionImage partition = *current;
  set_if_given(partition.isr, record.isr);
  set_if_given(partition.replicas, record.replicas);
  set_if_given(partition.removing_replicas, record.removing_replicas);
  set_if_given(partition.adding_replicas, record.adding_replicas);
  set_if_given(partition.elr, record.eligible_leader_replicas);
  set_if_given(partition.last_known_elr, record.last_known_elr);
  if (record.directories) partition.directories = *record.directories;
  // Naming the leader, even the same one, starts a new leader epoch.
  if (record.leader != kLeaderUnchanged) {
    partition.leader = BrokerId(record.leader);
    ++partition.leader_epoch.value;
  }
  if (record.leader_recovery_state != kRecoveryUnchanged)
    partition.recovering = record.leader_recovery_state == 1;
  ++partition.partition_epoch;
  default_directories(partition);
  TRY(check_partition(partition, *topic, record.partition_id));
  topic->partitions[static_cast<size_t>(record.partition_id)] =
      std::make_shared<const PartitionImage>(std::move(partition));
  return {};
}

Result<void> ImageBuilder::on(const protocol::RemoveTopicRecord& record) {
  const auto* found = next_->topics_by_id.find(record.topic_id);
  if (found == nullptr) return contradiction(fmt::format("the unknown topic {} is deleted", record.topic_id));
  const std::shared_ptr<const TopicImage> topic = *found;
  next_->topics.erase(topic->name);
  next_->topics_by_id.erase(topic->id);
  next_->partition_count -= topic->partition_count();
  if (has_collision_chars(topic->name)) {
    const std::string unified = unify_collision_chars(topic->name);
    std::vector<std::string> left = *next_->collisions.find(unified);
    std::erase(left, topic->name);
    if (left.empty()) {
      next_->collisions.erase(unified);
    } else {
      next_->collisions.set(unified, std::move(left));
    }
  }
  forget_config({ConfigResourceType::topic, topic->name});
  changing_topics_.erase(topic->id);
  touched_.topics.insert(topic->id);
  return {};
}

void ImageBuilder::forget_config(const ConfigResource& resource) {
  if (!next_->configs.erase(resource)) return;
  changing_configs_.erase(resource);
  touched_.configs.insert(resource);
}

Result<void> ImageBuilder::on(const protocol::ConfigRecord& record) {
  const ConfigResource resource{static_cast<ConfigResourceType>(record.resource_type),
                                std::string(record.resource_name)};
  std::shared_ptr<ConfigMap>& configs = changing_configs_[resource];
  if (!configs) {
    const auto* current = next_->configs.find(resource);
    configs = current != nullptr ? std::make_shared<ConfigMap>(**current) : std::make_shared<ConfigMap>();
    next_->configs.set(resource, configs);
    touched_.configs.insert(resource);
  }
  if (record.value) {
    configs->insert_or_assign(std::string(record.name), std::string(*record.value));
  } else if (const auto found = configs->find(record.name); found != configs->end()) {
    configs->erase(found);
  }
  if (configs->empty()) forget_config(resource);
  return {};
}

Result<void> ImageBuilder::on(const protocol::ClientQuotaRecord& record) {
  QuotaEntity entity;
  for (const auto& part : record.entity) {
    auto& name = entity[std::string(part.entity_type)];
    if (part.entity_name) name = std::string(*part.entity_name);
  }
  if (entity.empty()) return contradiction("a quota of nobody");
  std::shared_ptr<QuotaMap>& quotas = changing_quotas_[entity];
  if (!quotas) {
    quotas = std::make_shared<QuotaMap>(next_->quotas_of(entity));
    next_->quotas.set(entity, quotas);
    touched_.quotas.insert(entity);
  }
  if (!record.remove) {
    quotas->insert_or_assign(std::string(record.key), record.value);
  } else if (const auto found = quotas->find(record.key); found != quotas->end()) {
    quotas->erase(found);
  }
  if (quotas->empty()) {
    next_->quotas.erase(entity);
    changing_quotas_.erase(entity);
  }
  return {};
}

Result<void> ImageBuilder::on(const protocol::RegisterBrokerRecord& record) {
  BrokerImage broker;
  broker.id = BrokerId(record.broker_id);
  broker.incarnation_id = record.incarnation_id;
  broker.epoch = BrokerEpoch(record.broker_epoch);
  for (const auto& endpoint : record.end_points) {
    broker.endpoints.push_back(
        {std::string(endpoint.name), std::string(endpoint.host), endpoint.port, endpoint.security_protocol});
  }
  for (const auto& feature : record.features) {
    broker.features.insert_or_assign(std::string(feature.name), FeatureRange{feature.min_supported_version,
                                                                             feature.max_supported_version});
  }
  if (record.rack) broker.rack = std::string(*record.rack);
  broker.fenced = record.fenced;
  broker.in_controlled_shutdown = record.in_controlled_shutdown;
  broker.log_dirs = record.log_dirs;
  broker.cordoned_log_dirs = record.cordoned_log_dirs;
  if (!read_tags(record, broker))
    return contradiction(fmt::format("broker {} registers with folders that cannot be read", broker.id));
  const BrokerImage* old_life = next_->broker(broker.id);
  if (old_life != nullptr && old_life->epoch > broker.epoch)
    return contradiction(fmt::format("broker {} registers with an older epoch", broker.id));
  set_broker(std::move(broker));
  return {};
}

void ImageBuilder::set_broker(BrokerImage broker) {
  touched_.brokers.insert(broker.id);
  const BrokerId id = broker.id;
  next_->brokers.set(id, std::make_shared<const BrokerImage>(std::move(broker)));
}

Result<BrokerImage> ImageBuilder::registered_broker(int32_t id, int64_t epoch,
                                                    std::string_view record) const {
  const BrokerImage* broker = next_->broker(BrokerId(id));
  if (broker == nullptr || broker->epoch != BrokerEpoch(epoch))
    return contradiction(
        fmt::format("a {} of broker {} in epoch {}, which is not registered", record, id, epoch));
  return *broker;
}

Result<void> ImageBuilder::on(const protocol::BrokerRegistrationChangeRecord& record) {
  TRY_ASSIGN(BrokerImage broker, registered_broker(record.broker_id, record.broker_epoch, record.kName));
  if (record.fenced == kFence) broker.fenced = true;
  if (record.fenced == kUnfence) broker.fenced = false;
  if (record.in_controlled_shutdown == kEnterControlledShutdown) broker.in_controlled_shutdown = true;
  if (!record.log_dirs.empty()) broker.log_dirs = record.log_dirs;
  if (record.cordoned_log_dirs) broker.cordoned_log_dirs = record.cordoned_log_dirs;
  set_broker(std::move(broker));
  return {};
}

Result<void> ImageBuilder::on(const protocol::FenceBrokerRecord& record) {
  TRY_ASSIGN(BrokerImage broker, registered_broker(record.id, record.epoch, record.kName));
  broker.fenced = true;
  set_broker(std::move(broker));
  return {};
}

Result<void> ImageBuilder::on(const protocol::UnfenceBrokerRecord& record) {
  TRY_ASSIGN(BrokerImage broker, registered_broker(record.id, record.epoch, record.kName));
  broker.fenced = false;
  set_broker(std::move(broker));
  return {};
}

Result<void> ImageBuilder::on(const protocol::UnregisterBrokerRecord& record) {
  TRY_ASSIGN(const BrokerImage broker,
             registered_broker(record.broker_id, record.broker_epoch, record.kName));
  next_->brokers.erase(broker.id);
  touched_.brokers.insert(broker.id);
  return {};
}

Result<void> ImageBuilder::on(const protocol::ProducerIdsRecord& record) {
  if (record.next_producer_id <= next_->next_producer_id)
    return contradiction(fmt::format("producer ids go back to {}", record.next_producer_id));
  next_->next_producer_id = record.next_producer_id;
  return {};
}

Result<void> ImageBuilder::on(const protocol::FeatureLevelRecord& record) {
  TRY(check_feature_level(record.name, record.feature_level));
  if (record.feature_level == 0) {
    if (const auto found = next_->features.find(record.name); found != next_->features.end())
      next_->features.erase(found);
  } else {
    next_->features.insert_or_assign(std::string(record.name), record.feature_level);
  }
  return {};
}

}  // namespace tidemark::replication
