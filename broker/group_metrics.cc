#include "broker/group_metrics.h"

#include <algorithm>
#include <limits>

#include "protocol/json_text.h"

namespace tidemark::broker {

namespace {

using coordinator::OffsetsEnd;
using coordinator::RebalanceCause;
using coordinator::RebalanceOutcome;

double value_of(const std::optional<double>& seconds) {
  return seconds.value_or(std::numeric_limits<double>::quiet_NaN());  // no series
}

}  // namespace

bool may_be_label(std::string_view text) {
  if (text.size() > kMaxGroupLabelBytes) return false;
  while (!text.empty()) {
    const size_t length = protocol::utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

int lag_urgency(int64_t lag, std::optional<double> seconds) {
  if (lag <= 0) return 0;
  const double late = std::max(seconds.value_or(0), static_cast<double>(lag) / kQuickReader);
  return 1 + static_cast<int>(std::ranges::upper_bound(kLateSeconds, late) - kLateSeconds.begin());
}

GroupMetrics::GroupMetrics(Metrics& metrics, size_t shards)
    : commits(metrics.counter("tidemark_group_offset_commits_total", "Offsets that were committed")),
      unreadable(metrics.counter("tidemark_group_unreadable_records_total",
                                 "Records of __consumer_offsets that a load could not read, and skipped")),
      loops_(metrics.counter("tidemark_group_rebalance_loops_total",
                             "Rebalance loops that were found, again for each ten minutes that one lasts")),
      resets_(metrics.counter("tidemark_group_offset_resets_total",
                              "Offsets that somebody who is no member has set or moved back")),
      samples_(shards) {
  add_events(metrics);
  add_looks(metrics);
  add_tables(metrics);
}

void GroupMetrics::add_events(Metrics& metrics) {
  for (size_t cause = 0; cause < rebalances_.size(); ++cause) {
    for (const auto outcome :
         {RebalanceOutcome::stable, RebalanceOutcome::empty, RebalanceOutcome::superseded}) {
      rebalances_[cause][static_cast<size_t>(outcome)] =
          &metrics.counter("tidemark_group_rebalances_total", "Rebalances of groups that have ended",
                           {{"cause", std::string(cause_name(static_cast<RebalanceCause>(cause)))},
                            {"outcome", std::string(outcome_name(outcome))}});
    }
  }
  for (size_t end = 0; end < offsets_ended_.size(); ++end) {
    const std::string name(end_name(static_cast<OffsetsEnd>(end)));
    offsets_ended_[end] = &metrics.counter("tidemark_group_offsets_ended_total",
                                           "Committed offsets that are no more", {{"end", name}});
  }
  for (const OffsetsEnd end : {OffsetsEnd::expired, OffsetsEnd::group_deleted}) {
    groups_ended_[static_cast<size_t>(end)] = &metrics.counter(
        "tidemark_groups_ended_total", "Groups that are no more", {{"end", std::string(end_name(end))}});
  }
}

// Of all shards' looks, those that are shown; and what there is in all.
void GroupMetrics::choose() {
  shown_ = {};
  for (const Sample& sample : samples_) {
    const std::shared_ptr<const GroupLook> taken = look_of(sample);
    const GroupLook& look = *taken;
    for (const GroupStanding& row : look.groups.rows) groups_.offer(row);
    for (const PartitionLag& row : look.partitions.rows) partitions_.offer(row);
    shown_.groups.left_out += look.groups.left_out;
    shown_.partitions.left_out += look.partitions.left_out;
    for (size_t i = 0; i < kGroupStates; ++i) shown_.by_state[i] += look.by_state[i];
    shown_.in_loop += look.in_loop;
    for (size_t i = 0; i < kCoordinatorStates.size(); ++i) shown_.coordinators[i] += look.coordinators[i];
    shown_.seconds = std::max(shown_.seconds, look.seconds);
  }
  auto groups = groups_.take();
  auto partitions = partitions_.take();
  shown_.groups = {std::move(groups.rows), shown_.groups.left_out + groups.left_out};
  shown_.partitions = {std::move(partitions.rows), shown_.partitions.left_out + partitions.left_out};
}

void GroupMetrics::add_looks(Metrics& metrics) {
  // The first of these that a scrape reads: it chooses for them all.
  metrics.gauges("tidemark_groups", "Groups that this node coordinates", [this] {
    choose();
    std::vector<std::pair<MetricLabels, double>> rows;
    for (size_t i = 0; i < kGroupStates; ++i) {
      const std::string state(state_name(static_cast<coordinator::GroupState>(i)));
      rows.emplace_back(MetricLabels{{"state", state}}, static_cast<double>(shown_.by_state[i]));
    }
    return rows;
  });
  metrics.gauges("tidemark_group_coordinators", "Partitions of __consumer_offsets here, by how they do",
                 [this] {
                   std::vector<std::pair<MetricLabels, double>> rows;
                   for (size_t i = 0; i < kCoordinatorStates.size(); ++i) {
                     rows.emplace_back(MetricLabels{{"state", std::string(kCoordinatorStates[i])}},
                                       static_cast<double>(shown_.coordinators[i]));
                   }
                   return rows;
                 });
  metrics.gauges("tidemark_group_state", "1, with the state that the group is in", [this] {
    std::vector<std::pair<MetricLabels, double>> rows;
    for (const GroupStanding& row : shown_.groups.rows) {
      const std::string state(state_name(row.state));
      rows.emplace_back(MetricLabels{{"group", row.group}, {"state", state}}, 1);
    }
    return rows;
  });
  metrics.gauge("tidemark_groups_in_rebalance_loop", "Groups that go on rebalancing",
                [this] { return static_cast<double>(shown_.in_loop); });
  metrics.gauge("tidemark_groups_unnamed", "Groups without series of their own",
                [this] { return static_cast<double>(shown_.groups.left_out); });
  metrics.gauge("tidemark_group_partitions_unnamed", "Partitions of groups without series of their own",
                [this] { return static_cast<double>(shown_.partitions.left_out); });
  metrics.gauge("tidemark_group_look_seconds", "How long the last look at a shard's groups took",
                [this] { return shown_.seconds; });
}

void GroupMetrics::add_tables(Metrics& metrics) {
  using Rows = std::vector<std::pair<MetricLabels, std::vector<double>>>;
  const auto number = [](auto value) { return static_cast<double>(value); };
  metrics.gauges({{"tidemark_group_members", "Members of a group"},
                  {"tidemark_group_generation", "The group's generation: it grows with every rebalance"},
                  {"tidemark_group_loop_rebalances", "Rebalances of the loop that the group is in, else 0"},
                  {"tidemark_group_total_lag_records", "Records that the group has still to read"},
                  {"tidemark_group_max_lag_seconds", "The greatest tidemark_group_lag_seconds of a group"}},
                 [this, number] {
                   Rows rows;
                   for (const GroupStanding& row : shown_.groups.rows) {
                     rows.emplace_back(MetricLabels{{"group", row.group}},
                                       std::vector<double>{number(row.members), number(row.generation),
                                                           number(row.loop_rebalances), number(row.lag),
                                                           value_of(row.seconds)});
                   }
                   return rows;
                 });
  metrics.gauges({{"tidemark_group_committed_offset", "The offset that the group has committed"},
                  {"tidemark_group_lag_records", "The high watermark less the committed offset"},
                  {"tidemark_group_lag_seconds",
                   "How old the first record that is not yet read is; 0 where there is none"}},
                 [this, number] {
                   Rows rows;
                   for (const PartitionLag& row : shown_.partitions.rows) {
                     const std::string partition = std::to_string(row.partition);
                     rows.emplace_back(
                         MetricLabels{{"group", row.group}, {"topic", row.topic}, {"partition", partition}},
                         std::vector<double>{number(row.committed), number(row.lag), value_of(row.seconds)});
                   }
                   return rows;
                 });
}

void GroupMetrics::count(size_t shard, const coordinator::Event& event) {
  if (const auto* ended = std::get_if<coordinator::RebalanceEnded>(&event)) {
    const Outcomes& outcomes = rebalances_[static_cast<size_t>(ended->rebalance.cause)];
    outcomes[static_cast<size_t>(ended->rebalance.outcome)]->add(shard);
  } else if (std::holds_alternative<coordinator::RebalancesInLoop>(event)) {
    loops_.add(shard);
  } else if (const auto* reset = std::get_if<coordinator::OffsetsReset>(&event)) {
    resets_.add(shard, reset->offsets);
  } else if (const auto* gone = std::get_if<coordinator::OffsetsEnded>(&event)) {
    const auto end = static_cast<size_t>(gone->end);
    offsets_ended_[end]->add(shard, gone->offsets);
    if (gone->with_group) groups_ended_[end]->add(shard);
  }
}

void GroupMetrics::publish(size_t shard, GroupLook look) {
  auto published = std::make_shared<const GroupLook>(std::move(look));
  Sample& sample = samples_[shard];
  const std::lock_guard lock(sample.mutex);
  sample.look.swap(published);
}

std::shared_ptr<const GroupLook> GroupMetrics::look_of(const Sample& sample) {
  const std::lock_guard lock(sample.mutex);
  return sample.look;
}

}  // namespace tidemark::broker
