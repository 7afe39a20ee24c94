// What the system counts of this process: its memory, processor time and open files. Asked when somebody
// scrapes; any thread.
#pragma once

#include <cstdint>

namespace tidemark::broker {

struct ProcessUsage {
  uint64_t resident_bytes = 0;
  uint64_t open_files = 0;
  uint64_t max_open_files = 0;
};

// What cannot be read is 0.
[[nodiscard]] ProcessUsage process_usage();
// User and system.
[[nodiscard]] double process_cpu_seconds();

}  // namespace tidemark::broker
