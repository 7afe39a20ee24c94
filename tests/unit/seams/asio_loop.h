// An AsioScheduler that the test's own thread runs until something holds.
#pragma once

#include <functional>

#include "broker/runtime/asio_scheduler.h"
#include "broker/runtime/system_clock.h"

namespace tidemark {

class AsioLoop {
 public:
  [[nodiscard]] broker::AsioScheduler& scheduler() { return scheduler_; }
  void run_until(const std::function<bool()>& ready) {
    if (ready()) return;
    scheduler_.post([this, &ready] { look(ready); });
    scheduler_.run();
  }

 private:
  void look(const std::function<bool()>& ready) {
    if (ready()) return scheduler_.stop();
    scheduler_.after(std::chrono::microseconds(100), [this, &ready] { look(ready); });
  }
  broker::SystemClock clock_;
  broker::AsioScheduler scheduler_{clock_};
};

}  // namespace tidemark
