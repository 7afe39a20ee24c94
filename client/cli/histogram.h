// Latencies in fixed memory, after the idea of HdrHistogram: every power of two is cut into as many buckets,
// so that the relative error is the same everywhere. Values are nanoseconds. What lies beyond kHighestNs is
// counted as kHighestNs, and beyond() says how often. Pure.
#pragma once

#include <cstdint>
#include <vector>

namespace tidemark::cli {

class Histogram {
 public:
  static constexpr int64_t kHighestNs = int64_t{3'600} * 1'000'000'000;  // an hour
  static constexpr double kRelativeError = 1.0 / 128;

  Histogram();

  // Below 0 counts as 0.
  void add(int64_t value_ns, uint64_t times = 1);
  void add(const Histogram& other);
  void clear();

  [[nodiscard]] uint64_t count() const { return count_; }
  [[nodiscard]] uint64_t beyond() const { return beyond_; }
  // Exact; 0 if nothing was added.
  [[nodiscard]] int64_t max_ns() const { return max_; }
  // A value that `quantile` (0 to 1) of all values do not exceed: the true one or up to kRelativeError more,
  // never more than max_ns(). 0 if nothing was added.
  [[nodiscard]] int64_t value_at(double quantile) const;

 private:
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;  // Invariant: the sum of counts_
  uint64_t beyond_ = 0;
  int64_t max_ = 0;  // Invariant: 0 <= max_ <= kHighestNs
};

}  // namespace tidemark::cli
