// The Clock seam: the only source of time. Production reads the operating system; the simulator has virtual
// time with skew and drift per node. Any thread may read it.
#pragma once

#include "protocol/runtime/time.h"

namespace tidemark::runtime {

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual MonoTime mono() const = 0;
  [[nodiscard]] virtual WallTime wall() const = 0;
};

}  // namespace tidemark::runtime
