// The cluster's metadata as a value: what the records of __cluster_metadata-0 up to last_applied say. The
// controller makes a new image for each batch that it applies; shards hold one as shared_ptr<const
// MetadataImage>, on any thread, and see no change in it. It does no I/O and decides nothing.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/ids.h"
#include "replication/controller/persistent_map.h"

namespace tidemark::replication {

// Directory ids that name no directory (KIP-858).
inline constexpr Uuid kMigratingDirectory{};
inline const Uuid kUnassignedDirectory = Uuid::from_halves(0, 1);
inline const Uuid kLostDirectory = Uuid::from_halves(0, 2);
[[nodiscard]] bool is_reserved_directory(const Uuid& id);

struct BrokerEndpoint {
  std::string name;  // the listener's
  std::string host;
  uint16_t port = 0;
  int16_t security_protocol = 0;  // Kafka's ids: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL
  auto operator<=>(const BrokerEndpoint&) const = default;
};

struct FeatureRange {
  int16_t min = 0;
  int16_t max = 0;
  auto operator<=>(const FeatureRange&) const = default;
};

// A data folder that a broker has had, and that its present life began without.
struct LeftOutDirectory {
  Uuid id;
  LeaderEpoch served;    // the newest term that it was registered in
  LeaderEpoch left_out;  // the term of the first life without it
  bool operator==(const LeftOutDirectory&) const = default;
};

struct BrokerImage {
  BrokerId id;
  Uuid incarnation_id;  // one life of the process
  BrokerEpoch epoch;    // the first offset of the batch that registered this life
  std::vector<BrokerEndpoint> endpoints;
  std::map<std::string, FeatureRange, std::less<>> features;
  std::optional<std::string> rack;
  bool fenced = true;
  bool in_controlled_shutdown = false;
  std::vector<Uuid> log_dirs;
  std::optional<std::vector<Uuid>> cordoned_log_dirs;
  // Told of brokers with several folders alone: the term in which this life was registered, and what it began
  // without.
  LeaderEpoch term;
  std::vector<LeftOutDirectory> left_out;
  // Whether the life before this one ended with a clean-stop mark that the controller could match.
  bool clean_start = false;

  // May lead partitions and receive new ones.
  [[nodiscard]] bool is_active() const { return !fenced && !in_controlled_shutdown; }
  bool operator==(const BrokerImage&) const = default;
};

struct PartitionImage {
  std::vector<BrokerId> replicas;
  std::vector<Uuid> directories;  // one for each replica
  std::vector<BrokerId> isr;
  std::vector<BrokerId> removing_replicas;
  std::vector<BrokerId> adding_replicas;
  std::vector<BrokerId> elr;  // eligible leader replicas (KIP-966)
  std::vector<BrokerId> last_known_elr;
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch{0};  // grows with every change of leader, and with every new life of the leader
  int32_t partition_epoch = 0;  // grows with every change at all
  bool recovering = false;      // the leader was elected uncleanly and still recovers

  bool operator==(const PartitionImage&) const = default;
};

struct TopicImage {
  std::string name;
  Uuid id;
  // Invariant: never empty once the batch that created the topic is applied; the index is the partition id.
  std::vector<std::shared_ptr<const PartitionImage>> partitions;

  // nullptr if there is none.
  [[nodiscard]] const PartitionImage* partition(PartitionId id) const;
  [[nodiscard]] int32_t partition_count() const { return static_cast<int32_t>(partitions.size()); }
  bool operator==(const TopicImage& other) const;
};

// Kafka's ids of config resource types.
enum class ConfigResourceType : int8_t {
  topic = 2,
  broker = 4,
  broker_logger = 8,
  client_metrics = 16,
  group = 32
};

struct ConfigResource {
  ConfigResourceType type = ConfigResourceType::topic;
  std::string name;  // of a broker: its id; empty: the default of all brokers
  auto operator<=>(const ConfigResource&) const = default;
};

using ConfigMap = std::map<std::string, std::string, std::less<>>;

// Whose quota (KIP-546): names by entity type, "user", "client-id" or "ip"; without a name: the default of
// that type.
using QuotaEntity = std::map<std::string, std::optional<std::string>, std::less<>>;
using QuotaMap = std::map<std::string, double, std::less<>>;

struct Voter {
  BrokerId id;
  Uuid directory_id;  // zero while kraft.version is 0
  auto operator<=>(const Voter&) const = default;
};

struct MetadataImage {
  std::string cluster_id;
  Offset last_applied = kNoOffset;
  LeaderEpoch last_applied_epoch = kNoLeaderEpoch;

  // The controller's leader and term, from the newest LeaderChange record.
  BrokerId controller_id = kNoBroker;
  LeaderEpoch controller_epoch = kNoLeaderEpoch;
  std::vector<Voter> voters;

  PersistentMap<BrokerId, std::shared_ptr<const BrokerImage>> brokers;
  // The same topics twice: by name (in name order, as DescribeTopicPartitions pages through them) and by id.
  PersistentMap<std::string, std::shared_ptr<const TopicImage>> topics;
  PersistentMap<Uuid, std::shared_ptr<const TopicImage>> topics_by_id;
  // Names with '.' read as '_' -> the topics of that reading; only for names with such a character.
  PersistentMap<std::string, std::vector<std::string>> collisions;
  // Only what was set at run time; a resource without such settings has no entry.
  PersistentMap<ConfigResource, std::shared_ptr<const ConfigMap>> configs;
  // An entity without a quota has no entry.
  PersistentMap<QuotaEntity, std::shared_ptr<const QuotaMap>> quotas;
  std::map<std::string, int16_t, std::less<>> features;  // finalized levels; never 0
  int64_t next_producer_id = 0;                          // the first that no block holds
  int64_t partition_count = 0;                           // of all topics

  // nullptr if there is none.
  [[nodiscard]] const TopicImage* topic(std::string_view name) const;
  [[nodiscard]] const TopicImage* topic(const Uuid& id) const;
  [[nodiscard]] const BrokerImage* broker(BrokerId id) const;
  // Empty where nothing was set.
  [[nodiscard]] const ConfigMap& config(ConfigResourceType type, std::string_view name) const;
  [[nodiscard]] const QuotaMap& quotas_of(const QuotaEntity& entity) const;

  bool operator==(const MetadataImage& other) const;
};

// "a.b_c" -> "a_b_c": two names with the same reading would share their metrics.
[[nodiscard]] std::string unify_collision_chars(std::string_view topic);
[[nodiscard]] bool has_collision_chars(std::string_view topic);

// The whole image as indented JSON, the same text for the same content: for people and for tests.
[[nodiscard]] std::string to_json(const MetadataImage& image);

}  // namespace tidemark::replication
