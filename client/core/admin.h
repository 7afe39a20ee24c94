// Administration: each function is one Kafka API, sent to whom it belongs, with owned results. A call's own
// Result is an error only where nothing was answered; what the cluster says of each topic, partition or
// resource stands with it. Calls that change something are not sent twice, unless they surely never arrived.
#pragma once

#include "client/core/cluster.h"

namespace tidemark::client {

struct NewTopic {
  std::string name;
  int32_t partitions = -1;   // -1: the cluster's num.partitions
  int16_t replication = -1;  // -1: the cluster's default.replication.factor
  std::vector<std::pair<std::string, std::string>> configs;
};
struct CreatedTopic {
  std::string name;
  Uuid id;
  int32_t partitions = -1;  // -1: the broker's version does not say
  int16_t replication = -1;
  std::optional<Error> error;
};
struct Outcome {
  std::string name;
  std::optional<Error> error;
};

enum class ResourceType : int8_t { topic = 2, broker = 4, client_metrics = 16, group = 32 };
struct Resource {
  ResourceType type = ResourceType::topic;
  std::string name;  // a broker's number; empty: the default of all brokers
};
struct ConfigEntry {
  std::string name;
  std::optional<std::string> value;  // none: sensitive, or null
  bool read_only = false;
  bool sensitive = false;
  int8_t source = 0;  // DescribeConfigs' config_source
};
struct ResourceConfigs {
  Resource resource;
  std::vector<ConfigEntry> entries;  // by name
  std::optional<Error> error;
};
struct ConfigChange {
  std::string name;
  std::optional<std::string> value;  // none: back to the default
};

// Names by entity type, "user", "client-id" or "ip"; without a name: the default of that type.
using QuotaEntity = std::map<std::string, std::optional<std::string>>;
struct EntityQuotas {
  QuotaEntity entity;
  std::map<std::string, double> quotas;
};
struct QuotaChange {
  std::string key;
  std::optional<double> value;  // none: removed
};
// What to describe: one entity, or every one with a part of this type, or all.
struct QuotaChoice {
  std::optional<QuotaEntity> only;
  std::optional<std::string> type;
};

struct TimedOffset {
  Offset offset = kNoOffset;  // kNoOffset: no record is that young
  int64_t timestamp_ms = -1;
};
// ListOffsets' special timestamps.
inline constexpr int64_t kLatest = -1;
inline constexpr int64_t kEarliest = -2;

struct ClusterDescription {
  std::string cluster_id;
  BrokerId controller = kNoBroker;
  std::vector<BrokerNode> brokers;
};

template <class Value>
using PerPartition = std::map<TopicPartition, Result<Value>>;

class Admin {
 public:
  explicit Admin(Cluster& cluster) : cluster_(cluster) {}

  runtime::Task<Result<std::vector<CreatedTopic>>> create_topics(std::vector<NewTopic> topics,
                                                                 bool validate_only);
  runtime::Task<Result<std::vector<Outcome>>> delete_topics(std::vector<std::string> names);
  // Grows topics to these counts.
  runtime::Task<Result<std::vector<Outcome>>> create_partitions(std::map<std::string, int32_t> counts);
  runtime::Task<Result<std::vector<ResourceConfigs>>> describe_configs(std::vector<Resource> resources);
  runtime::Task<Result<Outcome>> alter_configs(Resource resource, std::vector<ConfigChange> changes);
  // In the entities' order.
  runtime::Task<Result<std::vector<EntityQuotas>>> describe_quotas(QuotaChoice choice);
  runtime::Task<Result<Outcome>> alter_quotas(QuotaEntity entity, std::vector<QuotaChange> changes,
                                              bool validate_only);
  // The first offset at or after a time (ms since the epoch), or kLatest, kEarliest.
  runtime::Task<Result<PerPartition<TimedOffset>>> list_offsets(std::map<TopicPartition, int64_t> times,
                                                                Isolation isolation);
  // Removes what lies before the offsets (-1: everything); the values are the new log starts.
  runtime::Task<Result<PerPartition<Offset>>> delete_records(std::map<TopicPartition, Offset> before);
  runtime::Task<Result<ClusterDescription>> describe_cluster();

 private:
  enum class Effect : uint8_t { reads, changes };
  // To the controller (or any broker, which forwards), or to `only`.
  template <class Request, class Response>
  runtime::Task<Result<Reply<Response>>> ask(const Request& request, Effect effect,
                                             std::optional<BrokerId> only = std::nullopt);
  runtime::Task<Result<ResourceConfigs>> describe_one(Resource resource);
  // Which partitions each leader has, asking for metadata as often as needed; those without a leader at the
  // end get an error in `failed`.
  template <class Value>
  runtime::Task<Result<std::map<BrokerId, std::vector<TopicPartition>>>> by_leader(
      const std::set<TopicPartition>& partitions, PerPartition<Value>& failed, runtime::MonoTime give_up);
  template <class Value>
  static std::set<TopicPartition> take_moved(PerPartition<Value>& results);

  Cluster& cluster_;
};

}  // namespace tidemark::client
