// Why a group rebalanced, the last few times, and where the time went: what an operator asks first about a
// group that does not settle. Soft state of one group: bounded, dies with the leader, decides nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/coordinator/now.h"

namespace tidemark::coordinator {

inline constexpr size_t kMaxRebalancesKept = 8;
inline constexpr size_t kMaxNamesKept = 4;
inline constexpr size_t kMaxReasonBytes = 256;

// At most so many bytes of a text that a client gave, and not to the middle of a character: it goes out as
// UTF-8.
[[nodiscard]] std::string_view beginning(std::string_view text, size_t max_bytes);

// Some names of many.
struct NamedMembers {
  std::vector<std::string> first;  // at most kMaxNamesKept
  size_t count = 0;
  void add(std::string_view member);
};

struct MembershipChanges {
  NamedMembers joined;
  NamedMembers left;
  NamedMembers timed_out;
};

enum class RebalanceCause : uint8_t {
  join,     // a member came that the group did not have
  rejoin,   // a member changed what it offers, the leader asked for one, a static member came back
  leave,    // a member said that it goes, or had no room
  timeout,  // a member was not heard of, or did not bring what it owed
  other,    // the group is over capacity, or its assignment was too large for the log
};
inline constexpr size_t kRebalanceCauses = 5;
[[nodiscard]] std::string_view cause_name(RebalanceCause cause);

enum class RebalanceOutcome : uint8_t {
  running,
  stable,      // its members have their assignment
  empty,       // nobody was left
  superseded,  // the next one began before this one's assignment was there
};
inline constexpr size_t kRebalanceOutcomes = 4;
[[nodiscard]] std::string_view outcome_name(RebalanceOutcome outcome);

struct Rebalance {
  RebalanceCause cause = RebalanceCause::other;
  std::string reason;
  int64_t started_ms = 0;    // Unix time
  int64_t joining_ms = 0;    // until all had joined, or the time for it was up
  int64_t assigning_ms = 0;  // from there until the leader had brought the assignment
  int32_t generation = -1;   // that it made; -1: it did not come that far
  size_t members = 0;        // of that generation
  MembershipChanges changes;
  RebalanceOutcome outcome = RebalanceOutcome::running;
};

// A group loops when its last kLoopRebalances rebalances or more followed one another without a stretch of
// kSettledMs in which nothing rebalanced, and began within kLoopWindowMs. It loops no more once it has had
// such a stretch.
inline constexpr size_t kLoopRebalances = 5;
inline constexpr int64_t kSettledMs = 60'000;
inline constexpr int64_t kLoopWindowMs = 600'000;

struct RebalanceLoop {
  size_t rebalances = 0;  // as far back as the history goes
  int64_t since_ms = 0;   // when the first of them began, Unix time
};
// The loop that the group is in at `now_ms`, if it is in one. `rebalances` as RebalanceHistory has them.
[[nodiscard]] std::optional<RebalanceLoop> loop_of(const std::deque<Rebalance>& rebalances, int64_t now_ms);

class RebalanceHistory {
 public:
  void joined(std::string_view member) { changes().joined.add(member); }
  void left(std::string_view member) { changes().left.add(member); }
  void timed_out(std::string_view member) { changes().timed_out.add(member); }

  // REQUIRES: none is running.
  void begin(RebalanceCause cause, std::string_view reason, Now now);
  void all_joined(int32_t generation, size_t members, Now now);
  // The one that has ended. REQUIRES: one is running.
  const Rebalance& finish(RebalanceOutcome outcome, Now now);
  [[nodiscard]] bool is_running() const {
    return !rebalances_.empty() && rebalances_.back().outcome == RebalanceOutcome::running;
  }

  // Oldest first; the last one may be running.
  [[nodiscard]] const std::deque<Rebalance>& rebalances() const { return rebalances_; }

 private:
  [[nodiscard]] bool is_joining() const { return is_running() && rebalances_.back().generation < 0; }
  // Who comes or goes while members join belongs to that rebalance, and else is a cause of the next one.
  MembershipChanges& changes() { return is_joining() ? rebalances_.back().changes : causes_; }

  std::deque<Rebalance> rebalances_;
  MembershipChanges causes_;
  runtime::MonoTime phase_began_{};
};

}  // namespace tidemark::coordinator
