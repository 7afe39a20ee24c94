// What a run is measured by: latencies, and processor time and memory of the broker as the kernel counts
// them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "tests/bench/load/wire.h"

namespace tidemark::bench {

class Latencies {
 public:
  void add(Nanos latency) { values_.push_back(latency); }
  [[nodiscard]] size_t count() const { return values_.size(); }
  // p50, p99, p99.9 and the largest, in microseconds. Sorts.
  [[nodiscard]] nlohmann::json percentiles();

 private:
  std::vector<Nanos> values_;
};

// Processor seconds so far.
struct CpuTimes {
  double broker_s = 0;   // user and system
  double load_s = 0;     // of this process
  double machine_s = 0;  // busy, of all cores: what is not the two above is somebody else's
  double kernel_s = 0;   // of broker_s
};
[[nodiscard]] CpuTimes cpu_times(pid_t broker);
// VmRSS; 0 if the process is gone.
[[nodiscard]] int64_t resident_kib(pid_t pid);

// Bytes that the process has made the kernel write to a disk, sooner or later; 0 if that is not told.
[[nodiscard]] int64_t written_bytes(pid_t pid);

// A stretch of time in which records are counted.
class Window {
 public:
  explicit Window(pid_t broker) : broker_(broker) {}
  void open() { opened_ = now_ns(), before_ = cpu_times(broker_), written_before_ = written_bytes(broker_); }
  // The last call counts.
  void close() { closed_ = now_ns(), after_ = cpu_times(broker_), written_after_ = written_bytes(broker_); }
  // `records` and `bytes` were acknowledged in the window.
  [[nodiscard]] nlohmann::json report(uint64_t records, uint64_t bytes) const;

 private:
  pid_t broker_;
  Nanos opened_ = 0;
  Nanos closed_ = 0;
  CpuTimes before_;
  CpuTimes after_;
  int64_t written_before_ = 0;
  int64_t written_after_ = 0;
};

}  // namespace tidemark::bench
