// What the verbs of `tidemark perf` share: when a run begins and is over, its progress once a second, its
// summary. Owned by the verb's task, on the session's loop.
#pragma once

#include "client/cli/measurement.h"
#include "client/cli/session.h"
#include "client/runtime/interrupt.h"

namespace tidemark::cli {

class PerfRun {
 public:
  PerfRun(Session& session, const PerfLimits& limits);

  // The clock starts, and with it the progress. REQUIRES: it did not before.
  void begin();
  // Up to now the run lasted, as far as rates are concerned; a later call moves that.
  void end() { ended_ = now(); }
  // Ctrl-C or an error; else it goes on.
  [[nodiscard]] bool broken_off() const { return failed_.has_value() || interrupt_.came(); }
  // ... or time is up, or everything has been counted.
  [[nodiscard]] bool over() const;
  // The first error is the run's.
  void fail_with(const Error& error);

  [[nodiscard]] runtime::MonoTime now() const { return session_.loop.clock().mono(); }
  [[nodiscard]] runtime::MonoTime began() const { return began_; }
  [[nodiscard]] runtime::MonoTime deadline() const { return deadline_; }
  [[nodiscard]] const PerfLimits& limits() const { return limits_; }
  // Until when a wait may last before it must look around again: Ctrl-C wakes nobody.
  [[nodiscard]] runtime::MonoTime next_look() const;

  Measurement measured;

  // Prints the summary with the verb's own fields in it; the status, or the error that ended the run.
  Result<int> report(const char* verb, Value::Object own);

 private:
  runtime::Task<void> tell_progress();

  Session& session_;
  const PerfLimits limits_;
  const client::Interrupt interrupt_;
  runtime::MonoTime began_{};
  runtime::MonoTime deadline_ = runtime::kNever;
  std::optional<runtime::MonoTime> ended_;
  std::optional<Error> failed_;
  runtime::TaskScope progress_;
};

}  // namespace tidemark::cli
