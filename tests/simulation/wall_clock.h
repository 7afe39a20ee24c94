// The wall clock of one life of a process, which may be wrong: it is set anew between lives, minutes or hours
// ahead or behind, and runs a little faster or slower than the monotonic one; and what it has said life by
// life, for the judges of what goes by wall time. Pure.
#pragma once

#include <vector>

#include "protocol/runtime/random.h"
#include "protocol/runtime/time.h"

namespace tidemark::simulation {

struct WallClock {
  std::chrono::milliseconds skew{0};  // when the life begins
  double drift = 0;                   // seconds that it gains in each second from then on; > -1
  runtime::MonoTime since{};          // when the life begins
  [[nodiscard]] runtime::WallTime at(runtime::MonoTime when) const;
};

// `usual`: what it is off by where nobody has set it wrong. `jumps`: it may have been, by hours; but never so
// that between two lives what stays for a day (idempotent producers, tombstones) has had its time.
[[nodiscard]] WallClock draw_wall_clock(runtime::Random& random, std::chrono::milliseconds usual, bool jumps,
                                        runtime::MonoTime since);

class WallHistory {
 public:
  void begins(const WallClock& clock) { lives_.push_back({clock, runtime::kNever}); }
  void ends(runtime::MonoTime now) { lives_.back().end = now; }
  // By how much the clock of `life`, from 1 on, was set ahead of the one before it; negative: back.
  [[nodiscard]] std::chrono::milliseconds set_ahead(size_t life) const;
  [[nodiscard]] double drift(size_t life) const { return lives_.at(life - 1).clock.drift; }
  // What the clock of `life` says at `when`.
  [[nodiscard]] runtime::WallTime at(size_t life, runtime::MonoTime when) const {
    return lives_.at(life - 1).clock.at(when);
  }
  // The longest time that these clocks may say has passed from a look at `from` to one not after `until`.
  [[nodiscard]] std::chrono::milliseconds most_since(runtime::MonoTime from, runtime::MonoTime until) const;
  // The same, where the first look may have come at any time from `from` on.
  [[nodiscard]] std::chrono::milliseconds most_within(runtime::MonoTime from, runtime::MonoTime until) const;

 private:
  struct Life {
    WallClock clock;
    runtime::MonoTime end;
  };
  std::vector<Life> lives_;
};

}  // namespace tidemark::simulation
