// `tidemark topic`: create, list, describe, alter, delete.
#include "client/cli/session.h"
#include "client/core/co_try.h"

namespace tidemark::cli {
namespace {

using client::TopicMetadata;
using runtime::Task;

constexpr int8_t kFromTopic = 1;  // DescribeConfigs: set on the topic itself

Value ids(const std::vector<BrokerId>& brokers) {
  Value::List list;
  for (const BrokerId id : brokers) list.emplace_back(int64_t{id.value});
  return list;
}

Value optional_number(int64_t number) { return number < 0 ? Value() : Value(number); }

int report(const Session& session, const std::vector<client::Outcome>& outcomes, const char* done) {
  Value::List rows;
  int status = kDone;
  for (const client::Outcome& outcome : outcomes) {
    if (outcome.error) {
      session.out.error(*outcome.error);
      status = kRefused;
    } else {
      rows.push_back(Value::object({{"name", outcome.name}, {"result", done}}));
    }
  }
  session.out.data(Value(rows));
  return status;
}

Task<Result<int>> create(Session& session, const TopicCreate& command) {
  std::vector<client::NewTopic> topics;
  for (const std::string& name : command.names) {
    client::NewTopic& topic = topics.emplace_back();
    topic.name = name;
    topic.partitions = command.partitions;
    topic.replication = command.replication;
    for (const std::string& text : command.configs) {
      CO_TRY_ASSIGN(auto config, parse_pair(text, "setting"));
      topic.configs.push_back(std::move(config));
    }
  }
  auto creating = session.admin.create_topics(topics, command.validate_only);
  const auto created = co_await creating;
  if (!created) co_return fail(Error(created.error()));
  Value::List rows;
  int status = kDone;
  for (const client::CreatedTopic& topic : *created) {
    if (topic.error) {
      session.out.error(*topic.error);
      status = kRefused;
      continue;
    }
    rows.push_back(Value::object({{"name", topic.name},
                                  {"id", topic.id.is_zero() ? Value() : Value(topic.id.to_string())},
                                  {"partitions", optional_number(topic.partitions)},
                                  {"replication_factor", optional_number(topic.replication)}}));
  }
  session.out.data(Value(rows));
  co_return status;
}

Task<Result<int>> list(Session& session, const TopicList& command) {
  client::Cluster::Interest everything;
  everything.all = true;
  Task<Result<void>> asking = session.cluster.refresh(everything);
  const Result<void> asked = co_await asking;
  if (!asked) co_return fail(Error(asked.error()));
  Value::List rows;
  for (const auto& [name, topic] : session.cluster.metadata().topics()) {
    if (topic.is_internal && !command.internal) continue;
    const size_t replicas = topic.partitions.empty() ? 0 : topic.partitions.begin()->second.replicas.size();
    rows.push_back(Value::object({{"name", name},
                                  {"id", topic.id.is_zero() ? Value() : Value(topic.id.to_string())},
                                  {"partitions", static_cast<int64_t>(topic.partitions.size())},
                                  {"replication_factor", static_cast<int64_t>(replicas)},
                                  {"internal", topic.is_internal}}));
  }
  session.out.data(Value(rows));
  co_return kDone;
}

// Log starts and ends as far as there is somebody to tell them.
struct Bounds {
  client::PerPartition<client::TimedOffset> start;
  client::PerPartition<client::TimedOffset> end;
  [[nodiscard]] std::vector<Error> failed() const;
  static Value of(const client::PerPartition<client::TimedOffset>& offsets, const TopicPartition& tp) {
    const auto found = offsets.find(tp);
    if (found == offsets.end() || !found->second) return {};
    return Value(found->second->offset.value);
  }
};

// One for each partition. A topic that metadata knows and its leader does not comes or goes this moment.
std::vector<Error> Bounds::failed() const {
  std::map<TopicPartition, Error> errors;
  for (const auto* offsets : {&start, &end}) {
    for (const auto& [tp, offset] : *offsets) {
      if (!offset && offset.error().code() != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        errors.emplace(tp, offset.error());
    }
  }
  std::vector<Error> all;
  for (const auto& [tp, error] : errors) all.push_back(error);
  return all;
}

Task<Result<Bounds>> bounds_of(Session& session, const TopicMetadata& topic) {
  std::map<TopicPartition, int64_t> earliest;
  std::map<TopicPartition, int64_t> latest;
  for (const auto& [id, partition] : topic.partitions) {
    if (partition.leader == kNoBroker) continue;
    earliest[{topic.name, id}] = client::kEarliest;
    latest[{topic.name, id}] = client::kLatest;
  }
  Bounds bounds;
  auto first = session.admin.list_offsets(earliest, client::Isolation::read_uncommitted);
  auto starts = co_await first;
  if (!starts) co_return fail(Error(starts.error()));
  bounds.start = std::move(*starts);
  auto second = session.admin.list_offsets(latest, client::Isolation::read_uncommitted);
  auto ends = co_await second;
  if (!ends) co_return fail(Error(ends.error()));
  bounds.end = std::move(*ends);
  co_return bounds;
}

Value describe_partition(const TopicMetadata& topic, PartitionId id, const Bounds& bounds, bool with_topic) {
  const client::PartitionMetadata& partition = topic.partitions.at(id);
  Value::Object fields;
  if (with_topic) fields.emplace_back("topic", topic.name);
  fields.emplace_back("partition", int64_t{id.value});
  fields.emplace_back("leader", optional_number(partition.leader.value));
  fields.emplace_back("leader_epoch", optional_number(partition.leader_epoch.value));
  fields.emplace_back("replicas", ids(partition.replicas));
  fields.emplace_back("isr", ids(partition.in_sync));
  fields.emplace_back("offline", ids(partition.offline));
  fields.emplace_back("start_offset", Bounds::of(bounds.start, {topic.name, id}));
  fields.emplace_back("end_offset", Bounds::of(bounds.end, {topic.name, id}));
  return fields;
}

Task<Result<int>> describe(Session& session, const TopicDescribe& command) {
  std::vector<std::string> names = command.names;
  if (names.empty()) {
    client::Cluster::Interest everything;
    everything.all = true;
    Task<Result<void>> asking = session.cluster.refresh(everything);
    const Result<void> asked = co_await asking;
    if (!asked) co_return fail(Error(asked.error()));
    for (const auto& [name, topic] : session.cluster.metadata().topics()) {
      if (!topic.is_internal) names.push_back(name);
    }
  }
  Value::List documents;
  Value::List rows;
  int status = kDone;
  for (const std::string& name : names) {
    auto finding = find_topic(session, name);
    const auto found = co_await finding;
    if (!found) {
      session.out.error(found.error());
      status = kRefused;
      continue;
    }
    const TopicMetadata topic = **found;
    auto bounding = bounds_of(session, topic);
    const Result<Bounds> bounds = co_await bounding;
    if (!bounds) co_return fail(Error(bounds.error()));
    const std::vector<Error> failed = bounds->failed();
    session.out.errors(failed);
    if (!failed.empty()) status = kRefused;
    std::vector<client::Resource> resources;
    resources.push_back({client::ResourceType::topic, name});
    auto asking = session.admin.describe_configs(resources);
    const auto configs = co_await asking;
    if (!configs) co_return fail(Error(configs.error()));
    Value::List partitions;
    for (const auto& [id, partition] : topic.partitions) {
      partitions.push_back(describe_partition(topic, id, *bounds, false));
      rows.push_back(describe_partition(topic, id, *bounds, true));
    }
    Value::Object overrides;
    for (const client::ConfigEntry& entry : configs->front().entries) {
      if (entry.source == kFromTopic)
        overrides.emplace_back(entry.name, entry.value ? Value(*entry.value) : Value());
    }
    documents.push_back(Value::object({{"name", name},
                                       {"id", topic.id.is_zero() ? Value() : Value(topic.id.to_string())},
                                       {"internal", topic.is_internal},
                                       {"configs", Value(overrides)},
                                       {"partitions", Value(partitions)}}));
  }
  session.out.data(Value(documents), Value(rows));
  co_return status;
}

Task<Result<int>> alter(Session& session, const TopicAlter& command) {
  if (command.partitions == 0 && command.configs.empty() && command.removed.empty())
    co_return fail(Error::config("nothing to alter: give -p, -c or -d"));
  std::vector<client::ConfigChange> changes;
  for (const std::string& text : command.configs) {
    CO_TRY_ASSIGN(auto config, parse_pair(text, "setting"));
    changes.push_back({std::move(config.first), std::move(config.second)});
  }
  for (const std::string& name : command.removed) changes.push_back({name, std::nullopt});
  std::vector<client::Outcome> outcomes;
  if (!changes.empty()) {
    client::Resource resource{client::ResourceType::topic, command.name};
    auto altering = session.admin.alter_configs(resource, changes);
    const auto altered = co_await altering;
    if (!altered) co_return fail(Error(altered.error()));
    outcomes.push_back(*altered);
  }
  if (command.partitions > 0) {
    std::map<std::string, int32_t> counts;
    counts[command.name] = command.partitions;
    auto growing = session.admin.create_partitions(counts);
    const auto grown = co_await growing;
    if (!grown) co_return fail(Error(grown.error()));
    // One row for the topic, unless one of the two was refused.
    if (outcomes.empty() || outcomes.back().error || grown->front().error)
      outcomes.insert(outcomes.end(), grown->begin(), grown->end());
  }
  co_return report(session, outcomes, "altered");
}

Task<Result<int>> remove(Session& session, const TopicDelete& command) {
  auto deleting = session.admin.delete_topics(command.names);
  const auto deleted = co_await deleting;
  if (!deleted) co_return fail(Error(deleted.error()));
  co_return report(session, *deleted, "deleted");
}

}  // namespace

int topic_create(const GlobalOptions& g, const TopicCreate& command) {
  return run_session(g, command, create);
}
int topic_list(const GlobalOptions& g, const TopicList& command) { return run_session(g, command, list); }
int topic_describe(const GlobalOptions& g, const TopicDescribe& command) {
  return run_session(g, command, describe);
}
int topic_alter(const GlobalOptions& g, const TopicAlter& command) { return run_session(g, command, alter); }
int topic_delete(const GlobalOptions& g, const TopicDelete& command) {
  return run_session(g, command, remove);
}

}  // namespace tidemark::cli
