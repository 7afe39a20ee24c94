// The node's metrics, in Prometheus' terms. Counters and histograms have one cell per shard, written by that
// shard alone without a lock or a locked instruction, and summed when somebody scrapes. Registering and
// scraping take a mutex; neither is on a request's path. The registry outlives everything that counts.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace tidemark::broker {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

namespace metrics_detail {
inline constexpr size_t kCacheLine = 64;
// Written by one loop, read by any thread.
struct alignas(kCacheLine) Cell {
  std::atomic<uint64_t> value{0};
  void add(uint64_t n) { value.store(value.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
};
}  // namespace metrics_detail

class Counter {
 public:
  explicit Counter(size_t shards) : cells_(shards) {}
  // On that shard's loop only.
  void add(size_t shard, uint64_t n = 1) { cells_[shard].add(n); }
  [[nodiscard]] uint64_t total() const {
    uint64_t sum = 0;
    for (const auto& cell : cells_) sum += cell.value.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  std::vector<metrics_detail::Cell> cells_;
};

class Histogram {
 public:
  // `bounds`: upper bounds, rising; one more bucket holds the rest.
  Histogram(size_t shards, std::vector<double> bounds);
  // On that shard's loop only.
  void record(size_t shard, double value);
  struct Sum {
    std::vector<uint64_t> buckets;  // not cumulative; bounds + 1
    double sum = 0;
  };
  [[nodiscard]] Sum total() const;
  [[nodiscard]] const std::vector<double>& bounds() const { return bounds_; }

 private:
  struct alignas(metrics_detail::kCacheLine) Cell {
    std::vector<std::atomic<uint64_t>> buckets;
    std::atomic<double> sum{0};
  };
  std::vector<double> bounds_;
  std::vector<Cell> cells_;
};

class Metrics {
 public:
  explicit Metrics(size_t shards);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The same name and labels give the same object.
  Counter& counter(const std::string& name, const std::string& help, MetricLabels labels = {});
  Histogram& histogram(const std::string& name, const std::string& help, std::vector<double> bounds,
                       MetricLabels labels = {});
  // `read` is called while scraping, on the scraping thread: it may only read what any thread may.
  void gauge(const std::string& name, const std::string& help, std::function<double()> read,
             MetricLabels labels = {});
  // A gauge whose series come and go; the reader bounds how many.
  using ReadAll = std::function<std::vector<std::pair<MetricLabels, double>>()>;
  void gauges(const std::string& name, const std::string& help, ReadAll read);
  // Counters of several names whose series come and go together: of each series a value for each name.
  using ReadTable = std::function<std::vector<std::pair<MetricLabels, std::vector<double>>>()>;
  void counters(std::vector<std::pair<std::string, std::string>> names_and_help, ReadTable read);
  // The same of gauges; a value that is not a number has no series.
  void gauges(std::vector<std::pair<std::string, std::string>> names_and_help, ReadTable read);
  // Like a gauge, for what only ever rises but is counted elsewhere.
  void counter_of(const std::string& name, const std::string& help, std::function<double()> read,
                  MetricLabels labels = {});

  // Prometheus' text format.
  [[nodiscard]] std::string serialize() const;
  [[nodiscard]] size_t shards() const { return shards_; }

 private:
  enum class Kind : uint8_t { counter, gauge, histogram };
  struct Series;
  struct Family;
  struct Table;
  Series& series(const std::string& name, const std::string& help, Kind kind, MetricLabels labels);

  const size_t shards_;
  mutable std::mutex mutex_;  // guards families_, tables_ and what they hold, not the cells
  std::vector<std::unique_ptr<Family>> families_;
  std::vector<std::unique_ptr<Table>> tables_;
};

// Request latencies: 0.1 ms to 30 s.
[[nodiscard]] std::vector<double> latency_bounds();

}  // namespace tidemark::broker
