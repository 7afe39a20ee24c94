// Makes the next image from one and the records of one or more batches: `apply` of the controller, the only
// place where metadata changes. Thrown away when done; what no record touches is shared with the base image.
// A live batch is a builder of its own; a replay feeds many batches to one, which copies each topic only
// once. A record that does not fit leaves the base image as it was: drop the builder.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>

#include "protocol/error.h"
#include "protocol/messages/leader_change_message.h"
#include "replication/controller/image.h"
#include "replication/controller/image_delta.h"
#include "replication/controller/records.h"

namespace tidemark::replication {

// Tagged fields of ours in Kafka's records; other readers skip them.
// RegisterBrokerRecord: one byte, 1 if the broker's life before ended with a clean stop that was matched.
inline constexpr uint32_t kCleanStartTag = 10'000;
// RegisterBrokerRecord, of a broker with several data folders: the term (int32), and for each folder that is
// left out its id, the last term that it was registered in and the first without it (int32 each).
inline constexpr uint32_t kFoldersTag = 10'001;

class ImageBuilder {
 public:
  explicit ImageBuilder(std::shared_ptr<const MetadataImage> base);

  // What follows belongs to this batch. Error of kind corruption: it does not continue the log, or its term
  // goes
  // back. REQUIRES: records > 0.
  Result<void> begin_batch(Offset base, LeaderEpoch term, int32_t records);
  // The value of one record. Error of kind corruption: it contradicts what came before it; of kind format: a
  // newer release wrote it.
  Result<void> apply(std::span<const std::byte> value);
  // The control record at the start of a term.
  void apply_leader_change(const protocol::LeaderChangeMessage& change, LeaderEpoch term);

  // The builder is spent. Error of kind corruption: a topic was left without partitions.
  Result<ImageDelta> finish() &&;

 private:
  Result<void> on(const protocol::TopicRecord& record);
  Result<void> on(const protocol::PartitionRecord& record);
  Result<void> on(const protocol::PartitionChangeRecord& record);
  Result<void> on(const protocol::RemoveTopicRecord& record);
  Result<void> on(const protocol::ConfigRecord& record);
  Result<void> on(const protocol::RegisterBrokerRecord& record);
  Result<void> on(const protocol::BrokerRegistrationChangeRecord& record);
  Result<void> on(const protocol::FenceBrokerRecord& record);
  Result<void> on(const protocol::UnfenceBrokerRecord& record);
  Result<void> on(const protocol::UnregisterBrokerRecord& record);
  Result<void> on(const protocol::ProducerIdsRecord& record);
  Result<void> on(const protocol::FeatureLevelRecord& record);
  Result<void> on(const protocol::ClientQuotaRecord& record);
  Result<void> on(const protocol::NoOpRecord&) { return {}; }

  // The topic, in a copy that this builder may change; nullptr if there is none.
  TopicImage* change_topic(const Uuid& id);
  void forget_config(const ConfigResource& resource);
  Result<BrokerImage> registered_broker(int32_t id, int64_t epoch, std::string_view record) const;
  void set_broker(BrokerImage broker);

  std::shared_ptr<const MetadataImage> base_;
  std::shared_ptr<MetadataImage> next_;
  std::map<Uuid, std::shared_ptr<TopicImage>> changing_topics_;
  std::map<ConfigResource, std::shared_ptr<ConfigMap>> changing_configs_;
  std::map<QuotaEntity, std::shared_ptr<QuotaMap>> changing_quotas_;
  ImageDelta::Touched touched_;
};

}  // namespace tidemark::replication
