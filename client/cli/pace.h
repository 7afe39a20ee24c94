// When the records of a run are due: `rate` a second, or each as soon as the one before has been taken. A
// record's latency counts from then, so that one that had to wait for a slow broker shows the wait
// (coordinated omission). Pure.
#pragma once

#include "protocol/invariant.h"
#include "protocol/runtime/time.h"

namespace tidemark::cli {

class Pace {
 public:
  // `rate` 0: none. REQUIRES: rate >= 0.
  Pace(runtime::MonoTime began, int64_t rate) : began_(began), rate_(rate) { REQUIRES(rate >= 0); }

  [[nodiscard]] bool fixed() const { return rate_ > 0; }
  // REQUIRES: fixed().
  [[nodiscard]] runtime::MonoTime due(uint64_t record) const {
    REQUIRES(fixed());
    const auto rate = static_cast<uint64_t>(rate_);
    const uint64_t part = (record % rate) * 1'000'000'000 / rate;
    return began_ + std::chrono::seconds(record / rate) + runtime::Duration(part);
  }
  // How many are due before `when`. REQUIRES: fixed().
  [[nodiscard]] uint64_t due_before(runtime::MonoTime when) const {
    REQUIRES(fixed());
    if (when <= began_) return 0;
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(when - began_);
    const auto rate = static_cast<uint64_t>(rate_);
    const auto part = static_cast<uint64_t>(((when - began_) - whole).count());
    uint64_t count = static_cast<uint64_t>(whole.count()) * rate + part * rate / 1'000'000'000;
    // Times are rounded down to nanoseconds.
    while (due(count) < when) ++count;
    while (count > 0 && due(count - 1) >= when) --count;
    return count;
  }

 private:
  const runtime::MonoTime began_;
  const int64_t rate_;
};

}  // namespace tidemark::cli
