#include "tests/simulation/virtual_time.h"

#include <algorithm>

namespace tidemark::simulation {

bool VirtualTime::step() {
  if (queue_.empty()) return false;
  auto node = queue_.extract(queue_.begin());
  mono_ = std::max(mono_, node.key().when);
  Event& event = node.mapped();
  if (event.timer != 0) event.owner->timers_.erase(event.timer);
  ++events_run_;
  trace_.add(static_cast<uint64_t>(mono_.time_since_epoch().count()));
  trace_.add(event.owner->number_);
  struct Current {
    VirtualTime& time;
    VirtualScheduler* outer;
    ~Current() { time.current_ = outer; }
  } restore{*this, std::exchange(current_, event.owner)};
  event.job();
  event.job = nullptr;  // destroyed while its scheduler is current
  return true;
}

void VirtualTime::run_until(runtime::MonoTime until) {
  while (!queue_.empty() && queue_.begin()->first.when <= until) step();
  mono_ = std::max(mono_, until);
}

void VirtualTime::run(uint64_t max_events) {
  for (uint64_t i = 0; i < max_events && step(); ++i) {
  }
}

void VirtualScheduler::enqueue(runtime::MonoTime when, uint64_t draw, uint64_t timer, runtime::Job job) {
  const VirtualTime::Key key{when, draw, ++time_.sequence_};
  if (timer != 0) timers_.emplace(timer, key);
  time_.queue_.emplace(key, VirtualTime::Event{this, timer, std::move(job)});
}

void VirtualScheduler::post(runtime::Job job) {
  VirtualScheduler* from = time_.current_;
  if (from == this || from == nullptr) {
    enqueue(time_.mono(), 0, 0, std::move(job));
    return;
  }
  const auto delay = runtime::Duration(time_.random_.between(0, max_cross_delay_.count()));
  runtime::MonoTime& last = last_from_[from->number_];
  last = std::max(last, time_.mono() + delay);
  enqueue(last, 0, 0, std::move(job));
}

runtime::TimerId VirtualScheduler::at(runtime::MonoTime when, runtime::Job job) {
  const uint64_t id = ++next_timer_;
  enqueue(std::max(when, time_.mono()), 1 + (time_.random_.next() >> 1), id, std::move(job));
  return runtime::TimerId{id};
}

void VirtualScheduler::cancel(runtime::TimerId id) {
  auto it = timers_.find(id.value);
  if (it == timers_.end()) return;
  auto event = time_.queue_.extract(it->second);
  timers_.erase(it);
}

void VirtualScheduler::drop_events() {
  for (bool dropped = true; dropped;) {
    dropped = false;
    for (auto it = time_.queue_.begin(); it != time_.queue_.end();) {
      if (it->second.owner != this) {
        ++it;
        continue;
      }
      auto node = time_.queue_.extract(it++);
      dropped = true;
      node.mapped().job = nullptr;
      it = time_.queue_.begin();
    }
  }
  timers_.clear();
}

bool VirtualScheduler::has_events() const {
  return std::any_of(time_.queue_.begin(), time_.queue_.end(),
                     [this](const auto& entry) { return entry.second.owner == this; });
}

}  // namespace tidemark::simulation
