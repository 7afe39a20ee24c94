// What a run of `tidemark perf` has counted, and how it is told: a line a second while it runs, a summary at
// the end. Pure: time comes as an argument.
#pragma once

#include "client/cli/histogram.h"
#include "client/cli/value.h"
#include "protocol/runtime/time.h"

namespace tidemark::cli {

class Measurement {
 public:
  void count(uint64_t records, uint64_t bytes);
  void took(runtime::Duration latency, uint64_t times = 1);

  [[nodiscard]] uint64_t records() const { return total_.records; }
  [[nodiscard]] uint64_t bytes() const { return total_.bytes; }
  [[nodiscard]] const Histogram& latency() const { return total_.latency; }

  // What was counted since the last call, which was made (as was the run's begin) at another `elapsed`.
  std::string progress(runtime::Duration elapsed);
  // Of the whole run: fields for JSON and YAML, whole numbers with their units last, and a table's row.
  [[nodiscard]] Value::Object summary(runtime::Duration elapsed) const;
  [[nodiscard]] Value::Object row(runtime::Duration elapsed) const;

 private:
  struct Counts {
    uint64_t records = 0;
    uint64_t bytes = 0;
    Histogram latency;
  };
  Counts total_;
  Counts since_;  // the last progress
  runtime::Duration told_{};
};

}  // namespace tidemark::cli
