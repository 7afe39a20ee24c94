// A number of milliseconds that somebody set or sent, as a Duration. Kafka's settings go up to INT64_MAX for
// "never"; as nanoseconds that is -1 ms, which means "at once".
#pragma once

#include <algorithm>

#include "protocol/runtime/time.h"

namespace tidemark::runtime {

// A century, so that now + kLongestWait is a time too.
inline constexpr Duration kLongestWait = std::chrono::hours(24 * 365 * 100);

constexpr Duration saturating_ms(int64_t ms) {
  constexpr int64_t kMost = std::chrono::floor<std::chrono::milliseconds>(kLongestWait).count();
  return std::chrono::milliseconds(std::clamp(ms, -kMost, kMost));
}

}  // namespace tidemark::runtime
