// What was sent and has not come back, by numbers that rise from `first` on: when each was due, whether it
// came before, how many are missing. At most `most` numbers are kept: older ones are written off as lost.
// Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "protocol/runtime/time.h"

namespace tidemark::cli {

class Outstanding {
 public:
  Outstanding(uint64_t first, size_t most) : first_(first), most_(most) {}

  // The next number was sent. Returns it.
  uint64_t add(runtime::MonoTime due);
  // The number came back: when it was due. nullopt: it is none of ours, came before, or was written off.
  std::optional<runtime::MonoTime> settle(uint64_t number);

  // How many are still to come back.
  [[nodiscard]] uint64_t missing() const { return missing_; }
  [[nodiscard]] uint64_t written_off() const { return written_off_; }

 private:
  void drop_front();

  uint64_t first_;  // the number of due_'s front
  const size_t most_;
  std::deque<std::optional<runtime::MonoTime>> due_;  // none: it came back
  uint64_t missing_ = 0;                              // Invariant: of due_, those that have a value
  uint64_t written_off_ = 0;
};

}  // namespace tidemark::cli
