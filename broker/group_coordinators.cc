#include "broker/group_coordinators.h"

#include <fmt/format.h>

#include "broker/coordinator/placement.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

constexpr auto kPatience = std::chrono::seconds(10);

coordinator::GroupSettings group_settings(const config::BrokerConfig& broker) {
  coordinator::GroupSettings settings;
  settings.group_min_session_timeout_ms = broker.group_min_session_timeout_ms;
  settings.group_max_session_timeout_ms = broker.group_max_session_timeout_ms;
  settings.group_initial_rebalance_delay_ms = broker.group_initial_rebalance_delay_ms;
  settings.group_max_size = broker.group_max_size;
  settings.offset_metadata_max_bytes = broker.offset_metadata_max_bytes;
  settings.offsets_retention_ms = int64_t{broker.offsets_retention_minutes} * 60'000;
  settings.offsets_retention_check_interval_ms = broker.offsets_retention_check_interval_ms;
  return settings;
}

}  // namespace

GroupCoordinators::GroupCoordinators(Shard& shard, const std::vector<std::unique_ptr<Shard>>& shards,
                                     uint64_t seed, Log& events, GroupMetrics* metrics,
                                     storage::Planted planted)
    : shard_(shard), shards_(shards), events_(events), metrics_(metrics), random_(seed), planted_(planted) {}

void GroupCoordinators::start() {
  shard_.watch_views([this](const ClusterView& view) { view_changed(view); });
  view_changed(*shard_.view());
}

Task<void> GroupCoordinators::stop() {
  stopped_ = true;
  for (const auto& [partition, shell] : shells_) shell->stop();
  // No longer than the stores wait for a disk that stalls.
  const runtime::MonoTime deadline = shard_.loop().mono() + kPatience;
  const auto stopping = shells_;
  for (const auto& [partition, shell] : stopping) {
    auto ending = shell->wait_ended(deadline);
    co_await ending;
  }
}

std::shared_ptr<GroupShell> GroupCoordinators::find(PartitionId partition) const {
  const auto found = shells_.find(partition);
  return found == shells_.end() ? nullptr : found->second;
}

void GroupCoordinators::view_changed(const ClusterView& view) {
  if (stopped_) return;
  const TopicView* topic = view.topic(coordinator::kOffsetsTopic);
  // Of a topic that was deleted, or whose namesake has come.
  std::erase_if(shells_, [&](const auto& entry) {
    const bool stays = topic != nullptr && entry.second->partition().topic_id == topic->image->id;
    if (!stays) entry.second->stop();
    return !stays;
  });
  for (const auto& [name, id] : view.deleted)
    for (const auto& [partition, shell] : shells_) shell->topic_deleted(name, id);
  if (topic == nullptr) return;
  for (size_t i = 0; i < topic->shards.size(); ++i) {
    const PartitionId id(static_cast<int32_t>(i));
    if (topic->shards[i] != shard_.index() || shells_.contains(id)) continue;
    auto partition = shard_.partition({topic->image->id, id});
    if (!partition) continue;
    auto shell =
        std::make_shared<GroupShell>(shard_, shards_, std::move(partition), group_settings(view.broker),
                                     random_, events_, metrics_, planted_);
    shell->start();
    shells_.emplace(id, std::move(shell));
  }
}

replication::NewTopic offsets_topic(const config::BrokerConfig& broker) {
  replication::NewTopic topic;
  topic.name = coordinator::kOffsetsTopic;
  topic.partitions = broker.offsets_topic_num_partitions;
  topic.replication_factor = 1;  // the only one that a cluster of one can have
  topic.configs = {{"cleanup.policy", "compact"},
                   {"compression.type", "producer"},
                   {"segment.bytes", fmt::format("{}", broker.offsets_topic_segment_bytes)}};
  return topic;
}

}  // namespace tidemark::broker
