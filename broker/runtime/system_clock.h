// The Clock seam on the operating system's clocks. Stateless; any thread.
#pragma once

#include "protocol/runtime/clock.h"

namespace tidemark::broker {

class SystemClock final : public runtime::Clock {
 public:
  [[nodiscard]] runtime::MonoTime mono() const override;
  [[nodiscard]] runtime::WallTime wall() const override;
};

}  // namespace tidemark::broker
