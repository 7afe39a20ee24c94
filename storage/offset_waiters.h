// Who waits for an offset of one log to be reached: woken in the order of the offsets, and only those that it
// concerns. One shard's.
#pragma once

#include <algorithm>
#include <vector>

#include "protocol/ids.h"
#include "protocol/runtime/task.h"

namespace tidemark::storage {

class OffsetWaiters {
 public:
  explicit OffsetWaiters(runtime::Scheduler& loop) : loop_(loop) {}

  // True when advance() has passed `offset`, false after fail_all().
  runtime::Task<bool> wait(Offset offset) {
    runtime::OneShot<bool> reached(loop_);
    heap_.push_back(Waiter{offset, next_++, reached.resolver()});
    std::push_heap(heap_.begin(), heap_.end(), later);
    co_return co_await reached.wait();
  }
  void advance(Offset reached) {
    while (!heap_.empty() && heap_.front().offset <= reached) {
      std::pop_heap(heap_.begin(), heap_.end(), later);
      heap_.back().resolver.set(true);
      heap_.pop_back();
    }
  }
  // The records up to there that are awaited will not come: the log was cut at `end`.
  void fail_above(Offset end) {
    const auto gone =
        std::partition(heap_.begin(), heap_.end(), [end](const Waiter& w) { return w.offset <= end; });
    for (auto it = gone; it != heap_.end(); ++it) it->resolver.set(false);
    heap_.erase(gone, heap_.end());
    std::make_heap(heap_.begin(), heap_.end(), later);
  }
  void fail_all() {
    for (Waiter& waiter : heap_) waiter.resolver.set(false);
    heap_.clear();
  }
  [[nodiscard]] size_t size() const { return heap_.size(); }

 private:
  struct Waiter {
    Offset offset;
    uint64_t number;
    runtime::OneShot<bool>::Resolver resolver;
  };
  static bool later(const Waiter& a, const Waiter& b) {
    return std::tie(a.offset, a.number) > std::tie(b.offset, b.number);
  }

  runtime::Scheduler& loop_;
  std::vector<Waiter> heap_;
  uint64_t next_ = 0;
};

}  // namespace tidemark::storage
