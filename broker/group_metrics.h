// What a node counts and shows of consumer groups: what happened to them, and what each shard's look at its
// groups (group_lag.h) has found. Counters have a cell per shard; what was found is handed over under a mutex
// that no request takes. broker/observe/METRICS.md lists the names. Outlives the node.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "broker/best_rows.h"
#include "broker/coordinator/event.h"
#include "broker/coordinator/group.h"
#include "broker/observe/metrics.h"

namespace tidemark::broker {

// Groups, and partitions of all groups, with series of their own; BestRows says which.
inline constexpr size_t kMaxGroupSeries = 200;
inline constexpr size_t kMaxGroupPartitionSeries = 2'000;

// A name that can be a label: short, and UTF-8, or else Prometheus would refuse the whole scrape. Others are
// counted with those that have no name.
inline constexpr size_t kMaxGroupLabelBytes = 250;
[[nodiscard]] bool may_be_label(std::string_view text);

// How much a row that lags needs a series, for BestRows: 0 if it does not lag, else the more the longer it is
// late; 15 minutes are what the alerts ask for. How many records it lags says little of that, where one group
// reads in a second what another reads in a day; but ages may be unknown or, by producers' clocks, wrong, so
// records count as if no group read more than so many in a second.
inline constexpr std::array kLateSeconds{60, 300, 900, 3'600, 4 * 3'600, 24 * 3'600, 7 * 24 * 3'600};
inline constexpr int64_t kQuickReader = 10'000;
[[nodiscard]] int lag_urgency(int64_t lag, std::optional<double> seconds);

struct GroupStanding {
  using Key = std::string;
  std::string group;
  coordinator::GroupState state = coordinator::GroupState::empty;
  size_t members = 0;
  int32_t generation = 0;
  size_t loop_rebalances = 0;     // of the loop that it is in; 0: in none
  int64_t lag = 0;                // records, of all its partitions; one that is past the end does not make up
  std::optional<double> seconds;  // the greatest; none: not known yet
  bool has_label = true;          // may_be_label(group)
  bool waits = false;             // a partition that lags has no age yet: nobody knows the greatest
  [[nodiscard]] const Key& key() const { return group; }
  // A loop is as urgent as what an alert would tell of.
  [[nodiscard]] int urgency() const {
    const int by_lag = lag_urgency(lag, seconds);
    return loop_rebalances > 0 ? std::max(by_lag, lag_urgency(1, 900)) : by_lag;
  }
  [[nodiscard]] int64_t size() const { return lag; }
};

struct PartitionLag {
  using Key = std::tuple<std::string, std::string, int32_t>;
  std::string group;
  std::string topic;
  int32_t partition = 0;
  int64_t committed = 0;
  int64_t lag = 0;                // records; below 0: more is committed than there is
  std::optional<double> seconds;  // none: not known yet, or the record has no time
  [[nodiscard]] Key key() const { return {group, topic, partition}; }
  [[nodiscard]] int urgency() const { return lag_urgency(lag, seconds); }
  [[nodiscard]] int64_t size() const { return lag; }
};

inline constexpr size_t kGroupStates = 4;

enum class CoordinatorState : uint8_t { leader, loading, failed };
inline constexpr std::array<std::string_view, 3> kCoordinatorStates{"leader", "loading", "failed"};

struct GroupLook {
  BestRows<GroupStanding>::Chosen groups;
  BestRows<PartitionLag>::Chosen partitions;
  std::array<size_t, kGroupStates> by_state{};  // all groups
  size_t in_loop = 0;
  std::array<size_t, kCoordinatorStates.size()> coordinators{};  // by CoordinatorState
  double seconds = 0;                                            // that the look took
};

class GroupMetrics {
 public:
  GroupMetrics(Metrics& metrics, size_t shards);
  GroupMetrics(const GroupMetrics&) = delete;
  GroupMetrics& operator=(const GroupMetrics&) = delete;

  // On that shard's loop.
  void count(size_t shard, const coordinator::Event& event);
  void publish(size_t shard, GroupLook look);
  Counter& commits;     // offsets
  Counter& unreadable;  // records of __consumer_offsets that a load skipped

 private:
  struct Sample {
    mutable std::mutex mutex;  // held for a pointer's copy
    std::shared_ptr<const GroupLook> look = std::make_shared<GroupLook>();
  };
  static std::shared_ptr<const GroupLook> look_of(const Sample& sample);
  void choose();
  void add_events(Metrics& metrics);
  void add_looks(Metrics& metrics);
  void add_tables(Metrics& metrics);

  using Outcomes = std::array<Counter*, coordinator::kRebalanceOutcomes>;
  std::array<Outcomes, coordinator::kRebalanceCauses> rebalances_{};
  Counter& loops_;
  Counter& resets_;
  std::array<Counter*, coordinator::kOffsetsEnds> offsets_ended_{};
  std::array<Counter*, coordinator::kOffsetsEnds> groups_ended_{};
  std::vector<Sample> samples_;  // by shard
  // The scraping thread's, under the mutex of Metrics.
  BestRows<GroupStanding> groups_{kMaxGroupSeries};
  BestRows<PartitionLag> partitions_{kMaxGroupPartitionSeries};
  GroupLook shown_;
};

}  // namespace tidemark::broker
