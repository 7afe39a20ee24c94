// Several tasks side by side: those that wait for a timeout wait for it together.
#pragma once

#include <vector>

#include "protocol/runtime/task.h"

namespace tidemark::client {

// Ends when all of them have. What they write to outlives this task.
inline runtime::Task<void> all_at_once(runtime::Scheduler& scheduler,
                                       std::vector<runtime::Task<void>> tasks) {
  size_t pending = tasks.size();
  runtime::Signal done(scheduler);
  runtime::TaskScope scope;
  const auto count = [](runtime::Task<void> task, size_t& left,
                        runtime::Signal& ended) -> runtime::Task<void> {
    co_await task;
    --left;
    ended.notify_all();
  };
  for (runtime::Task<void>& task : tasks) scope.spawn(count(std::move(task), pending, done));
  while (pending > 0) {
    auto waiting = done.wait();
    co_await waiting;
  }
}

}  // namespace tidemark::client
