// The two kinds of time. MonoTime measures durations and deadlines; WallTime is what records and files carry.
// They do not convert into each other. Neither type can be read here: that is `Clock`'s alone
// (runtime/clock.h).
#pragma once

#include <chrono>
#include <cstdint>

namespace tidemark::runtime {

using Duration = std::chrono::nanoseconds;

struct MonoTag {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonoTag, duration>;
  static constexpr bool is_steady = true;
};
struct WallTag {
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<WallTag, duration>;
  static constexpr bool is_steady = false;
};

using MonoTime = MonoTag::time_point;
// Milliseconds since the Unix epoch: Kafka's timestamps.
using WallTime = WallTag::time_point;

inline int64_t unix_ms(WallTime t) { return t.time_since_epoch().count(); }
inline constexpr MonoTime kNever = MonoTime::max();

}  // namespace tidemark::runtime
