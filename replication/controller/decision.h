// What the controller's handlers take and give, as plain values with their own strings: requests can cross
// shards, and tests can write them down. Optional messages are what Kafka would say; none: the code says it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/error.h"
#include "protocol/ids.h"
#include "replication/controller/image.h"
#include "replication/controller/records.h"

namespace tidemark::replication {

// A handler's outcome: nothing has happened yet. The records go into the log as one batch; the response is
// held until they are committed, and if there are none, until everything before is.
template <class Response>
struct Decision {
  RecordList records;
  Response response;
};

struct ApiError {
  ErrorCode code = ErrorCode::NONE;
  std::optional<std::string> message;

  ApiError() = default;
  ApiError(ErrorCode c) : code(c) {}
  ApiError(ErrorCode c, std::string text) : code(c), message(std::move(text)) {}
  // An error without words is one that Kafka says nothing about.
  ApiError(const Error& error) : code(error.code()) {
    if (!error.message().empty()) message = error.message();
  }
  [[nodiscard]] bool ok() const { return code == ErrorCode::NONE; }
  bool operator==(const ApiError&) const = default;
};

inline constexpr int32_t kDefaultPartitions = -1;
inline constexpr int16_t kDefaultReplicationFactor = -1;

struct ReplicaAssignment {
  PartitionId partition;
  std::vector<BrokerId> brokers;
};
struct NewTopic {
  std::string name;
  int32_t partitions = kDefaultPartitions;
  int16_t replication_factor = kDefaultReplicationFactor;
  std::vector<ReplicaAssignment> assignments;  // if any: both numbers above must be -1
  std::vector<std::pair<std::string, std::optional<std::string>>> configs;
};
struct CreatedTopic {
  std::string name;
  ApiError error;
  // The rest only without an error.
  Uuid id;
  int32_t partitions = -1;
  int16_t replication_factor = -1;
  ConfigMap configs;  // what was set for it; the effective settings are config's business
};

struct TopicToDelete {
  std::optional<std::string> name;  // either this
  Uuid id;                          // or this
};
struct DeletedTopic {
  std::optional<std::string> name;
  Uuid id;
  ApiError error;
};

struct MorePartitions {
  std::string topic;
  int32_t count = 0;                                              // in total, not in addition
  std::optional<std::vector<std::vector<BrokerId>>> assignments;  // of the additional ones
};
struct GrownTopic {
  std::string topic;
  ApiError error;
};

enum class ConfigOperation : int8_t { set = 0, unset = 1, append = 2, subtract = 3 };
struct ConfigChange {
  std::string key;
  int8_t operation = 0;  // a ConfigOperation, if the client knows what it does
  std::optional<std::string> value;
};
struct ResourceAlteration {
  int8_t resource_type = 0;  // a ConfigResourceType, likewise
  std::string resource_name;
  std::vector<ConfigChange> changes;
  bool replaces = false;  // AlterConfigs, the older one: every key that `changes` does not name is unset
};
struct AlteredResource {
  int8_t resource_type = 0;
  std::string resource_name;
  ApiError error;
};

struct PartitionAnswer {
  PartitionId partition;
  ApiError error;
};
// The same partition may be named twice: it is answered twice.
struct TopicAnswer {
  std::string topic;
  std::vector<PartitionAnswer> partitions;
};

enum class ElectionType : int8_t { preferred = 0, unclean = 1 };
struct TopicPartitions {
  std::string topic;
  std::vector<PartitionId> partitions;
};

struct PartitionReassignment {
  PartitionId partition;
  std::optional<std::vector<BrokerId>> replicas;  // none: the reassignment under way is cancelled
};
struct TopicReassignment {
  std::string topic;
  std::vector<PartitionReassignment> partitions;
};

// Kafka's numbers.
enum class UpgradeType : int8_t { upgrade = 1, safe_downgrade = 2, unsafe_downgrade = 3 };
struct FeatureUpdate {
  std::string feature;
  int16_t level = 0;
  int8_t type = 1;  // an UpgradeType, if the client knows what it does
};

struct QuotaOp {
  std::string key;
  std::optional<double> value;  // none: the key is removed
};
struct QuotaAlteration {
  QuotaEntity entity;
  std::vector<QuotaOp> ops;
};
struct AlteredQuota {
  QuotaEntity entity;
  ApiError error;
};
struct QuotaFilterPart {
  std::string entity_type;
  int8_t match_type = 0;             // Kafka's: 0 this name, 1 the default, 2 any of the type
  std::optional<std::string> match;  // the name
};
struct QuotaFilter {
  std::vector<QuotaFilterPart> parts;
  bool strict = false;
};

// Asked before so many partitions are created or deleted for a client (KIP-599); false: it has used up its
// quota. Called in the order of the request. Empty: there is no quota.
using PartitionQuota = std::function<bool(size_t partitions)>;

struct BrokerRegistration {
  std::string cluster_id;
  BrokerId broker;
  Uuid incarnation_id;
  std::vector<BrokerEndpoint> endpoints;
  std::map<std::string, FeatureRange, std::less<>> features;
  std::optional<std::string> rack;
  std::vector<Uuid> log_dirs;
  LeaderEpoch term;  // of the metadata log, where the broker is its own controller
  // The epoch of the life that the clean-stop mark names, if there was a mark.
  std::optional<BrokerEpoch> clean_stop_of;
  // Partitions that recovery found shorter than the broker had promised.
  std::vector<TopicIdPartition> short_partitions;
  // The broker has applied all metadata and its logs are recovered: the controller's own broker, at start.
  bool unfenced = false;
};
struct RegisteredBroker {
  ApiError error;
  BrokerEpoch epoch{-1};
};

// Where a broker stands after a change of its state.
struct BrokerState {
  ApiError error;
  int32_t leaderships = 0;  // partitions that it still leads
};

struct ProducerIdBlock {
  ApiError error;
  ProducerId first;
  int32_t count = 0;
};

}  // namespace tidemark::replication
