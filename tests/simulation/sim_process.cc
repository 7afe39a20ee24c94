#include "tests/simulation/sim_process.h"

#include <algorithm>

#include "protocol/invariant.h"

namespace tidemark::simulation {

void declare_clock_counters(FaultCounters& counters) {
  for (const char* name :
       {"world: wall clock set ahead", "world: wall clock set back", "world: wall clock drifts"})
    counters.declare(name);
}

void count_clock(FaultCounters& counters, const WallHistory& walls, size_t life) {
  constexpr std::chrono::minutes kMuch{1};
  if (walls.set_ahead(life) > kMuch) counters.count("world: wall clock set ahead");
  if (walls.set_ahead(life) < -kMuch) counters.count("world: wall clock set back");
  if (walls.drift(life) != 0) counters.count("world: wall clock drifts");
}

SimProcess::~SimProcess() { INVARIANT(ended_ || hosted_.empty(), "a process was left running"); }

VirtualScheduler& SimProcess::add_loop(const WallClock& wall_clock, runtime::Duration cross_delay) {
  loops_.push_back(std::make_unique<VirtualScheduler>(time_));
  loops_.back()->set_wall_clock(wall_clock);
  loops_.back()->set_max_cross_delay(cross_delay);
  return *loops_.back();
}

SimLane& SimProcess::add_lane(runtime::Duration cross_delay) {
  lanes_.push_back(std::make_unique<SimLane>(time_, disk_));
  lanes_.back()->loop().set_max_cross_delay(cross_delay);
  return *lanes_.back();
}

void SimProcess::tear_down(CrashKind kind) {
  REQUIRES(!ended_);
  ended_ = true;
  while (!hosted_.empty()) hosted_.pop_back();
  drop_work();
  if (on_end) on_end(kind);
}

void SimProcess::drop_work() {
  const auto dry = [this] {
    return std::none_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->has_work(); }) &&
           std::none_of(loops_.begin(), loops_.end(), [](const auto& loop) { return loop->has_events(); });
  };
  while (!dry()) {
    for (const auto& lane : lanes_) lane->drop();
    for (const auto& loop : loops_) loop->drop_events();
  }
}

void SimProcess::crash(CrashKind kind) {
  tear_down(kind);
  if (kind == CrashKind::power) {
    disk_.crash_power();
  } else {
    disk_.crash_process();
  }
}

void SimProcess::exit() {
  tear_down(CrashKind::kill);
  disk_.exit_process();
}

}  // namespace tidemark::simulation
