// The Scheduler seam: one event loop, which runs one job at a time. A shard has one; everything that lives on
// the shard runs on it. Production: one Asio io_context on one thread. Simulator: a queue ordered by virtual
// time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "protocol/runtime/clock.h"

namespace tidemark::runtime {

using Job = std::move_only_function<void()>;

struct TimerId {
  uint64_t value = 0;  // 0: no timer
  explicit operator bool() const { return value != 0; }
};

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  // Runs `job` later, never inside this call. Any thread may call it; jobs of one caller run in the order
  // posted.
  virtual void post(Job job) = 0;
  // Runs `job` at or after `when`. Own loop only.
  virtual TimerId at(MonoTime when, Job job) = 0;
  // After this the job will not run. Unknown and fired ids are ignored. Own loop only.
  virtual void cancel(TimerId id) = 0;
  [[nodiscard]] virtual const Clock& clock() const = 0;

  [[nodiscard]] MonoTime mono() const { return clock().mono(); }
  TimerId after(Duration delay, Job job) { return at(mono() + delay, std::move(job)); }

  // For the next part of what takes long: of these jobs one runs in each round of the loop, in the order
  // asked, so that however many there are, everything else waits for one of them at most. Own loop only.
  void in_turn(Job job) {
    if (auto line = line_.lock()) {
      line->push_back(std::move(job));
      return;
    }
    auto line = std::make_shared<Line>();
    line->push_back(std::move(job));
    line_ = line;
    post_turn(std::move(line));
  }

 private:
  using Line = std::deque<Job>;

  void post_turn(std::shared_ptr<Line> line) {
    post([this, line = std::move(line)]() mutable {
      Job job = std::move(line->front());
      line->pop_front();
      if (line->empty()) {
        line.reset();
      } else {
        post_turn(std::move(line));
      }
      job();
    });
  }

  std::weak_ptr<Line> line_;  // the job that takes the next turn owns it: both are dropped together
};

}  // namespace tidemark::runtime
