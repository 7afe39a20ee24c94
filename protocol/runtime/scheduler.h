// The Scheduler seam: one event loop, which runs one job at a time. A shard has one; everything that lives on
// the shard runs on it. Production: one Asio io_context on one thread. Simulator: a queue ordered by virtual
// time.
#pragma once

#include <cstdint>
#include <functional>

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
};

}  // namespace tidemark::runtime
