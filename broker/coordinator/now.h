// The moment of a call of the coordinator. A value; any thread.
#pragma once

#include "protocol/runtime/time.h"

namespace tidemark::coordinator {

// Deadlines are counted in monotonic time; what records carry is wall time.
struct Now {
  runtime::MonoTime mono;
  runtime::WallTime wall;
};

}  // namespace tidemark::coordinator
