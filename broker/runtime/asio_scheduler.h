// The Scheduler seam on one Asio io_context: a shard's loop. Owned by the shard; it must outlive every task,
// stream and listener that uses it, and be stopped before it goes. `post` is for any thread, `at` and
// `cancel` for the loop's own (or before it runs). Asio itself stays in the .cc files: asio_loop.h.
#pragma once

#include <memory>

#include "protocol/runtime/scheduler.h"

namespace tidemark::broker {

class AsioScheduler final : public runtime::Scheduler {
 public:
  explicit AsioScheduler(const runtime::Clock& clock);
  // Drops what is queued, unrun, until the queues are dry.
  ~AsioScheduler() override;
  AsioScheduler(const AsioScheduler&) = delete;
  AsioScheduler& operator=(const AsioScheduler&) = delete;

  void post(runtime::Job job) override;
  runtime::TimerId at(runtime::MonoTime when, runtime::Job job) override;
  void cancel(runtime::TimerId id) override;
  [[nodiscard]] const runtime::Clock& clock() const override { return clock_; }

  // Runs jobs on the calling thread until stop(), and may be called again. An exception out of a job is a bug
  // of ours and ends the process.
  void run() noexcept;
  // Any thread. What is queued stays queued. Without a run() in progress, the next one returns at once.
  void stop();

  struct Loop;
  [[nodiscard]] Loop& loop() { return *loop_; }

 private:
  const runtime::Clock& clock_;
  std::unique_ptr<Loop> loop_;
};

}  // namespace tidemark::broker
