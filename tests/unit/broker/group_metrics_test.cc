// What is shown of groups: events by their kinds, and the looks of all shards as one.
#include "broker/group_metrics.h"

#include <catch2/catch.hpp>

namespace tidemark::broker {
namespace {

using coordinator::GroupState;
using coordinator::OffsetsEnd;
using coordinator::RebalanceCause;
using coordinator::RebalanceOutcome;

bool shows(const std::string& text, std::string_view line) {
  return ("\n" + text).find("\n" + std::string(line) + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("events of groups are counted by cause, outcome and end") {
  Metrics metrics(2);
  GroupMetrics groups(metrics, 2);
  coordinator::RebalanceEnded ended{"g", {}};
  ended.rebalance.cause = RebalanceCause::timeout;
  ended.rebalance.outcome = RebalanceOutcome::stable;
  groups.count(0, ended);
  groups.count(1, ended);
  groups.count(1, coordinator::RebalancesInLoop{"g", {}, ""});
  groups.count(0, coordinator::OffsetsReset{"g", 7});
  groups.count(0, coordinator::OffsetsEnded{"g", OffsetsEnd::topic_deleted, 3, false});
  groups.count(1, coordinator::OffsetsEnded{"g", OffsetsEnd::expired, 4, true});
  groups.commits.add(1, 9);
  const std::string text = metrics.serialize();
  CHECK(shows(text, R"(tidemark_group_rebalances_total{cause="timeout",outcome="stable"} 2)"));
  CHECK(shows(text, R"(tidemark_group_rebalances_total{cause="join",outcome="superseded"} 0)"));
  CHECK(shows(text, "tidemark_group_rebalance_loops_total 1"));
  CHECK(shows(text, "tidemark_group_offset_resets_total 7"));
  CHECK(shows(text, R"(tidemark_group_offsets_ended_total{end="topic_deleted"} 3)"));
  CHECK(shows(text, R"(tidemark_group_offsets_ended_total{end="expired"} 4)"));
  CHECK(shows(text, R"(tidemark_groups_ended_total{end="expired"} 1)"));
  CHECK(shows(text, R"(tidemark_groups_ended_total{end="group_deleted"} 0)"));
  CHECK(shows(text, "tidemark_group_offset_commits_total 9"));
}

TEST_CASE("what the shards have found is shown together, and an age that is not known has no series") {
  Metrics metrics(2);
  GroupMetrics groups(metrics, 2);
  GroupLook look;
  look.groups.rows.push_back({"billing", GroupState::stable, 3, 12, 6, 40, 2.5});
  look.groups.left_out = 1;
  look.partitions.rows.push_back({"billing", "orders", 4, 60, 40, 2.5});
  look.by_state[static_cast<size_t>(GroupState::stable)] = 2;
  look.in_loop = 1;
  look.coordinators = {3, 0, 1};
  look.seconds = 0.25;
  groups.publish(0, look);
  GroupLook other;
  other.groups.rows.push_back({"audit", GroupState::empty, 0, 1, 0, 7, std::nullopt});
  other.partitions.rows.push_back({"audit", "orders", 0, 3, 7, std::nullopt});
  other.partitions.left_out = 2;
  other.by_state[static_cast<size_t>(GroupState::empty)] = 1;
  other.coordinators = {1, 1, 1};
  groups.publish(1, other);
  const std::string text = metrics.serialize();
  CHECK(shows(text, R"(tidemark_groups{state="Stable"} 2)"));
  CHECK(shows(text, R"(tidemark_groups{state="Empty"} 1)"));
  CHECK(shows(text, R"(tidemark_group_coordinators{state="leader"} 4)"));
  CHECK(shows(text, R"(tidemark_group_coordinators{state="loading"} 1)"));
  CHECK(shows(text, R"(tidemark_group_coordinators{state="failed"} 2)"));
  CHECK(shows(text, "tidemark_groups_in_rebalance_loop 1"));
  CHECK(shows(text, "tidemark_groups_unnamed 1"));
  CHECK(shows(text, "tidemark_group_partitions_unnamed 2"));
  CHECK(shows(text, R"(tidemark_group_state{group="billing",state="Stable"} 1)"));
  CHECK(shows(text, R"(tidemark_group_members{group="billing"} 3)"));
  CHECK(shows(text, R"(tidemark_group_generation{group="billing"} 12)"));
  CHECK(shows(text, R"(tidemark_group_loop_rebalances{group="billing"} 6)"));
  CHECK(shows(text, R"(tidemark_group_total_lag_records{group="billing"} 40)"));
  CHECK(shows(text, R"(tidemark_group_max_lag_seconds{group="billing"} 2.5)"));
  CHECK(shows(text, R"(tidemark_group_lag_records{group="audit",topic="orders",partition="0"} 7)"));
  CHECK(shows(text, R"(tidemark_group_lag_seconds{group="billing",topic="orders",partition="4"} 2.5)"));
  CHECK(shows(text, R"(tidemark_group_committed_offset{group="audit",topic="orders",partition="0"} 3)"));
  CHECK(text.find(R"(tidemark_group_lag_seconds{group="audit")") == std::string::npos);
  CHECK(text.find("# TYPE tidemark_group_lag_seconds gauge") != std::string::npos);
}

TEST_CASE("a name that Prometheus would not take is no label") {
  CHECK(may_be_label(""));
  CHECK(may_be_label("billing"));
  CHECK(may_be_label("für Größen"));
  CHECK(may_be_label(std::string(kMaxGroupLabelBytes, 'x')));
  CHECK_FALSE(may_be_label(std::string(kMaxGroupLabelBytes + 1, 'x')));
  CHECK_FALSE(may_be_label("a\xff"));
  CHECK_FALSE(may_be_label("\xc3"));
}

TEST_CASE("of more groups and partitions than have names, those of all shards that lag most are shown") {
  Metrics metrics(2);
  GroupMetrics groups(metrics, 2);
  for (size_t shard = 0; shard < 2; ++shard) {
    GroupLook look;
    for (size_t i = 0; i < kMaxGroupSeries; ++i) {
      const std::string name = "g" + std::to_string(shard) + "-" + std::to_string(i);
      look.groups.rows.push_back({name, GroupState::stable, 1, 1, 0, static_cast<int64_t>(i), 1.0});
    }
    groups.publish(shard, look);
  }
  const std::string text = metrics.serialize();
  CHECK(shows(text, "tidemark_groups_unnamed " + std::to_string(kMaxGroupSeries)));
  CHECK(shows(text, R"(tidemark_group_members{group="g0-199"} 1)"));
  CHECK(shows(text, R"(tidemark_group_members{group="g1-199"} 1)"));
  CHECK(text.find(R"(group="g1-0")") == std::string::npos);
}

TEST_CASE("a group that is late takes the place of one that only reads much") {
  Metrics metrics(1);
  GroupMetrics groups(metrics, 1);
  GroupLook look;
  for (size_t i = 0; i < kMaxGroupSeries; ++i) {
    const std::string name = "g" + std::to_string(i);
    look.groups.rows.push_back({name, GroupState::stable, 1, 1, 0, static_cast<int64_t>(50'000 + i), 5.0});
  }
  groups.publish(0, look);
  CHECK(shows(metrics.serialize(), R"(tidemark_group_members{group="g0"} 1)"));
  look.groups.rows.push_back({"stuck", GroupState::stable, 1, 1, 0, 3, 100.0});
  look.groups.rows.push_back({"looping", GroupState::stable, 1, 1, 6, 0, 0.0});
  groups.publish(0, look);
  const std::string text = metrics.serialize();
  CHECK(shows(text, R"(tidemark_group_max_lag_seconds{group="stuck"} 100)"));
  CHECK(shows(text, R"(tidemark_group_loop_rebalances{group="looping"} 6)"));
  CHECK(shows(text, "tidemark_groups_unnamed 2"));
  CHECK(text.find(R"(group="g1")") == std::string::npos);
  CHECK(text.find(R"(group="g2")") != std::string::npos);
}

TEST_CASE("how much a row needs a series") {
  CHECK(lag_urgency(0, 0) == 0);
  CHECK(lag_urgency(-5, 0) == 0);
  CHECK(lag_urgency(1, std::nullopt) == 1);
  CHECK(lag_urgency(500'000, 59.9) == 1);
  CHECK(lag_urgency(1, 60) == 2);
  CHECK(lag_urgency(1, 900) == 4);
  CHECK(lag_urgency(1, 1e9) == 8);
  // Records where there is no age, or a wrong one.
  CHECK(lag_urgency(600'000, std::nullopt) == 2);
  CHECK(lag_urgency(9'000'000, 0) == 4);
  CHECK(lag_urgency(INT64_MAX, 0) == 8);
}

}  // namespace tidemark::broker
