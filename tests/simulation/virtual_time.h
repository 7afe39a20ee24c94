// Virtual time: one queue for every scheduler of a simulated world, ordered by time; equal times are ordered
// by a seeded draw, except that what one scheduler posts to itself keeps its order. Single-threaded. No Asio,
// no epoll.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "protocol/runtime/random.h"
#include "protocol/runtime/scheduler.h"
#include "tests/simulation/trace_hash.h"
#include "tests/simulation/wall_clock.h"

namespace tidemark::simulation {

class VirtualScheduler;

class VirtualTime {
 public:
  explicit VirtualTime(uint64_t seed) : random_(seed) {}

  [[nodiscard]] runtime::MonoTime mono() const { return mono_; }
  [[nodiscard]] runtime::Random& random() { return random_; }
  [[nodiscard]] uint64_t events_run() const { return events_run_; }
  [[nodiscard]] bool idle() const { return queue_.empty(); }

  // Everything that happens in this world, in its order.
  [[nodiscard]] TraceHash& trace() { return trace_; }

  // Runs the next event; false if there is none. What the event throws comes out of here.
  bool step();
  // Runs every event up to and including `until`, then moves the clock there.
  void run_until(runtime::MonoTime until);
  // Runs until nothing is left, or `max_events` have run.
  void run(uint64_t max_events = UINT64_MAX);

  // The scheduler whose event is running; null outside of events.
  [[nodiscard]] VirtualScheduler* current() const { return current_; }

 private:
  friend class VirtualScheduler;
  struct Key {
    runtime::MonoTime when;
    uint64_t draw;
    uint64_t sequence;
    auto operator<=>(const Key&) const = default;
  };
  struct Event {
    VirtualScheduler* owner;
    uint64_t timer;  // 0 for a posted job
    runtime::Job job;
  };

  runtime::SeededRandom random_;
  runtime::MonoTime mono_{std::chrono::seconds(1)};
  std::map<Key, Event> queue_;
  uint64_t sequence_ = 0;
  uint64_t events_run_ = 0;
  uint64_t schedulers_ = 0;
  TraceHash trace_;
  VirtualScheduler* current_ = nullptr;
};

// One loop of one process. Destroying it drops its events unrun.
class VirtualScheduler final : public runtime::Scheduler, private runtime::Clock {
 public:
  explicit VirtualScheduler(VirtualTime& time) : time_(time), number_(++time.schedulers_) {}
  ~VirtualScheduler() override { drop_events(); }

  void post(runtime::Job job) override;
  runtime::TimerId at(runtime::MonoTime when, runtime::Job job) override;
  void cancel(runtime::TimerId id) override;
  [[nodiscard]] const runtime::Clock& clock() const override { return *this; }

  // What a crash does: everything queued is dropped unrun, again and again until the queue stays dry.
  void drop_events();
  [[nodiscard]] bool has_events() const;
  // This process's wall clock, and the longest delay drawn for a job posted by another loop.
  void set_wall_clock(const WallClock& clock) { wall_clock_ = clock; }
  void set_max_cross_delay(runtime::Duration delay) { max_cross_delay_ = delay; }

 private:
  friend class VirtualTime;
  [[nodiscard]] runtime::MonoTime mono() const override { return time_.mono(); }
  [[nodiscard]] runtime::WallTime wall() const override { return wall_clock_.at(time_.mono()); }
  void enqueue(runtime::MonoTime when, uint64_t draw, uint64_t timer, runtime::Job job);

  VirtualTime& time_;
  std::map<uint64_t, VirtualTime::Key> timers_;
  const uint64_t number_;                            // of all schedulers of this world
  std::map<uint64_t, runtime::MonoTime> last_from_;  // jobs of one caller keep their order
  uint64_t next_timer_ = 0;
  WallClock wall_clock_;
  runtime::Duration max_cross_delay_{0};
};

}  // namespace tidemark::simulation
