#include "replication/controller/topics.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "config/alter.h"
#include "protocol/invariant.h"
#include "replication/controller/assignment.h"
#include "replication/controller/placement.h"
#include "replication/controller/topic_name.h"

namespace tidemark::replication {

namespace {

using Replicas = std::vector<BrokerId>;

constexpr const char* kTooManyPartitions = "Excessively large number of partitions per request.";
constexpr const char* kDuplicateName = "Duplicate topic name.";

Result<void> ask(const PartitionQuota& quota, size_t partitions) {
  if (!quota || quota(partitions)) return {};
  return fail(ErrorCode::THROTTLING_QUOTA_EXCEEDED, "");
}

// The names that a request holds more than once.
template <class Item, class Name>
std::set<std::string_view> repeated(std::span<const Item> items, Name name) {
  std::set<std::string_view> seen, twice;
  for (const Item& item : items) {
    const std::string_view n = name(item);
    if (!seen.insert(n).second) twice.insert(n);
  }
  return twice;
}

Error no_active_broker(int16_t replication_factor) {
  return {
      ErrorCode::INVALID_REPLICATION_FACTOR,
      fmt::format(
          "Unable to replicate the partition {} time(s): All brokers are currently fenced or in controlled "
          "shutdown.",
          replication_factor)};
}

// `count` partitions chosen by the placer.
Result<std::vector<Replicas>> place(const MetadataImage& image, runtime::Random& random, size_t count,
                                    int16_t replication_factor) {
  ReplicaPlacer placer(image, random);
  if (const auto possible = placer.check(replication_factor); !possible) {
    return fail(possible.error().code(), fmt::format("Unable to replicate the partition {} time(s): {}",
                                                     replication_factor, possible.error().message()));
  }
  std::vector<Replicas> placed;
  placed.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    placed.push_back(placer.place(replication_factor));
    if (active_brokers(image, placed.back()).empty()) return fail(no_active_broker(replication_factor));
  }
  return placed;
}

Error all_inactive(int32_t partition) {
  return {ErrorCode::INVALID_REPLICA_ASSIGNMENT,
          fmt::format(
              "All brokers specified in the manual partition assignment for partition {} are fenced or in "
              "controlled shutdown.",
              partition)};
}

class TopicCreation {
 public:
  TopicCreation(const MetadataImage& image, const config::BrokerConfig& defaults, runtime::Random& random,
                const PartitionQuota& quota)
      : image_(image), defaults_(defaults), random_(random), quota_(quota) {}

  Result<CreatedTopic> create(const NewTopic& topic) {
    TRY(check_name(topic.name));
    TRY_ASSIGN(ConfigMap configs, creation_configs(topic));
    TRY_ASSIGN(const std::vector<Replicas> partitions, assign(topic, configs.size()));
    TRY(ask(quota_, partitions.size()));
    CreatedTopic created;
    created.name = topic.name;
    created.id = random_.uuid();
    created.partitions = static_cast<int32_t>(partitions.size());
    created.replication_factor = static_cast<int16_t>(partitions.front().size());
    created.configs = std::move(configs);
    write(created, partitions);
    if (has_collision_chars(topic.name)) created_[unify_collision_chars(topic.name)] = topic.name;
    return created;
  }

  RecordList take_records() { return std::move(records_); }

 private:
  Result<void> check_name(const std::string& name) {
    if (name == kClusterMetadataTopic) {
      return fail(ErrorCode::INVALID_REQUEST,
                  fmt::format("Creation of internal topic {} is prohibited.", kClusterMetadataTopic));
    }
    if (image_.topic(name) != nullptr)
      return fail(ErrorCode::TOPIC_ALREADY_EXISTS, fmt::format("Topic '{}' already exists.", name));
    TRY(validate_topic_name(name));
    if (!has_collision_chars(name)) return {};
    const std::string unified = unify_collision_chars(name);
    const auto collides = [&](const std::string& other) {
      return fail(ErrorCode::INVALID_TOPIC_EXCEPTION,
                  fmt::format("Topic '{}' collides with existing topic: {}", name, other));
    };
    if (const auto* others = image_.collisions.find(unified)) return collides(others->front());
    if (const auto earlier = created_.find(unified); earlier != created_.end())
      return collides(earlier->second);
    return {};
  }

  static Result<ConfigMap> creation_configs(const NewTopic& topic) {
    ConfigMap configs;
    std::string without_value;
    for (const auto& [key, value] : topic.configs) {
      if (value) {
        configs.insert_or_assign(key, *value);
      } else {
        without_value += (without_value.empty() ? "" : ",") + key;
      }
    }
    if (!without_value.empty())
      return fail(ErrorCode::INVALID_CONFIG, "Null value not supported for topic configs: " + without_value);
    TRY(config::validate_topic_configs(configs));
    return configs;
  }

  Result<std::vector<Replicas>> assign(const NewTopic& topic, size_t config_records) {
    if (!topic.assignments.empty()) return assign_by_hand(topic);
    if (topic.replication_factor == 0 || topic.replication_factor < kDefaultReplicationFactor) {
      return fail(ErrorCode::INVALID_REPLICATION_FACTOR,
                  "Replication factor must be larger than 0, or -1 to use the default value.");
    }
    if (topic.partitions == 0 || topic.partitions < kDefaultPartitions) {
      return fail(ErrorCode::INVALID_PARTITIONS,
                  "Number of partitions was set to an invalid non-positive value.");
    }
    const int32_t count =
        topic.partitions == kDefaultPartitions ? defaults_.num_partitions : topic.partitions;
    const auto factor =
        topic.replication_factor == kDefaultReplicationFactor
            ? static_cast<int16_t>(std::min<int32_t>(defaults_.default_replication_factor, INT16_MAX))
            : topic.replication_factor;
    TRY(check_room(static_cast<size_t>(count) + config_records));
    return place(image_, random_, static_cast<size_t>(count), factor);
  }

  Result<std::vector<Replicas>> assign_by_hand(const NewTopic& topic) {
    const auto refuse = [](ErrorCode code, std::string why) { return fail(code, std::move(why)); };
    if (topic.replication_factor != kDefaultReplicationFactor) {
      return refuse(ErrorCode::INVALID_REQUEST,
                    "A manual partition assignment was specified, but replication factor was not set to -1.");
    }
    if (topic.partitions != kDefaultPartitions) {
      return refuse(ErrorCode::INVALID_REQUEST,
                    "A manual partition assignment was specified, but numPartitions was not set to -1.");
    }
    std::map<PartitionId, Replicas> by_id;
    std::optional<size_t> factor;
    for (const ReplicaAssignment& assignment : topic.assignments) {
      const PartitionId id = assignment.partition;
      if (by_id.contains(id)) {
        return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                      fmt::format("Found multiple manual partition assignments for partition {}", id));
      }
      TRY(check_assignment(image_, assignment.brokers, factor));
      factor = assignment.brokers.size();
      if (active_brokers(image_, assignment.brokers).empty()) return fail(all_inactive(id.value));
      by_id[id] = assignment.brokers;
    }
    std::vector<Replicas> partitions;
    for (auto& [id, brokers] : by_id) {
      if (id != PartitionId(static_cast<int32_t>(partitions.size()))) {
        return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                      "partitions should be a consecutive 0-based integer sequence");
      }
      partitions.push_back(std::move(brokers));
    }
    TRY(check_room(partitions.size()));
    return partitions;
  }

  [[nodiscard]] Result<void> check_room(size_t more) const {
    if (more < kMaxRecordsPerDecision && records_.size() + more < kMaxRecordsPerDecision) return {};
    return fail(ErrorCode::POLICY_VIOLATION, kTooManyPartitions);
  }

  void write(const CreatedTopic& created, const std::vector<Replicas>& partitions) {
    protocol::TopicRecord topic;
    topic.name = created.name;
    topic.topic_id = created.id;
    records_.add(topic, 0);
    for (const auto& [key, value] : created.configs) {
      protocol::ConfigRecord config;
      config.resource_type = static_cast<int8_t>(ConfigResourceType::topic);
      config.resource_name = created.name;
      config.name = key;
      config.value = value;
      records_.add(config, 0);
    }
    const int16_t version = partition_record_version(image_);
    PartitionId id(0);
    for (const Replicas& replicas : partitions) {
      records_.add(new_partition(image_, created.id, id, replicas), version);
      ++id.value;
    }
  }

  const MetadataImage& image_;
  const config::BrokerConfig& defaults_;
  runtime::Random& random_;
  const PartitionQuota& quota_;
  RecordList records_;
  std::map<std::string, std::string> created_;  // by this request: unified name -> name
};

}  // namespace

Decision<std::vector<CreatedTopic>> create_topics(const MetadataImage& image,
                                                  const config::BrokerConfig& defaults,
                                                  runtime::Random& random, std::span<const NewTopic> topics,
                                                  bool validate_only, const PartitionQuota& quota) {
  const auto twice = repeated(topics, [](const NewTopic& t) { return std::string_view(t.name); });
  std::set<std::string_view> answered;
  TopicCreation creation(image, defaults, random, quota);
  Decision<std::vector<CreatedTopic>> decision;
  const auto refuse = [&](const NewTopic& topic, ApiError error) {
    CreatedTopic refused;
    refused.name = topic.name;
    refused.error = std::move(error);
    decision.response.push_back(std::move(refused));
  };
  for (const NewTopic& topic : topics) {
    if (twice.contains(topic.name)) {
      if (answered.insert(topic.name).second) refuse(topic, {ErrorCode::INVALID_REQUEST, kDuplicateName});
      continue;
    }
    auto created = creation.create(topic);
    if (created) {
      decision.response.push_back(*std::move(created));
    } else {
      refuse(topic, created.error());
    }
  }
  if (!validate_only) decision.records = creation.take_records();
  return decision;
}

Decision<std::vector<DeletedTopic>> delete_topics(const MetadataImage& image,
                                                  std::span<const TopicToDelete> topics,
                                                  const PartitionQuota& quota) {
  Decision<std::vector<DeletedTopic>> decision;
  const auto answer = [&](std::optional<std::string> name, const Uuid& id, ApiError error) {
    decision.response.push_back({std::move(name), id, std::move(error)});
  };
  std::map<std::string, int> names;
  std::map<Uuid, int> ids;
  for (const TopicToDelete& topic : topics) {
    if (topic.name && !topic.id.is_zero()) {
      answer(topic.name, topic.id,
             {ErrorCode::INVALID_REQUEST, "You may not specify both topic name and topic id."});
    } else if (topic.name) {
      ++names[*topic.name];
    } else if (topic.id.is_zero()) {
      answer(std::nullopt, topic.id,
             {ErrorCode::INVALID_REQUEST, "Neither topic name nor id were specified."});
    } else {
      ++ids[topic.id];
    }
  }
  // Named and given by id too: neither way deletes it.
  std::set<Uuid> meant_twice;
  for (const auto& [name, times] : names) {
    if (const TopicImage* topic = image.topic(name); topic != nullptr && ids.contains(topic->id))
      meant_twice.insert(topic->id);
  }
  const auto remove = [&](const TopicImage& topic) {
    if (const auto allowed = ask(quota, topic.partitions.size()); !allowed)
      return answer(topic.name, topic.id, allowed.error());
    protocol::RemoveTopicRecord record;
    record.topic_id = topic.id;
    decision.records.add(record, 0);
    answer(topic.name, topic.id, {});
  };
  for (const auto& [id, times] : ids) {
    const TopicImage* topic = image.topic(id);
    if (times > 1) {
      answer(std::nullopt, id, {ErrorCode::INVALID_REQUEST, "Duplicate topic id."});
    } else if (topic == nullptr) {
      answer(std::nullopt, id, {ErrorCode::UNKNOWN_TOPIC_ID, "This server does not host this topic ID."});
    } else if (!meant_twice.contains(id)) {
      remove(*topic);
    }
  }
  for (const auto& [name, times] : names) {
    const TopicImage* topic = image.topic(name);
    if (times > 1) {
      answer(name, {}, {ErrorCode::INVALID_REQUEST, kDuplicateName});
    } else if (topic == nullptr) {
      answer(name, {},
             {ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition."});
    } else if (meant_twice.contains(topic->id)) {
      answer(
          name, topic->id,
          {ErrorCode::INVALID_REQUEST, "The provided topic name maps to an ID that was already supplied."});
    } else {
      remove(*topic);
    }
  }
  return decision;
}

namespace {

// The records of one topic's additional partitions.
Result<RecordList> grow(const MetadataImage& image, runtime::Random& random, const MorePartitions& request,
                        size_t room, const PartitionQuota& quota) {
  const TopicImage* topic = image.topic(request.topic);
  if (topic == nullptr) return fail(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "");
  const int32_t present = topic->partition_count();
  if (request.count == present) {
    return fail(ErrorCode::INVALID_PARTITIONS, fmt::format("Topic already has {} partition(s).", present));
  }
  if (request.count < present) {
    return fail(ErrorCode::INVALID_PARTITIONS,
                fmt::format("The topic {} currently has {} partition(s); {} would not be an increase.",
                            topic->name, present, request.count));
  }
  const auto more = static_cast<size_t>(request.count - present);
  if (request.assignments && request.assignments->size() != more) {
    return fail(
        ErrorCode::INVALID_REPLICA_ASSIGNMENT,
        fmt::format("Attempted to add {} additional partition(s), but only {} assignment(s) were specified.",
                    more, request.assignments->size()));
  }
  if (more > room) return fail(ErrorCode::POLICY_VIOLATION, kTooManyPartitions);
  TRY(ask(quota, more));
  const size_t factor = topic->partitions.front()->replicas.size();
  std::vector<Replicas> added;
  if (request.assignments) {
    for (const Replicas& brokers : *request.assignments) {
      TRY(check_assignment(image, brokers, factor));
      if (active_brokers(image, brokers).empty())
        return fail(all_inactive(present + static_cast<int32_t>(added.size())));
      added.push_back(brokers);
    }
  } else {
    TRY_ASSIGN(added, place(image, random, more, static_cast<int16_t>(factor)));
  }
  RecordList records;
  PartitionId id(present);
  for (const Replicas& replicas : added) {
    records.add(new_partition(image, topic->id, id, replicas), partition_record_version(image));
    ++id.value;
  }
  return records;
}

}  // namespace

Decision<std::vector<GrownTopic>> create_partitions(const MetadataImage& image, runtime::Random& random,
                                                    std::span<const MorePartitions> topics,
                                                    bool validate_only, const PartitionQuota& quota) {
  const auto twice = repeated(topics, [](const MorePartitions& t) { return std::string_view(t.topic); });
  std::set<std::string_view> answered;
  Decision<std::vector<GrownTopic>> decision;
  for (const MorePartitions& topic : topics) {
    if (twice.contains(topic.topic)) {
      if (answered.insert(topic.topic).second)
        decision.response.push_back({topic.topic, {ErrorCode::INVALID_REQUEST, kDuplicateName}});
      continue;
    }
    const auto records = grow(image, random, topic, kMaxRecordsPerDecision - decision.records.size(), quota);
    ApiError error;
    if (records) {
      decision.records.append(*records);
    } else {
      error = ApiError(records.error());
    }
    decision.response.push_back({topic.topic, std::move(error)});
  }
  if (validate_only) decision.records = {};
  return decision;
}

}  // namespace tidemark::replication
