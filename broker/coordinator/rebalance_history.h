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

#include "broker/coordinator/decision.h"

namespace tidemark::coordinator {

inline constexpr size_t kMaxRebalancesKept = 8;
inline constexpr size_t kMaxNamesKept = 4;
inline constexpr size_t kMaxReasonBytes = 256;

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

enum class RebalanceOutcome : uint8_t {
  running,
  stable,      // its members have their assignment
  empty,       // nobody was left
  superseded,  // the next one began before this one's assignment was there
};

struct Rebalance {
  std::string reason;
  int64_t started_ms = 0;    // Unix time
  int64_t joining_ms = 0;    // until all had joined, or the time for it was up
  int64_t assigning_ms = 0;  // from there until the leader had brought the assignment
  int32_t generation = -1;   // that it made; -1: it did not come that far
  size_t members = 0;        // of that generation
  MembershipChanges changes;
  RebalanceOutcome outcome = RebalanceOutcome::running;
};

class RebalanceHistory {
 public:
  void joined(std::string_view member) { changes().joined.add(member); }
  void left(std::string_view member) { changes().left.add(member); }
  void timed_out(std::string_view member) { changes().timed_out.add(member); }

  void begin(std::string_view reason, Now now);
  void all_joined(int32_t generation, size_t members, Now now);
  // REQUIRES: one is running.
  void finish(RebalanceOutcome outcome, Now now);

  // The one that is running, if one is, has come to nothing.
  void abandon(Now now);

  // Oldest first; the last one may be running.
  [[nodiscard]] const std::deque<Rebalance>& rebalances() const { return rebalances_; }

 private:
  [[nodiscard]] bool is_running() const {
    return !rebalances_.empty() && rebalances_.back().outcome == RebalanceOutcome::running;
  }
  [[nodiscard]] bool is_joining() const { return is_running() && rebalances_.back().generation < 0; }
  // Who comes or goes while members join belongs to that rebalance, and else is a cause of the next one.
  MembershipChanges& changes() { return is_joining() ? rebalances_.back().changes : causes_; }

  std::deque<Rebalance> rebalances_;
  MembershipChanges causes_;
  runtime::MonoTime phase_began_{};
};

}  // namespace tidemark::coordinator
