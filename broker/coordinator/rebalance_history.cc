#include "broker/coordinator/rebalance_history.h"

#include <chrono>
#include <utility>

#include "protocol/invariant.h"

namespace tidemark::coordinator {

namespace {

int64_t milliseconds_between(runtime::MonoTime from, runtime::MonoTime to) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count();
}

}  // namespace

void NamedMembers::add(std::string_view member) {
  if (first.size() < kMaxNamesKept) first.emplace_back(member);
  ++count;
}

void RebalanceHistory::begin(std::string_view reason, Now now) {
  abandon(now);
  if (rebalances_.size() == kMaxRebalancesKept) rebalances_.pop_front();
  Rebalance& rebalance = rebalances_.emplace_back();
  rebalance.reason = reason.substr(0, kMaxReasonBytes);
  rebalance.started_ms = runtime::unix_ms(now.wall);
  rebalance.changes = std::exchange(causes_, {});
  phase_began_ = now.mono;
}

void RebalanceHistory::all_joined(int32_t generation, size_t members, Now now) {
  REQUIRES(is_joining());
  Rebalance& rebalance = rebalances_.back();
  rebalance.generation = generation;
  rebalance.members = members;
  rebalance.joining_ms = milliseconds_between(phase_began_, now.mono);
  phase_began_ = now.mono;
}

void RebalanceHistory::finish(RebalanceOutcome outcome, Now now) {
  REQUIRES(is_running());
  Rebalance& rebalance = rebalances_.back();
  const int64_t phase_ms = milliseconds_between(phase_began_, now.mono);
  (rebalance.generation < 0 ? rebalance.joining_ms : rebalance.assigning_ms) = phase_ms;
  rebalance.outcome = outcome;
}

void RebalanceHistory::abandon(Now now) {
  if (is_running()) finish(RebalanceOutcome::superseded, now);
}

}  // namespace tidemark::coordinator
