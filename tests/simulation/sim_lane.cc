#include "tests/simulation/sim_lane.h"

#include <utility>

namespace tidemark::simulation {
namespace {

// What a hand-over to a thread and back costs.
constexpr runtime::Duration kOverhead = std::chrono::microseconds(5);

}  // namespace

void SimLane::submit(runtime::Job work, runtime::Scheduler& home, runtime::Job done) {
  ++depth_;
  queue_.push_back({std::move(work), &home, std::move(done)});
  if (std::exchange(busy_, true)) return;
  loop_.post([this] { run_next(); });
}

void SimLane::run_next() {
  Entry entry = std::move(queue_.front());
  queue_.pop_front();
  disk_.take_cost();
  try {
    entry.work();
  } catch (const SimCrash&) {
    return;  // the world sees disk_.dying() after this event
  }
  entry.work = nullptr;
  loop_.after(kOverhead + disk_.take_cost(),
              [this, home = entry.home, done = std::move(entry.done)]() mutable {
                --depth_;
                home->post(std::move(done));
                busy_ = !queue_.empty();
                if (busy_) run_next();
              });
}

void SimLane::drop() {
  // A dropped job's destructors may submit again.
  while (has_work()) {
    std::exchange(queue_, {}).clear();
    loop_.drop_events();
  }
  depth_ = 0;
  busy_ = false;
}

}  // namespace tidemark::simulation
