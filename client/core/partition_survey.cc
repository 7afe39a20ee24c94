#include "client/core/partition_survey.h"

#include "client/core/admin_wire.h"
#include "client/core/all_at_once.h"
#include "client/core/co_try.h"
#include "protocol/messages/describe_groups_request.h"
#include "protocol/messages/describe_groups_response.h"
#include "protocol/messages/list_offsets_request.h"
#include "protocol/messages/list_offsets_response.h"

namespace tidemark::client {
namespace {

using runtime::Task;
using Partitions = std::vector<TopicPartition>;

constexpr size_t kPartitionsPerRequest = 1'000;
constexpr std::chrono::milliseconds kLeadersMove(1'000);
// Newer ones answer with an error for a group that there is not, which brokers count.
constexpr int16_t kDeadWithoutError = 5;  // of DescribeGroups
constexpr int32_t kNameTries = 100;       // for each partition

Task<Result<void>> ask_ends(Cluster::Link link, const Partitions& led, BrokerId leader,
                            PartitionSurvey& survey) {
  CO_TRY_ASSIGN(const int16_t version, link->version_of<protocol::ListOffsetsRequest>());
  for (std::span<const TopicPartition> rest(led); !rest.empty();) {
    const auto share = rest.first(std::min(rest.size(), kPartitionsPerRequest));
    rest = rest.subspan(share.size());
    protocol::ListOffsetsRequest request;
    request.replica_id = -1;
    for (const TopicPartition& tp : share) {
      auto& wanted = add_partition(request, tp);
      wanted.timestamp = kLatest;
      wanted.current_leader_epoch = kNoLeaderEpoch.value;
    }
    auto asking = link->call<protocol::ListOffsetsRequest, protocol::ListOffsetsResponse>(request, version);
    const auto reply = co_await asking;
    if (!reply) co_return fail(Error(reply.error()));
    for (const auto& told : reply->body.topics) {
      for (const auto& each : told.partitions) {
        if (each.error_code == 0) continue;
        const TopicPartition tp{std::string(told.name), PartitionId(each.partition_index)};
        survey.unserved.emplace(tp, Unserved{leader, ErrorCode(each.error_code)});
      }
    }
  }
  co_return Result<void>();
}

// One that is still being loaded is no fault of its own: ListGroups tells it.
Task<Result<void>> ask_groups(Cluster::Link link, const Partitions& led, int32_t coordinators,
                              BrokerId leader, PartitionSurvey& survey) {
  const std::map<PartitionId, std::string> names = groups_of_partitions(coordinators);
  std::map<std::string_view, TopicPartition> asked;
  protocol::DescribeGroupsRequest request;
  for (const TopicPartition& tp : led) {
    const auto name = names.find(tp.partition);
    if (tp.topic != kOffsetsTopic || name == names.end()) continue;
    request.groups.emplace_back(name->second);
    asked.emplace(name->second, tp);
  }
  if (asked.empty()) co_return Result<void>();
  CO_TRY_ASSIGN(const int16_t version, link->version_of<protocol::DescribeGroupsRequest>(kDeadWithoutError));
  auto asking =
      link->call<protocol::DescribeGroupsRequest, protocol::DescribeGroupsResponse>(request, version);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  for (const auto& each : reply->body.groups) {
    const auto error = ErrorCode(each.error_code);
    const auto partition = asked.find(each.group_id);
    const bool has_none =
        error == ErrorCode::NOT_COORDINATOR || error == ErrorCode::COORDINATOR_NOT_AVAILABLE;
    if (has_none && partition != asked.end())
      survey.unserved.emplace(partition->second, Unserved{leader, error});
  }
  co_return Result<void>();
}

Task<void> ask_leader(Cluster& cluster, BrokerId leader, Partitions led, PartitionSurvey& survey) {
  Task<Result<Cluster::Link>> opening = cluster.broker(leader);
  const Result<Cluster::Link> link = co_await opening;
  if (!link) {
    survey.unknown.insert_or_assign(leader, link.error());
    co_return;
  }
  auto asking = ask_ends(*link, led, leader, survey);
  Result<void> asked = co_await asking;
  const TopicMetadata* offsets = cluster.metadata().find_topic(kOffsetsTopic);
  if (asked && offsets != nullptr) {
    const auto coordinators = static_cast<int32_t>(offsets->partitions.size());
    auto asking_groups = ask_groups(*link, led, coordinators, leader, survey);
    asked = co_await asking_groups;
  }
  if (!asked) survey.unknown.insert_or_assign(leader, asked.error());
}

// Of partitions that the metadata knows.
Task<void> ask_leaders(Cluster& cluster, const Partitions& all, PartitionSurvey& survey) {
  std::map<BrokerId, Partitions> leaders;
  for (const TopicPartition& tp : all) {
    const BrokerId leader = cluster.metadata().leader(tp);
    if (leader != kNoBroker) {
      leaders[leader].push_back(tp);
    } else {
      survey.unserved.emplace(tp, Unserved{kNoBroker, ErrorCode::LEADER_NOT_AVAILABLE});
    }
  }
  std::vector<Task<void>> asks;
  for (auto& [leader, led] : leaders) asks.push_back(ask_leader(cluster, leader, std::move(led), survey));
  Task<void> asking = all_at_once(cluster.scheduler(), std::move(asks));
  co_await asking;
}

}  // namespace

std::map<PartitionId, std::string> groups_of_partitions(int32_t partitions) {
  std::map<PartitionId, std::string> names;
  for (int32_t n = 0; std::ssize(names) < partitions && n / kNameTries < partitions; ++n) {
    std::string name = fmt::format("tidemark-survey-{}", n);
    uint32_t hash = 0;  // Java's String.hashCode(), as Kafka places groups
    for (const char c : name) hash = 31 * hash + static_cast<uint8_t>(c);
    names.emplace(PartitionId(static_cast<int32_t>(hash & 0x7FFFFFFF) % partitions), std::move(name));
  }
  return names;
}

Task<Result<PartitionSurvey>> survey_partitions(Cluster& cluster, std::optional<std::string> topic) {
  Cluster::Interest interest;
  interest.all = !topic;
  if (topic) interest.topics.insert(*topic);
  Task<Result<void>> refreshing = cluster.refresh(interest);
  const Result<void> refreshed = co_await refreshing;
  if (!refreshed) co_return fail(Error(refreshed.error()));
  Partitions all;
  for (const auto& [name, known] : cluster.metadata().topics()) {
    if (topic && name != *topic) continue;
    for (const auto& [id, partition] : known.partitions) all.push_back({name, id});
  }
  PartitionSurvey survey;
  Task<void> asking = ask_leaders(cluster, all, survey);
  co_await asking;
  if (survey.unserved.empty()) co_return survey;
  Task<void> pause = runtime::sleep_for(cluster.scheduler(), kLeadersMove);
  co_await pause;
  Task<Result<void>> refreshing_again = cluster.refresh(interest);
  const Result<void> refreshed_again = co_await refreshing_again;
  if (!refreshed_again) co_return fail(Error(refreshed_again.error()));
  all.clear();
  for (const auto& [tp, unserved] : survey.unserved) {
    if (cluster.metadata().find(tp) != nullptr) all.push_back(tp);
  }
  survey.unserved.clear();
  Task<void> asking_again = ask_leaders(cluster, all, survey);
  co_await asking_again;
  co_return survey;
}

}  // namespace tidemark::client
