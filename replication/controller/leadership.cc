#include "replication/controller/leadership.h"

#include <fmt/format.h>

#include <algorithm>

#include "protocol/broker_ids.h"
#include "replication/controller/assignment.h"
#include "replication/controller/election.h"

namespace tidemark::replication {

namespace {

ApiError elect_one(const MetadataImage& image, const TopicImage& topic, PartitionId id, ElectionType type,
                   RecordList& records) {
  const PartitionImage* partition = topic.partition(id);
  if (partition == nullptr) {
    return {ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, fmt::format("No such partition as {}-{}", topic.name, id)};
  }
  const bool preferred = type == ElectionType::preferred;
  if (preferred ? partition->leader == partition->replicas.front() : partition->leader != kNoBroker)
    return {ErrorCode::ELECTION_NOT_NEEDED, "Leader election not needed for topic partition."};
  if (records.size() >= kMaxRecordsPerDecision)
    return {ErrorCode::POLICY_VIOLATION, "Too many elections in one request."};
  const PartitionRef ref{topic.id, id, *partition};
  const PartitionVerdict verdict = preferred ? elect_preferred(image, ref) : elect_uncleanly(image, ref);
  if (verdict) {
    records.add(*verdict, partition_change_record_version(image));
    return {};
  }
  if (preferred)
    return {ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE, "The preferred leader was not available."};
  return {ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE, "Eligible topic partition leaders are not available."};
}

Result<void> reassign(const MetadataImage& image, const std::string& name,
                      const PartitionReassignment& wanted, RecordList& records) {
  const TopicImage* topic = image.topic(name);
  if (topic == nullptr) {
    return fail(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, fmt::format("Unable to find a topic named {}.", name));
  }
  const PartitionImage* now = topic->partition(wanted.partition);
  if (now == nullptr) {
    return fail(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                fmt::format("Unable to find partition {}:{}.", name, wanted.partition));
  }
  if (!wanted.replicas) return fail(ErrorCode::NO_REASSIGNMENT_IN_PROGRESS, "");
  TRY(check_assignment(image, *wanted.replicas, std::nullopt));
  if (*wanted.replicas == now->replicas) return {};
  if (!std::is_permutation(wanted.replicas->begin(), wanted.replicas->end(), now->replicas.begin(),
                           now->replicas.end())) {
    return fail(ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                fmt::format("This release moves no replica to another broker: {}-{} stays on {}.", name,
                            wanted.partition, fmt::join(now->replicas, ",")));
  }
  if (records.size() >= kMaxRecordsPerDecision)
    return fail(ErrorCode::POLICY_VIOLATION, "Too many reassignments in one request.");
  protocol::PartitionChangeRecord record;
  record.topic_id = topic->id;
  record.partition_id = wanted.partition.value;
  record.replicas = numbers_of(*wanted.replicas);
  record.directories.emplace();
  for (const BrokerId replica : *wanted.replicas) {
    const auto at = std::find(now->replicas.begin(), now->replicas.end(), replica) - now->replicas.begin();
    record.directories->push_back(now->directories[static_cast<size_t>(at)]);
  }
  records.add(record, partition_change_record_version(image));
  return {};
}

}  // namespace

Decision<std::vector<TopicAnswer>> elect_leaders(const MetadataImage& image, ElectionType type,
                                                 const std::vector<TopicPartitions>* topics) {
  Decision<std::vector<TopicAnswer>> decision;
  if (topics == nullptr) {
    for (const auto& [name, topic] : image.topics) {
      TopicAnswer& answer = decision.response.emplace_back();
      answer.topic = name;
      for (PartitionId id(0); id.value < topic->partition_count(); ++id.value) {
        ApiError error = elect_one(image, *topic, id, type, decision.records);
        if (error.code != ErrorCode::ELECTION_NOT_NEEDED) answer.partitions.push_back({id, std::move(error)});
      }
    }
    return decision;
  }
  for (const TopicPartitions& wanted : *topics) {
    TopicAnswer& answer = decision.response.emplace_back();
    answer.topic = wanted.topic;
    const TopicImage* topic = image.topic(wanted.topic);
    for (const PartitionId id : wanted.partitions) {
      answer.partitions.push_back({id, topic != nullptr ? elect_one(image, *topic, id, type, decision.records)
                                                        : ApiError(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                                                                   "No such topic as " + wanted.topic)});
    }
  }
  return decision;
}

Decision<std::vector<TopicAnswer>> alter_partition_reassignments(const MetadataImage& image,
                                                                 std::span<const TopicReassignment> topics) {
  Decision<std::vector<TopicAnswer>> decision;
  for (const TopicReassignment& topic : topics) {
    TopicAnswer& answer = decision.response.emplace_back();
    answer.topic = topic.topic;
    for (const PartitionReassignment& wanted : topic.partitions) {
      const auto done = reassign(image, topic.topic, wanted, decision.records);
      ApiError error = done ? ApiError() : ApiError(done.error());
      // Kafka says nothing where nothing was to be cancelled.
      if (error.message && error.message->empty()) error.message.reset();
      answer.partitions.push_back({wanted.partition, std::move(error)});
    }
  }
  return decision;
}

}  // namespace tidemark::replication
