// A lane that passes everything on, and times the work. Of a journal's lane that is the latency of its synced
// writes. The work's own thread counts, alone: one histogram for each lane.
#pragma once

#include <memory>
#include <utility>

#include "broker/observe/metrics.h"
#include "protocol/runtime/clock.h"
#include "protocol/runtime/lane.h"

namespace tidemark::broker {

class TimedLane final : public runtime::Lane {
 public:
  TimedLane(std::unique_ptr<runtime::Lane> below, const runtime::Clock& clock, Histogram& seconds)
      : clock_(clock), seconds_(seconds), below_(std::move(below)) {}

  void submit(runtime::Job work, runtime::Scheduler& home, runtime::Job done) override {
    below_->submit(
        [this, work = std::move(work)]() mutable {
          const runtime::MonoTime began = clock_.mono();
          work();
          seconds_.record(0, std::chrono::duration<double>(clock_.mono() - began).count());
        },
        home, std::move(done));
  }
  [[nodiscard]] size_t depth() const override { return below_->depth(); }

 private:
  const runtime::Clock& clock_;
  Histogram& seconds_;
  std::unique_ptr<runtime::Lane> below_;  // last: its thread uses the others
};

}  // namespace tidemark::broker
