// What a shard knows of the cluster: the committed metadata image, what is derived from it for each topic,
// and where each of this node's partitions lives. An immutable value, made once per change by MetadataService
// and handed to every shard; any thread may read it.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/quota/quota_table.h"
#include "config/node_config.h"
#include "replication/controller/image.h"

namespace tidemark::broker {

inline constexpr uint16_t kNoShard = UINT16_MAX;

struct TopicView {
  std::shared_ptr<const replication::TopicImage> image;
  config::TopicConfig config;
  // By partition: the shard that holds this node's replica. kNoShard: none here, or it could not be opened.
  std::vector<uint16_t> shards;
  // And the data folder of its log, as `log.dirs` has them. Where there is no shard, it says nothing.
  std::vector<uint16_t> folders;
};

struct ClusterView {
  BrokerId node;
  Uuid cluster_id;
  std::shared_ptr<const replication::MetadataImage> image;
  replication::PersistentMap<Uuid, std::shared_ptr<const TopicView>> topics;
  std::shared_ptr<const QuotaTable> quotas;           // never null
  std::vector<std::pair<std::string, Uuid>> deleted;  // topics that the view before this one had
  config::BrokerConfig broker;                        // with the dynamic changes of this broker
  // This node's addresses as configured, by listener; a listener without one tells a client what it connected
  // to.
  std::vector<std::pair<std::string, config::Endpoint>> advertised;

  // nullptr: there is no such topic.
  [[nodiscard]] const TopicView* topic(const Uuid& id) const;
  [[nodiscard]] const TopicView* topic(std::string_view name) const;
};

}  // namespace tidemark::broker
