#include "broker/runtime/system_clock.h"

#include <chrono>

namespace tidemark::broker {

runtime::MonoTime SystemClock::mono() const {
  return runtime::MonoTime(std::chrono::duration_cast<runtime::MonoTime::duration>(
      std::chrono::steady_clock::now().time_since_epoch()));
}

runtime::WallTime SystemClock::wall() const {
  return runtime::WallTime(std::chrono::duration_cast<runtime::WallTime::duration>(
      std::chrono::system_clock::now().time_since_epoch()));
}

}  // namespace tidemark::broker
