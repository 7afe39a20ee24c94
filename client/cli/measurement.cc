#include "client/cli/measurement.h"

#include <fmt/format.h>

namespace tidemark::cli {
namespace {

struct Quantile {
  double quantile;
  const char* name;    // as JSON has it
  const char* column;  // as a table's heading has it
};
constexpr Quantile kQuantiles[] = {
    {0.5, "p50", "p50_ms"}, {0.9, "p90", "p90_ms"}, {0.99, "p99", "p99_ms"}, {0.999, "p99_9", "p99.9_ms"}};

double seconds(runtime::Duration duration) { return std::chrono::duration<double>(duration).count(); }
double per_second(uint64_t count, runtime::Duration elapsed) {
  return elapsed > runtime::Duration::zero() ? static_cast<double>(count) / seconds(elapsed) : 0;
}
double megabytes(double bytes) { return bytes / 1e6; }
double milliseconds(int64_t ns) { return static_cast<double>(ns) / 1e6; }
int64_t whole(double number) { return static_cast<int64_t>(number + 0.5); }
// Rounded up, so that the order of percentiles and maximum stays and a latency is never 0.
int64_t microseconds(int64_t ns) { return (ns + 999) / 1'000; }

}  // namespace

void Measurement::count(uint64_t records, uint64_t bytes) {
  for (Counts* counts : {&total_, &since_}) {
    counts->records += records;
    counts->bytes += bytes;
  }
}

void Measurement::took(runtime::Duration latency, uint64_t times) {
  total_.latency.add(latency.count(), times);
  since_.latency.add(latency.count(), times);
}

std::string Measurement::progress(runtime::Duration elapsed) {
  const runtime::Duration stretch = elapsed - told_;
  std::string line =
      fmt::format("{:.0f} s: {} records, {:.0f} records/s, {:.2f} MB/s", seconds(elapsed), since_.records,
                  per_second(since_.records, stretch), megabytes(per_second(since_.bytes, stretch)));
  if (since_.latency.count() > 0) {
    line += fmt::format(", p50 {:.3f} ms, p99 {:.3f} ms, max {:.3f} ms",
                        milliseconds(since_.latency.value_at(0.5)),
                        milliseconds(since_.latency.value_at(0.99)), milliseconds(since_.latency.max_ns()));
  }
  since_.records = since_.bytes = 0;
  since_.latency.clear();
  told_ = elapsed;
  return line;
}

Value::Object Measurement::summary(runtime::Duration elapsed) const {
  const Histogram& latency = total_.latency;
  Value::Object percentiles;
  for (const Quantile& each : kQuantiles)
    percentiles.emplace_back(each.name, microseconds(latency.value_at(each.quantile)));
  percentiles.emplace_back("max", microseconds(latency.max_ns()));
  percentiles.emplace_back("count", static_cast<int64_t>(latency.count()));
  percentiles.emplace_back("beyond", static_cast<int64_t>(latency.beyond()));
  Value::Object fields;
  fields.emplace_back("records", static_cast<int64_t>(total_.records));
  fields.emplace_back("bytes", static_cast<int64_t>(total_.bytes));
  fields.emplace_back("elapsed_ms", whole(seconds(elapsed) * 1e3));
  fields.emplace_back("records_per_s", whole(per_second(total_.records, elapsed)));
  fields.emplace_back("bytes_per_s", whole(per_second(total_.bytes, elapsed)));
  fields.emplace_back("latency_us", latency.count() > 0 ? Value(std::move(percentiles)) : Value());
  return fields;
}

Value::Object Measurement::row(runtime::Duration elapsed) const {
  const Histogram& latency = total_.latency;
  const auto cell = [&](int64_t ns) {
    return latency.count() > 0 ? Value(fmt::format("{:.3f}", milliseconds(ns))) : Value();
  };
  Value::Object fields;
  fields.emplace_back("records", static_cast<int64_t>(total_.records));
  fields.emplace_back("mb", fmt::format("{:.2f}", megabytes(static_cast<double>(total_.bytes))));
  fields.emplace_back("seconds", fmt::format("{:.2f}", seconds(elapsed)));
  fields.emplace_back("records/s", fmt::format("{:.0f}", per_second(total_.records, elapsed)));
  fields.emplace_back("mb/s", fmt::format("{:.2f}", megabytes(per_second(total_.bytes, elapsed))));
  for (const Quantile& each : kQuantiles)
    fields.emplace_back(each.column, cell(latency.value_at(each.quantile)));
  fields.emplace_back("max_ms", cell(latency.max_ns()));
  return fields;
}

}  // namespace tidemark::cli
