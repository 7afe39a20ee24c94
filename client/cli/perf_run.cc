#include "client/cli/perf_run.h"

namespace tidemark::cli {
namespace {

using runtime::Task;

constexpr double kDefaultSeconds = 10;
constexpr std::chrono::seconds kProgressInterval(1);
constexpr std::chrono::milliseconds kLookInterval(100);

}  // namespace

PerfRun::PerfRun(Session& session, const PerfLimits& limits) : session_(session), limits_(limits) {}

void PerfRun::begin() {
  REQUIRES(began_ == runtime::MonoTime{});
  began_ = now();
  double seconds = limits_.seconds;
  if (seconds < 0 && limits_.records < 0) seconds = kDefaultSeconds;
  if (seconds >= 0)
    deadline_ =
        began_ + std::chrono::duration_cast<runtime::Duration>(std::chrono::duration<double>(seconds));
  progress_.spawn(tell_progress());
}

Task<void> PerfRun::tell_progress() {
  for (runtime::MonoTime next = began_ + kProgressInterval;; next += kProgressInterval) {
    Task<void> waiting = runtime::sleep_until(session_.loop, next);
    co_await waiting;
    session_.out.note(measured.progress(now() - began_));
  }
}

bool PerfRun::over() const {
  return broken_off() || now() >= deadline_ ||
         (limits_.records >= 0 && measured.records() >= static_cast<uint64_t>(limits_.records));
}

void PerfRun::fail_with(const Error& error) {
  if (!failed_) failed_ = error;
}

runtime::MonoTime PerfRun::next_look() const { return now() + kLookInterval; }

Result<int> PerfRun::report(const char* verb, Value::Object own) {
  const bool has_begun = began_ != runtime::MonoTime{};
  const runtime::Duration elapsed = has_begun ? ended_.value_or(now()) - began_ : runtime::Duration::zero();
  if (measured.records() > 0 || !failed_) {
    Value::Object summary;
    summary.emplace_back("verb", verb);
    for (auto& field : measured.summary(elapsed)) summary.push_back(std::move(field));
    for (auto& field : own) summary.push_back(std::move(field));
    session_.out.data(Value(std::move(summary)), Value(Value::List{Value(measured.row(elapsed))}));
  }
  if (const uint64_t beyond = measured.latency().beyond(); beyond > 0)
    session_.out.note(fmt::format("{} latencies are longer than {} s and counted as that", beyond,
                                  Histogram::kHighestNs / 1'000'000'000));
  if (failed_) return fail(Error(*failed_));
  return kDone;
}

}  // namespace tidemark::cli
