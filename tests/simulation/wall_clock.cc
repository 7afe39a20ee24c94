#include "tests/simulation/wall_clock.h"

#include <algorithm>

namespace tidemark::simulation {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

// 2026-01-01T00:00:00Z: what a right clock says when a world begins.
constexpr milliseconds kEpoch{1'767'225'600'000};

milliseconds draw_within(runtime::Random& random, milliseconds most) {
  return milliseconds(random.between(-most.count(), most.count()));
}

}  // namespace

runtime::WallTime WallClock::at(runtime::MonoTime when) const {
  const auto gained = std::chrono::duration_cast<milliseconds>((when - since) * drift);
  const auto passed = std::chrono::duration_cast<milliseconds>(when.time_since_epoch());
  return runtime::WallTime(kEpoch + passed + skew + gained);
}

WallClock draw_wall_clock(runtime::Random& random, milliseconds usual, bool jumps, runtime::MonoTime since) {
  constexpr double kDrifts[] = {0, 0.0005, -0.0005, 0.02, -0.02};
  WallClock clock{usual, kDrifts[random.below(std::size(kDrifts))], since};
  if (!jumps) return clock;
  const uint64_t draw = random.below(4);
  if (draw == 0) clock.skew += draw_within(random, 30min);
  if (draw == 1) clock.skew += draw_within(random, 6h);
  return clock;
}

milliseconds WallHistory::set_ahead(size_t life) const {
  if (life < 2) return {};
  const runtime::MonoTime begin = lives_.at(life - 1).clock.since;
  return at(life, begin) - at(life - 1, begin);
}

milliseconds WallHistory::most_since(runtime::MonoTime from, runtime::MonoTime until) const {
  const auto first = std::ranges::find_if(
      lives_, [&](const Life& life) { return life.end >= from && life.clock.since <= until; });
  if (first == lives_.end()) return {};
  const runtime::WallTime began = first->clock.at(std::max(from, first->clock.since));
  milliseconds most{0};
  for (auto life = first; life != lives_.end() && life->clock.since <= until; ++life)
    most = std::max(most, life->clock.at(std::min(until, life->end)) - began);
  return most;
}

milliseconds WallHistory::most_within(runtime::MonoTime from, runtime::MonoTime until) const {
  milliseconds most{0};
  runtime::WallTime least = runtime::WallTime::max();
  for (const Life& life : lives_) {
    if (life.end < from || life.clock.since > until) continue;
    least = std::min(least, life.clock.at(std::max(from, life.clock.since)));
    most = std::max(most, life.clock.at(std::min(until, life.end)) - least);
  }
  return most;
}

}  // namespace tidemark::simulation
