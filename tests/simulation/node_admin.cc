#include "tests/simulation/node_admin.h"

#include "protocol/messages/create_partitions_request.h"
#include "protocol/messages/create_partitions_response.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/delete_records_request.h"
#include "protocol/messages/delete_records_response.h"
#include "protocol/messages/delete_topics_request.h"
#include "protocol/messages/delete_topics_response.h"
#include "protocol/messages/incremental_alter_configs_request.h"
#include "protocol/messages/incremental_alter_configs_response.h"

namespace tidemark::simulation {

using runtime::Task;

namespace {

constexpr int8_t kTopicResource = 2;

}  // namespace

Task<void> NodeAdmin::operate() {
  const NodeWorkload& w = run_.workload;
  if (run_.random.chance(0.25)) {
    auto looking = run_.random.chance(0.5) ? look_at_topics() : look_at_term();
    (void)co_await looking;
    co_return;
  }
  const std::string name = run_.cluster.names()[run_.random.below(run_.cluster.names().size())];
  const NameModel& model = run_.cluster.name(name);
  if (model.busy) {
    // Only a later life can tell what became of it.
    auto looking = look_at_topics();
    (void)co_await looking;
    co_return;
  }
  Task<void> task;
  const uint64_t draw = run_.random.below(100);
  if (!model.topic) {
    task = create(name);
  } else if (draw < 15 && w.erases) {
    task = erase(name);
  } else if (draw < 25 && w.grows && model.topic->partition_count() < 2 * w.max_partitions) {
    task = grow(name);
  } else if (draw < 55 && w.trims) {
    task = trim(name);
  } else if (draw < 75 && w.alters) {
    task = alter(name);
  } else {
    auto looking = look_at_settings(name);
    (void)co_await looking;
    co_return;
  }
  co_await task;
}

NodeAdmin::Outcome NodeAdmin::judge(const std::string& name, const char* what, ErrorCode code) {
  if (code == ErrorCode::NONE) return Outcome::done;
  run_.note("{} {} is answered with {}", what, name, error_name(code));
  run_.counters.count("node: admin operation refused");
  switch (code) {
    case ErrorCode::KAFKA_STORAGE_ERROR:
      // The metadata log's disk: it may be written all the same.
      if (!storage_may_fail())
        run_.violate(fmt::format("{} {} is answered with {}", what, name, error_name(code)));
      return Outcome::unknown;
    case ErrorCode::REQUEST_TIMED_OUT: return Outcome::unknown;
    default:
      run_.violate(fmt::format("{} {} is answered with {}", what, name, error_name(code)));
      return Outcome::refused;
  }
}

void NodeAdmin::unanswered(const std::string& name, Pending pending) {
  if (!reached()) return run_.cluster.refused(name);
  run_.counters.count("node: admin operation unanswered");
  run_.note("whether {} was changed is not known", name);
  run_.cluster.unanswered(name, pending, life());
}

NodeAdmin::Settings NodeAdmin::some_settings() {
  Settings settings;
  settings["max.message.bytes"] = fmt::format("{}", run_.random.between(1'000'000, 2'000'000));
  if (run_.random.chance(0.6)) settings["segment.index.bytes"] = one_of({"24", "120", "4096"});
  if (run_.random.chance(0.4)) settings["segment.ms"] = one_of({"300", "5000", "604800000"});
  if (run_.random.chance(0.5)) settings["index.interval.bytes"] = one_of({"0", "300", "4096"});
  if (run_.random.chance(0.5)) settings["file.delete.delay.ms"] = one_of({"0", "1000", "60000"});
  if (run_.workload.keys == 0) return settings;
  // One that only compacts is not cut from its front.
  settings["cleanup.policy"] =
      one_of({"delete", "compact,delete", run_.workload.trims ? "compact,delete" : "compact"});
  settings["segment.ms"] = one_of({"300", "2000", "10000"});
  settings["min.cleanable.dirty.ratio"] = one_of({"0.01", "0.3"});
  settings["delete.retention.ms"] = run_.workload.tombstones_go ? "0" : "86400000";
  if (run_.random.chance(0.3)) settings["max.compaction.lag.ms"] = one_of({"500", "5000"});
  return settings;
}

Task<void> NodeAdmin::create(std::string name) {
  run_.cluster.begin(name);
  NameModel& model = run_.cluster.name(name);
  const Settings settings = some_settings();
  const auto partitions =
      static_cast<int32_t>(1 + run_.random.below(static_cast<uint64_t>(run_.workload.max_partitions)));
  protocol::CreateTopicsRequest request;
  request.timeout_ms = run_.workload.request_timeout_ms;
  auto& topic = request.topics.emplace_back();
  topic.name = name;
  topic.num_partitions = partitions;
  topic.replication_factor = run_.random.chance(0.5) ? 1 : -1;
  for (const auto& [key, value] : settings) {
    auto& config = topic.configs.emplace_back();
    config.name = key;
    config.value = value;
  }
  model.pending_settings = settings;
  const auto version = static_cast<int16_t>(run_.random.between(4, 7));
  auto asking = ask<protocol::CreateTopicsResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return unanswered(name, Pending::create);
  if (reply->body.topics.size() != 1) co_return run_.violate("CreateTopics answers for another topic");
  const auto& answer = reply->body.topics[0];
  const Outcome outcome = judge(name, "CreateTopics", static_cast<ErrorCode>(answer.error_code));
  if (outcome == Outcome::refused) co_return run_.cluster.refused(name);
  // Before v7 the answer does not say the id: it is learned from the metadata.
  if (outcome == Outcome::unknown || version < 7) {
    run_.cluster.unanswered(name, Pending::create, outcome == Outcome::unknown ? life() : kAcknowledged);
  } else {
    run_.judge(run_.cluster.created(name, answer.topic_id, partitions, settings));
  }
  if (outcome == Outcome::done) run_.count("node: topic created");
  run_.note("created {} with {} partitions", name, partitions);
  if (version < 7) {
    auto looking = look_at_topics();
    (void)co_await looking;
  }
}

Task<void> NodeAdmin::erase(std::string name) {
  run_.cluster.begin(name);
  const TopicPtr topic = run_.cluster.name(name).topic;
  const auto version = static_cast<int16_t>(run_.random.between(1, 6));
  protocol::DeleteTopicsRequest request;
  request.timeout_ms = run_.workload.request_timeout_ms;
  if (version < 6) {
    request.topic_names.push_back(name);
  } else {
    auto& state = request.topics.emplace_back();
    const bool by_id = run_.random.chance(0.5);
    if (by_id) {
      state.topic_id = topic->id;
    } else {
      state.name = name;
    }
  }
  auto asking = ask<protocol::DeleteTopicsResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return unanswered(name, Pending::erase);
  if (reply->body.responses.size() != 1) co_return run_.violate("DeleteTopics answers for another topic");
  const auto code = static_cast<ErrorCode>(reply->body.responses[0].error_code);
  const Outcome outcome = judge(name, "DeleteTopics", code);
  if (outcome == Outcome::unknown) co_return run_.cluster.unanswered(name, Pending::erase, life());
  if (outcome == Outcome::refused) co_return run_.cluster.refused(name);
  run_.cluster.erased(name);
  run_.count("node: topic deleted");
  run_.note("deleted {} ({})", name, topic->id);
  // Mostly at once, while what it left behind is still being swept up.
  if (run_.random.chance(0.7) && !over()) {
    auto creating = create(name);
    co_await creating;
    run_.counters.count("node: topic made again under its name");
  }
}

Task<void> NodeAdmin::grow(std::string name) {
  run_.cluster.begin(name);
  NameModel& model = run_.cluster.name(name);
  const auto partitions = static_cast<int32_t>(model.topic->partition_count() + run_.random.between(1, 3));
  model.pending_partitions = partitions;
  protocol::CreatePartitionsRequest request;
  request.timeout_ms = run_.workload.request_timeout_ms;
  auto& topic = request.topics.emplace_back();
  topic.name = name;
  topic.count = partitions;
  topic.assignments.reset();
  const auto version = static_cast<int16_t>(run_.random.between(0, 3));
  auto asking = ask<protocol::CreatePartitionsResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return unanswered(name, Pending::partitions);
  if (reply->body.results.size() != 1) co_return run_.violate("CreatePartitions answers for another topic");
  const auto code = static_cast<ErrorCode>(reply->body.results[0].error_code);
  const Outcome outcome = judge(name, "CreatePartitions", code);
  if (outcome == Outcome::unknown) co_return run_.cluster.unanswered(name, Pending::partitions, life());
  if (outcome == Outcome::refused) co_return run_.cluster.refused(name);
  run_.cluster.grown(name, partitions);
  run_.count("node: partitions added");
  run_.note("{} has {} partitions", name, partitions);
}

Task<void> NodeAdmin::alter(std::string name) {
  run_.cluster.begin(name);
  NameModel& model = run_.cluster.name(name);
  const Settings settings = some_settings();
  model.pending_settings = settings;
  const auto policy = settings.find("cleanup.policy");
  if (policy != settings.end() && policy->second.starts_with("compact")) model.topic->may_be_compacted();
  protocol::IncrementalAlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = kTopicResource;
  resource.resource_name = name;
  for (const auto& [key, value] : settings) {
    auto& config = resource.configs.emplace_back();
    config.name = key;
    config.config_operation = 0;  // set
    config.value = value;
  }
  const auto version = static_cast<int16_t>(run_.random.between(0, 1));
  auto asking = ask<protocol::IncrementalAlterConfigsResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return unanswered(name, Pending::alter);
  if (reply->body.responses.size() != 1)
    co_return run_.violate("IncrementalAlterConfigs answers for another topic");
  const auto code = static_cast<ErrorCode>(reply->body.responses[0].error_code);
  const Outcome outcome = judge(name, "IncrementalAlterConfigs", code);
  if (outcome == Outcome::unknown) co_return run_.cluster.unanswered(name, Pending::alter, life());
  if (outcome == Outcome::refused) co_return run_.cluster.refused(name);
  run_.cluster.altered(name, settings);
  for (const auto& [key, value] : settings) run_.note("set {} of {} to {}", key, name, value);
  run_.count("node: settings altered");
}

Task<void> NodeAdmin::trim(std::string name) {
  run_.cluster.begin(name);
  auto connecting = connect();
  const bool connected = co_await connecting;
  if (!connected) co_return run_.cluster.refused(name);
  const TopicPtr topic = run_.cluster.name(name).topic;
  const PartitionId partition(static_cast<int32_t>(run_.random.below(topic->partitions.size())));
  PartitionModel& model = topic->partition(partition);
  const int64_t span = std::max<int64_t>(model.promised_end() - model.start(), 0);
  const bool everything = run_.random.chance(0.1);
  const Offset to =
      everything ? kAnyOffset
                 : model.start() + static_cast<int64_t>(run_.random.below(static_cast<uint64_t>(span) + 1));
  protocol::DeleteRecordsRequest request;
  request.timeout_ms = run_.workload.request_timeout_ms;
  auto& wanted = request.topics.emplace_back();
  wanted.name = name;
  auto& p = wanted.partitions.emplace_back();
  p.partition_index = partition.value;
  p.offset = everything ? -1 : to.value;
  model.begin_trim(to);
  const PartitionModel::View view = model.view();
  const auto version = static_cast<int16_t>(run_.random.between(0, 2));
  auto asking = ask<protocol::DeleteRecordsResponse>(request, version);
  const auto reply = co_await asking;
  // It changes no metadata: the name is free whatever became of it, the limit of the start stays.
  run_.cluster.refused(name);
  if (!reply) {
    run_.cluster.trim_unanswered(name, partition, to);
    run_.counters.count("node: trim unanswered");
    co_return;
  }
  const auto& body = reply->body;
  if (body.topics.size() != 1 || body.topics[0].partitions.size() != 1)
    co_return run_.violate("DeleteRecords answers for another partition");
  const auto& answer = body.topics[0].partitions[0];
  const auto code = static_cast<ErrorCode>(answer.error_code);
  if (code != ErrorCode::NONE && excuses(*topic, partition, version_of(*topic), code)) co_return;
  if (judge(name, "DeleteRecords", code) != Outcome::done) co_return;
  run_.judge(model.served(life()));
  run_.judge(model.trimmed(to, Offset(answer.low_watermark), view));
  run_.count("node: records deleted");
  run_.note("trimmed {} to {}", model.name(), answer.low_watermark);
}

}  // namespace tidemark::simulation
