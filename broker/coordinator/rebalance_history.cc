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

std::string_view beginning(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  const auto is_inside = [&](size_t i) { return (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80; };
  while (max_bytes > 0 && is_inside(max_bytes)) --max_bytes;
  return text.substr(0, max_bytes);
}

std::string_view cause_name(RebalanceCause cause) {
  switch (cause) {
    case RebalanceCause::join: return "join";
    case RebalanceCause::rejoin: return "rejoin";
    case RebalanceCause::leave: return "leave";
    case RebalanceCause::timeout: return "timeout";
    case RebalanceCause::other: return "other";
  }
  return "other";
}

std::string_view outcome_name(RebalanceOutcome outcome) {
  switch (outcome) {
    case RebalanceOutcome::running: return "running";
    case RebalanceOutcome::stable: return "stable";
    case RebalanceOutcome::empty: return "empty";
    case RebalanceOutcome::superseded: return "superseded";
  }
  return "running";
}

std::optional<RebalanceLoop> loop_of(const std::deque<Rebalance>& rebalances, int64_t now_ms) {
  RebalanceLoop loop;
  int64_t next_began_ms = now_ms;
  for (auto rebalance = rebalances.rbegin(); rebalance != rebalances.rend(); ++rebalance) {
    const bool is_running = rebalance->outcome == RebalanceOutcome::running;
    const int64_t ended_ms = rebalance->started_ms + rebalance->joining_ms + rebalance->assigning_ms;
    if (!is_running && next_began_ms - ended_ms >= kSettledMs) break;
    if (now_ms - rebalance->started_ms > kLoopWindowMs) break;
    ++loop.rebalances;
    loop.since_ms = next_began_ms = rebalance->started_ms;
  }
  return loop.rebalances >= kLoopRebalances ? std::optional(loop) : std::nullopt;
}

void NamedMembers::add(std::string_view member) {
  if (first.size() < kMaxNamesKept) first.emplace_back(member);
  ++count;
}

void RebalanceHistory::begin(RebalanceCause cause, std::string_view reason, Now now) {
  REQUIRES(!is_running());
  if (rebalances_.size() == kMaxRebalancesKept) rebalances_.pop_front();
  Rebalance& rebalance = rebalances_.emplace_back();
  rebalance.cause = cause;
  rebalance.reason = beginning(reason, kMaxReasonBytes);
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

const Rebalance& RebalanceHistory::finish(RebalanceOutcome outcome, Now now) {
  REQUIRES(is_running());
  Rebalance& rebalance = rebalances_.back();
  const int64_t phase_ms = milliseconds_between(phase_began_, now.mono);
  (rebalance.generation < 0 ? rebalance.joining_ms : rebalance.assigning_ms) = phase_ms;
  rebalance.outcome = outcome;
  return rebalance;
}

}  // namespace tidemark::coordinator
