// The controller: one writer of the metadata log and the image that the log says. A pure core: handlers
// decide and change nothing; apply() is the only place where state changes, live and in a replay. Owned by
// one shell, on one loop, which for each request calls a handler, appends the records as one batch at
// next_offset() in the controller's term, applies them, and holds the response until they are committed. Then
// comes the next request, so that every decision sees all earlier ones.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "config/broker_config.h"
#include "config/node_config.h"
#include "protocol/runtime/random.h"
#include "replication/controller/brokers.h"
#include "replication/controller/configs.h"
#include "replication/controller/decision.h"
#include "replication/controller/directories.h"
#include "replication/controller/image_builder.h"
#include "replication/controller/image_delta.h"
#include "replication/controller/leadership.h"
#include "replication/controller/quotas.h"
#include "replication/controller/topics.h"

namespace tidemark::replication {

class Controller {
 public:
  // `node`: where this controller runs, and its settings as the file has them; with what the image says, they
  // are the defaults for topics. `random` outlives the controller.
  Controller(std::string cluster_id, BrokerId node, config::Properties static_broker,
             runtime::Random& random);

  // What the log says so far. Shards may keep it.
  [[nodiscard]] const std::shared_ptr<const MetadataImage>& image() const { return image_; }
  // Where the next batch belongs.
  [[nodiscard]] Offset next_offset() const { return image_->last_applied + 1; }
  // The settings of the node's broker, dynamic changes included.
  [[nodiscard]] const config::BrokerConfig& settings() const { return settings_; }

  // --- decide ---
  // What a new leader writes behind its LeaderChange record: the feature levels of a new cluster, else
  // nothing.
  [[nodiscard]] RecordList begin_term() const;
  [[nodiscard]] Decision<std::vector<CreatedTopic>> create_topics(std::span<const NewTopic> topics,
                                                                  bool validate_only,
                                                                  const PartitionQuota& quota = {}) const;
  // TOPIC_DELETION_DISABLED for all of them where `delete.topic.enable` is false.
  [[nodiscard]] Decision<std::vector<DeletedTopic>> delete_topics(std::span<const TopicToDelete> topics,
                                                                  const PartitionQuota& quota = {}) const;
  [[nodiscard]] Decision<std::vector<GrownTopic>> create_partitions(std::span<const MorePartitions> topics,
                                                                    bool validate_only,
                                                                    const PartitionQuota& quota = {}) const;
  [[nodiscard]] Decision<std::vector<AlteredQuota>> alter_client_quotas(
      std::span<const QuotaAlteration> alterations, bool validate_only) const;
  [[nodiscard]] Decision<std::vector<AlteredResource>> alter_configs(
      BrokerId receiver, std::span<const ResourceAlteration> resources, bool validate_only) const;
  [[nodiscard]] Decision<std::vector<TopicAnswer>> elect_leaders(
      ElectionType type, const std::vector<TopicPartitions>* topics) const;
  [[nodiscard]] Decision<std::vector<TopicAnswer>> alter_partition_reassignments(
      std::span<const TopicReassignment> topics) const;
  [[nodiscard]] Decision<ApiError> unregister_broker(BrokerId broker) const;
  [[nodiscard]] Decision<RegisteredBroker> register_broker(const BrokerRegistration& request) const;
  [[nodiscard]] Decision<BrokerState> unfence_broker(BrokerId broker, BrokerEpoch epoch) const;
  [[nodiscard]] Decision<BrokerState> begin_controlled_shutdown(BrokerId broker, BrokerEpoch epoch) const;
  [[nodiscard]] Decision<BrokerState> fence_broker(BrokerId broker, BrokerEpoch epoch) const;
  [[nodiscard]] Decision<ApiError> assign_directories(BrokerId broker,
                                                      std::span<const DirectoryAssignment> assignments) const;
  [[nodiscard]] Decision<ProducerIdBlock> allocate_producer_ids(BrokerId broker, BrokerEpoch epoch) const;

  // --- apply ---
  // All or nothing: on an error nothing has changed, and the log is not to be trusted from there on.
  //
  // One decision's records, just appended at `base` in `term`. REQUIRES: base == next_offset(); records.
  Result<ImageDelta> apply(Offset base, LeaderEpoch term, const RecordList& records);
  // Whole batches as the log has them, from next_offset() on: a replay, or what was appended. Cheaper in
  // large pieces.
  Result<ImageDelta> apply_log(std::span<const std::byte> batches);
  // What a snapshot says, in place of the records below its offset. REQUIRES: nothing is applied yet.
  void restore(std::shared_ptr<const MetadataImage> image);

 private:
  Result<ImageDelta> take(ImageBuilder builder);

  std::shared_ptr<const MetadataImage> image_;
  BrokerId node_;
  config::Properties static_broker_;
  config::BrokerConfig settings_;  // Invariant: as image_ and static_broker_ say
  runtime::Random& random_;
};

}  // namespace tidemark::replication
