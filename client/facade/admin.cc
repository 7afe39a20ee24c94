#include "tidemark/admin.h"

#include "client/facade/client_impl.h"
#include "protocol/broker_ids.h"

namespace tidemark_client {
namespace {

using tidemark::Error;
using tidemark::PartitionId;
using tidemark::Result;
using tidemark::TopicPartition;
using tidemark::runtime::Task;

constexpr auto kTopicPatience = std::chrono::seconds(5);

// Runs make(admin) on the client's loop and waits.
template <class T>
Result<T> ask(const Client& client, std::function<Task<Result<T>>(core::Admin&)> make) {
  Client::Impl& impl = *client.impl();
  return impl.thread.call<Result<T>>([&] { return make(impl.on_loop->admin); });
}

// What the cluster said of the one thing asked about.
template <class T>
Status status_of_only(const Result<std::vector<T>>& answered) {
  if (!answered) return status_of(answered.error());
  if (answered->size() != 1) return status_of(Error(tidemark::ErrorCode::UNKNOWN_SERVER_ERROR, "no answer"));
  const auto& error = answered->front().error;
  return error ? status_of(*error) : Status{};
}

// The value of the one partition asked about.
template <class T>
Result<T> only(const Result<core::PerPartition<T>>& answered) {
  if (!answered) return tidemark::fail(Error(answered.error()));
  if (answered->size() != 1) return tidemark::fail(tidemark::ErrorCode::UNKNOWN_SERVER_ERROR, "no answer");
  return answered->begin()->second;
}

Task<Result<std::vector<std::string>>> topic_names(core::Cluster& cluster) {
  core::Cluster::Interest all;
  all.all = true;
  Task<Result<void>> asking = cluster.refresh(std::move(all));
  const Result<void> asked = co_await asking;
  if (!asked) co_return tidemark::fail(Error(asked.error()));
  std::vector<std::string> names;
  for (const auto& [name, topic] : cluster.metadata().topics()) {
    if (topic.error == tidemark::ErrorCode::NONE) names.push_back(name);
  }
  co_return names;
}

// As it is now: what is known may be older than a change that was just answered.
Task<Result<Topic>> find_topic(core::Cluster& cluster, std::string name) {
  core::Cluster::Interest interest;
  interest.topics.insert(name);
  Task<Result<void>> refreshing = cluster.refresh(std::move(interest));
  const Result<void> refreshed = co_await refreshing;
  if (!refreshed) co_return tidemark::fail(Error(refreshed.error()));
  auto asking = cluster.topic(std::move(name), false, cluster.scheduler().mono() + kTopicPatience);
  const auto found = co_await asking;
  if (!found) co_return tidemark::fail(Error(found.error()));
  Topic topic{(*found)->name, (*found)->id.to_string(), {}};
  for (const auto& [id, partition] : (*found)->partitions)
    topic.partitions.push_back({id.value, partition.leader.value, tidemark::numbers_of(partition.replicas),
                                tidemark::numbers_of(partition.in_sync)});
  co_return topic;
}

}  // namespace

Status Admin::create_topic(const NewTopic& topic) {
  core::NewTopic wanted{
      topic.name, topic.partitions, topic.replication, {topic.configs.begin(), topic.configs.end()}};
  return status_of_only<core::CreatedTopic>(ask<std::vector<core::CreatedTopic>>(
      client_, [&](core::Admin& admin) { return admin.create_topics({wanted}, false); }));
}

Status Admin::delete_topic(const std::string& name) {
  return status_of_only<core::Outcome>(ask<std::vector<core::Outcome>>(
      client_, [&](core::Admin& admin) { return admin.delete_topics({name}); }));
}

Status Admin::create_partitions(const std::string& topic, int32_t total) {
  return status_of_only<core::Outcome>(ask<std::vector<core::Outcome>>(
      client_, [&](core::Admin& admin) { return admin.create_partitions({{topic, total}}); }));
}

Answer<std::vector<std::string>> Admin::list_topics() {
  auto names = ask<std::vector<std::string>>(
      client_, [&](core::Admin&) { return topic_names(client_.impl()->on_loop->cluster); });
  if (!names) return status_of(names.error());
  return std::move(*names);
}

Answer<Topic> Admin::describe_topic(const std::string& name) {
  auto topic =
      ask<Topic>(client_, [&](core::Admin&) { return find_topic(client_.impl()->on_loop->cluster, name); });
  if (!topic) return status_of(topic.error());
  return std::move(*topic);
}

Answer<ClusterInfo> Admin::describe_cluster() {
  const auto described =
      ask<core::ClusterDescription>(client_, [](core::Admin& admin) { return admin.describe_cluster(); });
  if (!described) return status_of(described.error());
  ClusterInfo info{described->cluster_id, described->controller.value, {}};
  for (const core::BrokerNode& broker : described->brokers)
    info.brokers.push_back({broker.id.value, broker.endpoint.host, broker.endpoint.port, broker.rack});
  return info;
}

Answer<Properties> Admin::topic_configs(const std::string& topic) {
  const auto described = ask<std::vector<core::ResourceConfigs>>(client_, [&](core::Admin& admin) {
    return admin.describe_configs({{core::ResourceType::topic, topic}});
  });
  if (Status status = status_of_only<core::ResourceConfigs>(described); !status.ok()) return status;
  Properties configs;
  for (const core::ConfigEntry& entry : described->front().entries) {
    if (entry.value) configs.emplace(entry.name, *entry.value);
  }
  return configs;
}

Status Admin::alter_topic_configs(const std::string& topic, const Properties& set,
                                  const std::vector<std::string>& unset) {
  std::vector<core::ConfigChange> changes;
  for (const auto& [name, value] : set) changes.push_back({name, value});
  for (const std::string& name : unset) changes.push_back({name, std::nullopt});
  const auto altered = ask<core::Outcome>(client_, [&](core::Admin& admin) {
    return admin.alter_configs({core::ResourceType::topic, topic}, changes);
  });
  if (!altered) return status_of(altered.error());
  return altered->error ? status_of(*altered->error) : Status{};
}

Answer<Admin::Offsets> Admin::offsets(const std::string& topic, int32_t partition) {
  Offsets offsets;
  for (const auto& [time, out] :
       {std::pair{core::kEarliest, &offsets.first}, {core::kLatest, &offsets.next}}) {
    const std::map<TopicPartition, int64_t> times{{{topic, PartitionId(partition)}, time}};
    const auto found =
        only<core::TimedOffset>(ask<core::PerPartition<core::TimedOffset>>(client_, [&](core::Admin& admin) {
          return admin.list_offsets(times, core::Isolation::read_uncommitted);
        }));
    if (!found) return status_of(found.error());
    *out = found->offset.value;
  }
  return offsets;
}

Answer<int64_t> Admin::delete_records(const std::string& topic, int32_t partition, int64_t before) {
  const std::map<TopicPartition, tidemark::Offset> offsets{
      {{topic, PartitionId(partition)}, tidemark::Offset(before)}};
  const auto first = only<tidemark::Offset>(ask<core::PerPartition<tidemark::Offset>>(
      client_, [&](core::Admin& admin) { return admin.delete_records(offsets); }));
  if (!first) return status_of(first.error());
  return first->value;
}

}  // namespace tidemark_client
