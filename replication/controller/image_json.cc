// to_json: the image as text.
#include <fmt/format.h>

#include "protocol/json_writer.h"
#include "replication/controller/image.h"

namespace tidemark::replication {

namespace {

using protocol::JsonWriter;

void put(JsonWriter& out, std::string_view key, const auto& value) {
  out.key(key);
  out.value(value);
}
void put(JsonWriter& out, std::string_view key, const std::string& value) {
  out.key(key);
  out.value(std::string_view(value));
}

void put_ids(JsonWriter& out, std::string_view key, const std::vector<BrokerId>& ids) {
  out.key(key);
  out.begin_array();
  for (const BrokerId id : ids) out.value(id.value);
  out.end_array();
}

void write_broker(JsonWriter& out, const BrokerImage& broker) {
  out.begin_object();
  put(out, "id", broker.id.value);
  put(out, "epoch", broker.epoch.value);
  put(out, "incarnationId", broker.incarnation_id);
  put(out, "fenced", broker.fenced);
  put(out, "inControlledShutdown", broker.in_controlled_shutdown);
  put(out, "cleanStart", broker.clean_start);
  if (broker.term.value > 0) put(out, "term", broker.term.value);
  if (broker.rack) put(out, "rack", *broker.rack);
  out.key("endpoints");
  out.begin_array();
  for (const BrokerEndpoint& e : broker.endpoints)
    out.value(std::string_view(fmt::format("{}://{}:{} ({})", e.name, e.host, e.port, e.security_protocol)));
  out.end_array();
  out.key("features");
  out.begin_object();
  for (const auto& [name, range] : broker.features)
    put(out, name, std::string_view(fmt::format("{}-{}", range.min, range.max)));
  out.end_object();
  put(out, "logDirs", broker.log_dirs);
  if (broker.cordoned_log_dirs) put(out, "cordonedLogDirs", *broker.cordoned_log_dirs);
  out.end_object();
}

void write_partition(JsonWriter& out, const PartitionImage& partition) {
  out.begin_object();
  put(out, "leader", partition.leader.value);
  put(out, "leaderEpoch", partition.leader_epoch.value);
  put(out, "partitionEpoch", partition.partition_epoch);
  put_ids(out, "replicas", partition.replicas);
  put_ids(out, "isr", partition.isr);
  put(out, "directories", partition.directories);
  if (!partition.elr.empty()) put_ids(out, "elr", partition.elr);
  if (!partition.last_known_elr.empty()) put_ids(out, "lastKnownElr", partition.last_known_elr);
  if (!partition.adding_replicas.empty()) put_ids(out, "addingReplicas", partition.adding_replicas);
  if (!partition.removing_replicas.empty()) put_ids(out, "removingReplicas", partition.removing_replicas);
  if (partition.recovering) put(out, "recovering", true);
  out.end_object();
}

void write_topic(JsonWriter& out, const TopicImage& topic) {
  out.begin_object();
  put(out, "name", topic.name);
  put(out, "id", topic.id);
  out.key("partitions");
  out.begin_array();
  for (const auto& partition : topic.partitions) write_partition(out, *partition);
  out.end_array();
  out.end_object();
}

void write_configs(JsonWriter& out, const ConfigResource& resource, const ConfigMap& configs) {
  out.begin_object();
  put(out, "type", static_cast<int8_t>(resource.type));
  put(out, "name", resource.name);
  for (const auto& [key, value] : configs) put(out, key, value);
  out.end_object();
}

void write_quotas(JsonWriter& out, const QuotaEntity& entity, const QuotaMap& quotas) {
  out.begin_object();
  out.key("entity");
  out.begin_object();
  for (const auto& [type, name] : entity) {
    if (name) {
      put(out, type, *name);
    } else {
      out.key(type);
      out.null();
    }
  }
  out.end_object();
  for (const auto& [key, value] : quotas) put(out, key, value);
  out.end_object();
}

}  // namespace

std::string to_json(const MetadataImage& image) {
  JsonWriter out;
  out.begin_object();
  put(out, "clusterId", image.cluster_id);
  put(out, "lastApplied", image.last_applied.value);
  put(out, "lastAppliedEpoch", image.last_applied_epoch.value);
  put(out, "controllerId", image.controller_id.value);
  put(out, "controllerEpoch", image.controller_epoch.value);
  out.key("voters");
  out.begin_array();
  for (const Voter& voter : image.voters)
    out.value(std::string_view(fmt::format("{}@{}", voter.id, voter.directory_id)));
  out.end_array();
  out.key("features");
  out.begin_object();
  for (const auto& [name, level] : image.features) put(out, name, level);
  out.end_object();
  put(out, "nextProducerId", image.next_producer_id);
  put(out, "partitionCount", image.partition_count);
  out.key("brokers");
  out.begin_array();
  for (const auto& [id, broker] : image.brokers) write_broker(out, *broker);
  out.end_array();
  out.key("topics");
  out.begin_array();
  for (const auto& [name, topic] : image.topics) write_topic(out, *topic);
  out.end_array();
  out.key("configs");
  out.begin_array();
  for (const auto& [resource, configs] : image.configs) write_configs(out, resource, *configs);
  out.end_array();
  // Left out where there is none: most clusters, and every transcript without quotas.
  if (!image.quotas.empty()) {
    out.key("quotas");
    out.begin_array();
    for (const auto& [entity, quotas] : image.quotas) write_quotas(out, entity, *quotas);
    out.end_array();
  }
  out.end_object();
  return out.take();
}

}  // namespace tidemark::replication
