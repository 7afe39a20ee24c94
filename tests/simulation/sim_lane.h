// The Lane seam on virtual time: a piece of work runs whole inside one event, and its `done` follows when the
// virtual time that its disk operations cost has passed. A crash in the work ends the lane; what is queued
// goes unrun.
#pragma once

#include <deque>

#include "protocol/runtime/lane.h"
#include "tests/simulation/sim_disk.h"
#include "tests/simulation/virtual_time.h"

namespace tidemark::simulation {

class SimLane final : public runtime::Lane {
 public:
  SimLane(VirtualTime& time, SimDisk& disk) : disk_(disk), loop_(time) {}

  void submit(runtime::Job work, runtime::Scheduler& home, runtime::Job done) override;
  [[nodiscard]] size_t depth() const override { return depth_; }

  // The process died: queued work is dropped unrun.
  void drop();
  [[nodiscard]] bool has_work() const { return !queue_.empty() || loop_.has_events(); }
  [[nodiscard]] VirtualScheduler& loop() { return loop_; }

 private:
  struct Entry {
    runtime::Job work;
    runtime::Scheduler* home;
    runtime::Job done;
  };
  void run_next();

  SimDisk& disk_;
  std::deque<Entry> queue_;
  size_t depth_ = 0;
  bool busy_ = false;
  VirtualScheduler loop_;
};

}  // namespace tidemark::simulation
