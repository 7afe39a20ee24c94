// The Lane seam: a bounded place for work that blocks (files, RocksDB, large compression), off the shards. A
// lane runs one job at a time, in the order given; lanes are independent, so a stalling disk read cannot hold
// up a journal sync. Production: one thread per lane. Simulator: the work runs inside one event, and takes as
// much virtual time as the disk operations in it drew; a crash can strike between any two of them.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "protocol/runtime/scheduler.h"
#include "protocol/runtime/task.h"

namespace tidemark::runtime {

class Lane {
 public:
  virtual ~Lane() = default;
  // Runs `work` on the lane, then `done` on `home`. Any loop may call it. `work` must not touch what a shard
  // owns.
  virtual void submit(Job work, Scheduler& home, Job done) = 0;
  // Jobs submitted and not finished: callers bound their own backlog by it.
  [[nodiscard]] virtual size_t depth() const = 0;
};

// Awaits `work()` on the lane and returns what it returned. `work` is moved into the awaiting frame.
template <class Work>
auto on_lane(Lane& lane, Scheduler& home, Work work) -> Task<std::invoke_result_t<Work&>> {
  using Value = std::invoke_result_t<Work&>;
  struct State {
    Work work;
    std::optional<Value> value;
  };
  // Shared: a frame destroyed at teardown leaves the work its state.
  auto state = std::make_shared<State>(State{std::move(work), std::nullopt});
  OneShot<bool> done(home);
  auto resolver = done.resolver();
  lane.submit([state] { state->value.emplace(state->work()); }, home,
              [resolver]() mutable { resolver.set(true); });
  co_await done.wait();
  co_return std::move(*state->value);
}

// Awaits `work()` on all the lanes, at least one, at once, and returns what it returned on each.
template <class Work>
auto on_lanes(std::vector<Lane*> lanes, Scheduler& home, Work work)
    -> Task<std::vector<std::invoke_result_t<Work&>>> {
  using Value = std::invoke_result_t<Work&>;
  struct State {
    Work work;
    std::vector<std::optional<Value>> values;
    size_t running;  // for `home`
  };
  auto state = std::make_shared<State>(
      State{std::move(work), std::vector<std::optional<Value>>(lanes.size()), lanes.size()});
  OneShot<bool> done(home);
  auto resolver = done.resolver();
  for (size_t i = 0; i < lanes.size(); ++i) {
    lanes[i]->submit([state, i] { state->values[i].emplace(state->work()); }, home,
                     [state, resolver]() mutable {
                       if (--state->running == 0) resolver.set(true);
                     });
  }
  co_await done.wait();
  std::vector<Value> values;
  for (auto& value : state->values) values.push_back(std::move(*value));
  co_return values;
}

}  // namespace tidemark::runtime
