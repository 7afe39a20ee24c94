#include "replication/controller/controller.h"

#include <algorithm>
#include <utility>

#include "protocol/invariant.h"
#include "replication/controller/features.h"
#include "replication/controller/image_builder.h"
#include "replication/controller/metadata_log.h"

namespace tidemark::replication {

namespace {

std::shared_ptr<const MetadataImage> empty_image(std::string cluster_id) {
  auto image = std::make_shared<MetadataImage>();
  image->cluster_id = std::move(cluster_id);
  return image;
}

}  // namespace

Controller::Controller(std::string cluster_id, BrokerId node, config::Properties static_broker,
                       runtime::Random& random)
    : image_(empty_image(std::move(cluster_id))),
      node_(node),
      static_broker_(std::move(static_broker)),
      settings_(config::resolve_broker_config(broker_layers(*image_, node_, static_broker_))),
      random_(random) {}

RecordList Controller::begin_term() const {
  RecordList records;
  for (const SupportedFeature& feature : kSupportedFeatures) {
    if (feature.at_start == 0 || image_->features.contains(feature.name)) continue;
    protocol::FeatureLevelRecord record;
    record.name = feature.name;
    record.feature_level = feature.at_start;
    records.add(record, 0);
  }
  return records;
}

Decision<std::vector<CreatedTopic>> Controller::create_topics(std::span<const NewTopic> topics,
                                                              bool validate_only,
                                                              const PartitionQuota& quota) const {
  return replication::create_topics(*image_, settings_, random_, topics, validate_only, quota);
}

Decision<std::vector<DeletedTopic>> Controller::delete_topics(std::span<const TopicToDelete> topics,
                                                              const PartitionQuota& quota) const {
  if (settings_.delete_topic_enable) return replication::delete_topics(*image_, topics, quota);
  Decision<std::vector<DeletedTopic>> refusal;
  for (const TopicToDelete& topic : topics) {
    refusal.response.push_back(
        {topic.name, topic.id, {ErrorCode::TOPIC_DELETION_DISABLED, "Topic deletion is disabled."}});
  }
  return refusal;
}

Decision<std::vector<GrownTopic>> Controller::create_partitions(std::span<const MorePartitions> topics,
                                                                bool validate_only,
                                                                const PartitionQuota& quota) const {
  return replication::create_partitions(*image_, random_, topics, validate_only, quota);
}

Decision<std::vector<AlteredQuota>> Controller::alter_client_quotas(
    std::span<const QuotaAlteration> alterations, bool validate_only) const {
  return replication::alter_client_quotas(*image_, alterations, validate_only);
}

Decision<std::vector<AlteredResource>> Controller::alter_configs(
    BrokerId receiver, std::span<const ResourceAlteration> resources, bool validate_only) const {
  return replication::alter_configs(*image_, receiver, resources, validate_only);
}

Decision<std::vector<TopicAnswer>> Controller::elect_leaders(
    ElectionType type, const std::vector<TopicPartitions>* topics) const {
  return replication::elect_leaders(*image_, type, topics);
}

Decision<std::vector<TopicAnswer>> Controller::alter_partition_reassignments(
    std::span<const TopicReassignment> topics) const {
  return replication::alter_partition_reassignments(*image_, topics);
}

Decision<ApiError> Controller::unregister_broker(BrokerId broker) const {
  return replication::unregister_broker(*image_, broker);
}

Decision<RegisteredBroker> Controller::register_broker(const BrokerRegistration& request) const {
  return replication::register_broker(*image_, broker_layers(*image_, node_, static_broker_), request);
}

Decision<BrokerState> Controller::unfence_broker(BrokerId broker, BrokerEpoch epoch) const {
  return replication::unfence_broker(*image_, broker, epoch);
}

Decision<BrokerState> Controller::begin_controlled_shutdown(BrokerId broker, BrokerEpoch epoch) const {
  return replication::begin_controlled_shutdown(*image_, broker, epoch);
}

Decision<BrokerState> Controller::fence_broker(BrokerId broker, BrokerEpoch epoch) const {
  return replication::fence_broker(*image_, broker, epoch);
}

Decision<ApiError> Controller::assign_directories(BrokerId broker,
                                                  std::span<const DirectoryAssignment> assignments) const {
  return replication::assign_directories(*image_, broker, assignments);
}

Decision<ProducerIdBlock> Controller::allocate_producer_ids(BrokerId broker, BrokerEpoch epoch) const {
  return replication::allocate_producer_ids(*image_, broker, epoch);
}

Result<ImageDelta> Controller::apply(Offset base, LeaderEpoch term, const RecordList& records) {
  REQUIRES(base == next_offset() && !records.empty());
  ImageBuilder builder(image_);
  TRY(builder.begin_batch(base, term, static_cast<int32_t>(records.size())));
  for (size_t i = 0; i < records.size(); ++i) TRY(builder.apply(records[i]));
  return take(std::move(builder));
}

Result<ImageDelta> Controller::apply_log(std::span<const std::byte> batches) {
  ImageBuilder builder(image_);
  TRY(replay_batches(batches, builder));
  return take(std::move(builder));
}

void Controller::restore(std::shared_ptr<const MetadataImage> image) {
  REQUIRES(next_offset() == Offset(0) && image != nullptr);
  image_ = std::move(image);
  settings_ = config::resolve_broker_config(broker_layers(*image_, node_, static_broker_));
}

Result<ImageDelta> Controller::take(ImageBuilder builder) {
  TRY_ASSIGN(ImageDelta delta, std::move(builder).finish());
  image_ = delta.after;
  const bool broker_settings_changed =
      std::any_of(delta.configs.begin(), delta.configs.end(),
                  [](const ConfigResource& resource) { return resource.type == ConfigResourceType::broker; });
  if (broker_settings_changed)
    settings_ = config::resolve_broker_config(broker_layers(*image_, node_, static_broker_));
  return delta;
}

}  // namespace tidemark::replication
