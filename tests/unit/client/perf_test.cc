// What `tidemark perf` counts with: percentiles, due times, what is outstanding; what it prints; what it
// refuses.
#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "client/cli/perf_load.h"

using namespace tidemark;
using namespace tidemark::cli;
using namespace std::chrono_literals;
using runtime::MonoTime;

namespace {

constexpr double kQuantiles[] = {0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};

int64_t exact(std::vector<int64_t> values, double quantile) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(quantile * static_cast<double>(values.size())));
  return values[std::max<size_t>(rank, 1) - 1];
}

int status_of(std::vector<std::string> words) {
  words.insert(words.begin(), "tidemark");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  return run_command_line(static_cast<int>(arguments.size()), arguments.data());
}

}  // namespace

TEST_CASE("percentiles are at most a hundredth too high, never too low, whatever the values") {
  runtime::SeededRandom random(1);
  for (const int bits : {3, 8, 9, 20, 41}) {
    Histogram histogram;
    std::vector<int64_t> values;
    for (int i = 0; i < 5'000; ++i) {
      // All magnitudes alike.
      values.push_back(static_cast<int64_t>(random.next() >> (64 - random.between(1, bits))));
      histogram.add(values.back());
    }
    CHECK(histogram.count() == values.size());
    CHECK(histogram.max_ns() == *std::max_element(values.begin(), values.end()));
    for (const double quantile : kQuantiles) {
      const int64_t want = exact(values, quantile);
      const int64_t got = histogram.value_at(quantile);
      CHECK(got >= want);
      CHECK(static_cast<double>(got) <= static_cast<double>(want) * (1 + Histogram::kRelativeError));
      CHECK(got <= histogram.max_ns());
    }
  }
  static_assert(Histogram::kRelativeError <= 0.01);
}

TEST_CASE("every power of two, and its neighbours, is in its place") {
  for (int64_t power = 1; power <= Histogram::kHighestNs; power *= 2) {
    for (const int64_t value : {power - 1, power, power + 1}) {
      Histogram histogram;
      histogram.add(value);
      histogram.add(Histogram::kHighestNs);  // else the maximum corrects what the buckets got wrong
      const int64_t got = histogram.value_at(0.5);
      CHECK(got >= value);
      CHECK(static_cast<double>(got - value) <= static_cast<double>(value) * Histogram::kRelativeError);
    }
  }
}

TEST_CASE("an empty histogram, values below nothing and beyond the highest") {
  Histogram histogram;
  CHECK(histogram.count() == 0);
  CHECK(histogram.value_at(0.99) == 0);
  histogram.add(-5);
  CHECK(histogram.value_at(1) == 0);
  histogram.add(Histogram::kHighestNs, 2);
  CHECK(histogram.beyond() == 0);
  histogram.add(Histogram::kHighestNs + 1);
  histogram.add(INT64_MAX, 3);
  CHECK(histogram.beyond() == 4);
  CHECK(histogram.count() == 7);
  CHECK(histogram.max_ns() == Histogram::kHighestNs);
  CHECK(histogram.value_at(0.5) == Histogram::kHighestNs);

  histogram.clear();
  CHECK(histogram.count() == 0);
  CHECK(histogram.beyond() == 0);
  CHECK(histogram.max_ns() == 0);
  CHECK(histogram.value_at(0.5) == 0);
}

TEST_CASE("a fixed rate makes records due at even distances, without drifting") {
  const MonoTime began = MonoTime(5s);
  const Pace pace(began, 3);
  CHECK(pace.due(0) == began);
  CHECK(pace.due(1) == began + 333'333'333ns);
  CHECK(pace.due(3) == began + 1s);
  CHECK(pace.due(3'000'000'000) == began + 1'000'000'000s);
  CHECK_FALSE(Pace(began, 0).fixed());
  for (const int64_t rate : {1, 3, 7, 1'000, 999'983, 10'000'000}) {
    const Pace other(began, rate);
    CHECK(other.due_before(began) == 0);
    CHECK(other.due_before(began + 1ns) == 1);
    CHECK(other.due_before(began + 2s) == static_cast<uint64_t>(2 * rate));
    for (const uint64_t n : {1ULL, 2ULL, 12'345ULL}) {
      CHECK(other.due_before(other.due(n)) == n);
      CHECK(other.due_before(other.due(n) + 1ns) == n + 1);
    }
  }
}

TEST_CASE("what came back is known once, whatever the order") {
  Outstanding outstanding(1, 4);
  for (int i = 1; i <= 3; ++i) CHECK(outstanding.add(MonoTime(i * 1s)) == static_cast<uint64_t>(i));
  CHECK(outstanding.missing() == 3);
  CHECK(outstanding.settle(2) == MonoTime(2s));
  CHECK_FALSE(outstanding.settle(2));
  CHECK_FALSE(outstanding.settle(0));
  CHECK_FALSE(outstanding.settle(4));
  CHECK(outstanding.settle(1) == MonoTime(1s));
  CHECK_FALSE(outstanding.settle(1));
  CHECK(outstanding.missing() == 1);
  CHECK(outstanding.settle(3) == MonoTime(3s));
  CHECK(outstanding.missing() == 0);
  CHECK(outstanding.written_off() == 0);
}

TEST_CASE("what is outstanding is bounded: the oldest is written off") {
  Outstanding outstanding(1, 3);
  for (int i = 1; i <= 3; ++i) outstanding.add(MonoTime(i * 1s));
  CHECK(outstanding.settle(2));
  CHECK(outstanding.add(MonoTime(4s)) == 4);  // 1 goes, and 2 with it
  CHECK(outstanding.written_off() == 1);
  CHECK_FALSE(outstanding.settle(1));
  CHECK(outstanding.missing() == 2);
  CHECK(outstanding.add(MonoTime(5s)) == 5);
  CHECK(outstanding.written_off() == 1);
  CHECK(outstanding.settle(3) == MonoTime(3s));
  CHECK(outstanding.settle(5) == MonoTime(5s));
}

TEST_CASE("the summary as JSON and as a table's row") {
  Measurement measurement;
  CHECK(Value(measurement.summary(0s)).json() ==
        R"({"records":0,"bytes":0,"elapsed_ms":0,"records_per_s":0,"bytes_per_s":0,"latency_us":null})");
  measurement.count(3'000, 300'000);
  for (int i = 1; i <= 1'000; ++i) measurement.took(std::chrono::nanoseconds(i % 100 + 1), 3);
  measurement.took(2ms);
  CHECK(Value(measurement.summary(1'500ms)).json() ==
        R"({"records":3000,"bytes":300000,"elapsed_ms":1500,"records_per_s":2000,"bytes_per_s":200000,)"
        R"("latency_us":{"p50":1,"p90":1,"p99":1,"p99_9":1,"max":2000,"count":3001,"beyond":0}})");
  std::vector<std::string> names;
  std::vector<std::string> cells;
  for (const auto& [name, value] : measurement.row(1'500ms)) {
    names.push_back(name);
    cells.push_back(value.cell());
  }
  CHECK(names == std::vector<std::string>{"records", "mb", "seconds", "records/s", "mb/s", "p50_ms", "p90_ms",
                                          "p99_ms", "p99.9_ms", "max_ms"});
  CHECK(cells == std::vector<std::string>{"3000", "0.30", "1.50", "2000", "0.20", "0.000", "0.000", "0.000",
                                          "0.000", "2.000"});
}

TEST_CASE("a line of progress tells of the time since the last one") {
  Measurement measurement;
  measurement.count(1'000, 1'000'000);
  measurement.took(3ms);
  CHECK(measurement.progress(1s) ==
        "1 s: 1000 records, 1000 records/s, 1.00 MB/s, p50 3.000 ms, p99 3.000 ms, max 3.000 ms");
  CHECK(measurement.progress(2s) == "2 s: 0 records, 0 records/s, 0.00 MB/s");
  measurement.count(500, 0);
  CHECK(measurement.progress(4s) == "4 s: 500 records, 250 records/s, 0.00 MB/s");
  CHECK(measurement.records() == 1'500);
  CHECK(measurement.latency().count() == 1);
}

TEST_CASE("the filler's values have their size and differ from each other") {
  runtime::SeededRandom random(7);
  Filler filler(random, 100);
  std::set<std::string_view> seen;
  for (int i = 0; i < 20'000; ++i) {
    const std::string_view value = filler.next();
    REQUIRE(value.size() == 100);
    seen.insert(value);
  }
  CHECK(seen.size() == 20'000);
}

TEST_CASE("what is written is set by flags over the properties over the defaults") {
  GlobalOptions global;
  global.producer.linger_ms = 40;
  PerfLoad load;
  CHECK(producer_options(global, load)->linger_ms == 40);
  load.linger_ms = 0;
  load.codec = "zstd";
  load.acks = "1";
  load.batch_bytes = 1'000;
  const auto options = producer_options(global, load);
  REQUIRE(options);
  CHECK(options->linger_ms == 0);
  CHECK(options->codec == protocol::CompressionType::zstd);
  CHECK(options->acks == client::Acks::leader);
  CHECK(options->batch_bytes == 1'000);
  load.idempotent = false;
  CHECK_FALSE(producer_options(global, load)->idempotent);
}

TEST_CASE("flags that contradict each other, and sizes that do not fit, are refused with the reason") {
  const auto refused = [](const PerfLoad& load) {
    GlobalOptions global;
    const auto options = producer_options(global, load);
    REQUIRE_FALSE(options);
    CHECK(exit_status(options.error()) == kBadUsage);
    return options.error().message();
  };
  PerfLoad load;
  load.acks = "1";
  load.idempotent = true;
  CHECK(refused(load).find("--acks all") != std::string::npos);
  load = {};
  load.record_bytes = 2'000'000;
  CHECK(refused(load).find("max.request.size") != std::string::npos);
  load = {};
  load.batch_bytes = 2'000'000;
  CHECK(refused(load).find("max.request.size") != std::string::npos);
}

TEST_CASE("bad arguments of perf end with status 2") {
  const std::vector<std::vector<std::string>> all = {{"perf"},
                                                     {"perf", "prodcue", "t"},
                                                     {"perf", "produce"},
                                                     {"perf", "produce", "t", "--records", "0"},
                                                     {"perf", "produce", "t", "--rate", "0"},
                                                     {"perf", "produce", "t", "--seconds", "-1"},
                                                     {"perf", "produce", "t", "--size", "0"},
                                                     {"perf", "produce", "t", "--acks", "al"},
                                                     {"perf", "produce", "t", "-z", "gzp"},
                                                     {"perf", "produce", "t", "--acks", "0", "--idempotent"},
                                                     {"perf", "consume", "t", "--offset", "yesterday"},
                                                     {"perf", "latency", "t", "--size", "23"},
                                                     {"perf", "latency", "t", "--records", "5"}};
  for (const auto& words : all) CHECK(status_of(words) == kBadUsage);
}
