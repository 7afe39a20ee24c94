// Metadata records as bytes: the frame that Kafka puts around each in __cluster_metadata-0 (frame version,
// record type and version as unsigned varints, then the body), so that its own tools read them. A handler
// returns a RecordList; what is applied, live or in a replay, is always the decoded bytes. Values; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "protocol/error.h"
#include "protocol/messages/broker_registration_change_record.h"
#include "protocol/messages/client_quota_record.h"
#include "protocol/messages/config_record.h"
#include "protocol/messages/feature_level_record.h"
#include "protocol/messages/fence_broker_record.h"
#include "protocol/messages/no_op_record.h"
#include "protocol/messages/partition_change_record.h"
#include "protocol/messages/partition_record.h"
#include "protocol/messages/producer_ids_record.h"
#include "protocol/messages/register_broker_record.h"
#include "protocol/messages/remove_topic_record.h"
#include "protocol/messages/topic_record.h"
#include "protocol/messages/unfence_broker_record.h"
#include "protocol/messages/unregister_broker_record.h"

namespace tidemark::replication {

inline constexpr uint32_t kRecordFrameVersion = 1;
// One decision is one batch, and the log takes a batch only whole: this many of the largest usual records
// (130 bytes for a partition of three replicas) stay below 8 MiB.
inline constexpr size_t kMaxRecordsPerDecision = 60'000;

// The types that the image understands. Views into the decoded bytes.
using MetadataRecord =
    std::variant<protocol::TopicRecord, protocol::PartitionRecord, protocol::PartitionChangeRecord,
                 protocol::RemoveTopicRecord, protocol::ConfigRecord, protocol::RegisterBrokerRecord,
                 protocol::BrokerRegistrationChangeRecord, protocol::FenceBrokerRecord,
                 protocol::UnfenceBrokerRecord, protocol::UnregisterBrokerRecord, protocol::ProducerIdsRecord,
                 protocol::FeatureLevelRecord, protocol::ClientQuotaRecord, protocol::NoOpRecord>;

// Framed records in one buffer.
class RecordList {
 public:
  // REQUIRES: the version can carry the record.
  void add(const MetadataRecord& record, int16_t version);
  void append(const RecordList& other);
  [[nodiscard]] size_t size() const { return ends_.size(); }
  [[nodiscard]] bool empty() const { return ends_.empty(); }
  [[nodiscard]] std::span<const std::byte> operator[](size_t i) const;
  [[nodiscard]] size_t size_in_bytes() const { return bytes_.size(); }

 private:
  std::vector<std::byte> bytes_;
  std::vector<size_t> ends_;
};

// Error of kind format: a frame version, record type or record version that this release does not know.
// Error of kind corruption: bytes that are not such a record.
Result<MetadataRecord> decode_record(std::span<const std::byte> value);

// {"type":"TOPIC_RECORD","version":0,"data":{...}}, the form of Kafka's own dump tool.
Result<std::string> record_to_json(std::span<const std::byte> value);

}  // namespace tidemark::replication
