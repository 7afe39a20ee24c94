// `tidemark cluster health`: what a look over a cluster shows to be wrong.
#include <catch2/catch.hpp>

#include "client/cli/health.h"

using namespace tidemark;
using namespace tidemark::cli;

namespace {

client::PartitionMetadata partition(BrokerId leader, std::vector<BrokerId> replicas,
                                    std::vector<BrokerId> in_sync) {
  client::PartitionMetadata made;
  made.leader = leader;
  made.replicas = std::move(replicas);
  made.in_sync = std::move(in_sync);
  return made;
}

// Three brokers, a topic on all of them, a group: nothing is wrong.
client::ClusterSurvey healthy() {
  client::ClusterSurvey survey;
  survey.cluster_id = "id";
  survey.controller = BrokerId(1);
  for (const int32_t id : {1, 2, 3}) {
    const client::BrokerNode node{BrokerId(id), {"h", 9092}, {}};
    survey.brokers.push_back({node, {}, {}, {{"/data", {}, 1'000, 500}}});
  }
  client::TopicMetadata topic;
  topic.name = "orders";
  const std::vector<BrokerId> all{BrokerId(1), BrokerId(2), BrokerId(3)};
  topic.partitions[PartitionId(0)] = partition(BrokerId(1), all, all);
  topic.partitions[PartitionId(1)] = partition(BrokerId(2), all, all);
  survey.topics.push_back(topic);
  survey.min_in_sync["orders"] = 2;
  client::GroupLook group;
  group.group = {"billing", "classic", "consumer", "Stable"};
  survey.groups.push_back(group);
  return survey;
}

// "critical broker_unreachable broker 2 (h:9092): why", one a line.
std::string told(const client::ClusterSurvey& survey) {
  std::string text;
  for (const Fault& fault : find_faults(survey)) {
    CHECK_FALSE(fault.advice.empty());
    text += fmt::format("{} {} {}: {}\n", fault.severity == Severity::critical ? "critical" : "warning",
                        fault.kind, fault.subject, fault.detail);
  }
  return text;
}

}  // namespace

TEST_CASE("nothing is wrong with a healthy cluster") {
  const client::ClusterSurvey survey = healthy();
  CHECK(told(survey).empty());
  CHECK(health_row(survey, {}).json() ==
        R"({"healthy":true,"cluster_id":"id","controller":1,"brokers":3,"brokers_reachable":3,"topics":1,)"
        R"("partitions":2,"groups":1})");
  CHECK(log_dir_rows(survey).list()->front().json() ==
        R"({"broker":1,"log_dir":"/data","error":null,"total_bytes":1000,"usable_bytes":500,)"
        R"("used_percent":50})");
}

TEST_CASE("brokers that do not answer, and those that are not there") {
  client::ClusterSurvey survey = healthy();
  survey.brokers[1].unreachable = Error::closed("cannot connect to h:9092");
  // Its groups are not known either, which is no second fault.
  survey.groups_unknown.emplace(BrokerId(2), Error::closed("cannot connect to h:9092"));
  CHECK(told(survey) == "critical broker_unreachable broker 2 (h:9092): cannot connect to h:9092\n");
  survey = healthy();
  survey.brokers.pop_back();
  CHECK(told(survey) == "critical broker_missing broker 3: not in the cluster, and has 2 replicas\n");
  survey = healthy();
  survey.controller = kNoBroker;
  survey.groups_unknown.emplace(BrokerId(1), Error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, "loading"));
  survey.settings_error = Error::timeout("no answer");
  CHECK(told(survey) ==
        "critical no_controller cluster: no broker knows a controller\n"
        "warning settings_unknown cluster: no answer\n"
        "warning groups_unknown broker 1 (h:9092): COORDINATOR_LOAD_IN_PROGRESS: loading\n");
}

TEST_CASE("each partition is told once, by the worst that is wrong with it") {
  client::ClusterSurvey survey = healthy();
  const std::vector<BrokerId> all{BrokerId(1), BrokerId(2), BrokerId(3)};
  auto& partitions = survey.topics[0].partitions;
  partitions[PartitionId(0)] = partition(kNoBroker, all, {});
  partitions[PartitionId(1)] = partition(BrokerId(1), all, {BrokerId(1)});
  partitions[PartitionId(2)] = partition(BrokerId(1), all, {BrokerId(1), BrokerId(2)});
  partitions[PartitionId(3)] = partition(BrokerId(1), all, {BrokerId(1), BrokerId(2)});
  partitions[PartitionId(3)].offline = {BrokerId(3)};
  CHECK(told(survey) ==
        "critical no_leader topic orders: partition 0\n"
        "critical under_min_isr topic orders: partition 1, min.insync.replicas 2\n"
        "warning under_replicated topic orders: partitions 2,3\n"
        "warning offline_replicas topic orders: partition 3\n");
  // More than there are replicas at all: brokers ask for no more than these.
  survey = healthy();
  survey.min_in_sync["orders"] = 4;
  CHECK(told(survey).empty());
  survey = healthy();
  for (int32_t id = 0; id < 14; ++id)
    survey.topics[0].partitions[PartitionId(id)] = partition(kNoBroker, all, {});
  CHECK(told(survey) == "critical no_leader topic orders: partitions 0,1,2,3,4,5,6,7,8,9 and 4 more\n");
}

TEST_CASE("partitions that have a leader, which does not serve them") {
  client::ClusterSurvey survey = healthy();
  const std::vector<BrokerId> all{BrokerId(1), BrokerId(2), BrokerId(3)};
  auto& unserved = survey.partitions.unserved;
  for (const int32_t id : {0, 1, 2, 3}) {
    survey.topics[0].partitions[PartitionId(id)] = partition(BrokerId(2), all, {BrokerId(2)});
    unserved[{"orders", PartitionId(id)}] = {BrokerId(2), ErrorCode::KAFKA_STORAGE_ERROR};
  }
  unserved[{"orders", PartitionId(1)}].leader = BrokerId(3);
  unserved[{"orders", PartitionId(2)}].error = ErrorCode::NOT_LEADER_OR_FOLLOWER;
  CHECK(told(survey) ==
        "critical partition_offline topic orders: partition 2 on broker 2: NOT_LEADER_OR_FOLLOWER\n"
        "critical partition_offline topic orders: partitions 0,3 on broker 2: KAFKA_STORAGE_ERROR\n"
        "critical partition_offline topic orders: partition 1 on broker 3: KAFKA_STORAGE_ERROR\n");
  survey = healthy();
  survey.partitions.unknown.emplace(BrokerId(2), Error::timeout("no answer"));
  CHECK(told(survey) == "warning partitions_unknown broker 2 (h:9092): no answer\n");
  survey.brokers[1].unreachable = Error::closed("gone");  // which says it already
  CHECK(told(survey) == "critical broker_unreachable broker 2 (h:9092): gone\n");
}

TEST_CASE("partitions of groups that are offline, or whose coordinator failed") {
  client::ClusterSurvey survey = healthy();
  survey.topics[0].name = client::kOffsetsTopic;
  auto& unserved = survey.partitions.unserved;
  unserved[{"__consumer_offsets", PartitionId(0)}] = {BrokerId(1), ErrorCode::KAFKA_STORAGE_ERROR};
  unserved[{"__consumer_offsets", PartitionId(1)}] = {BrokerId(2), ErrorCode::NOT_COORDINATOR};
  CHECK(told(survey) ==
        "critical partition_offline topic __consumer_offsets: partition 0 on broker 1: KAFKA_STORAGE_ERROR\n"
        "critical coordinator_unavailable topic __consumer_offsets: partition 1 on broker 2: "
        "NOT_COORDINATOR\n");
  for (const Fault& fault : find_faults(survey))
    CHECK(fault.advice.find("the groups that it coordinates stand still") == 0);
}

TEST_CASE("log folders that failed, or fill up") {
  client::ClusterSurvey survey = healthy();
  survey.brokers[0].log_dirs[0].error = Error(ErrorCode::KAFKA_STORAGE_ERROR, "/data");
  survey.brokers[1].log_dirs[0].usable_bytes = 150;
  survey.brokers[2].log_dirs[0].usable_bytes = 50;
  CHECK(told(survey) ==
        "critical log_dir_failed broker 1 (h:9092) /data: KAFKA_STORAGE_ERROR: /data\n"
        "critical log_dir_full broker 3 (h:9092) /data: 95 % used\n"
        "warning log_dir_full broker 2 (h:9092) /data: 85 % used\n");
  survey = healthy();
  survey.brokers[0].log_dirs[0] = {"/data", {}, -1, -1};  // a broker that does not say
  CHECK(told(survey).empty());
}

TEST_CASE("groups that do not come to rest, and those without a coordinator") {
  client::ClusterSurvey survey = healthy();
  client::GroupLook& look = survey.groups[0];
  look.group.state = "PreparingRebalance";
  CHECK(told(survey).empty());  // everybody does it now and then
  look.is_moving = true;
  CHECK(told(survey) == "warning rebalancing group billing: PreparingRebalance, and was a moment ago\n");
  look.rebalances.loop_rebalances = 6;
  look.rebalances.recent.emplace_back().reason = "member m-3 left";
  CHECK(
      told(survey) ==
      "critical rebalance_loop group billing: rebalanced 6 times in a row; the last time: member m-3 left\n");
  look.error = Error(ErrorCode::COORDINATOR_NOT_AVAILABLE, "billing");
  CHECK(told(survey) ==
        "critical coordinator_unavailable group billing: COORDINATOR_NOT_AVAILABLE: billing\n");
}
