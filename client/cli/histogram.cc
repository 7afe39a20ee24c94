#include "client/cli/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tidemark::cli {
namespace {

// A power of two has 2^kBits buckets; below 2^(kBits + 1) each value has one of its own.
constexpr int kBits = 7;
constexpr uint64_t kHalf = uint64_t{1} << kBits;

size_t bucket_of(int64_t value_ns) {
  const auto value = static_cast<uint64_t>(value_ns);
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kBits - 1);
  return static_cast<size_t>(shift) * kHalf + (value >> shift);
}

// The largest value that falls into the bucket.
int64_t highest_in(size_t bucket) {
  const uint64_t shift = bucket < 2 * kHalf ? 0 : bucket / kHalf - 1;
  const uint64_t leading = bucket - shift * kHalf;
  return static_cast<int64_t>(((leading + 1) << shift) - 1);
}

}  // namespace

Histogram::Histogram() : counts_(bucket_of(kHighestNs) + 1) {}

void Histogram::add(int64_t value_ns, uint64_t times) {
  if (value_ns > kHighestNs) beyond_ += times;
  const int64_t value = std::clamp<int64_t>(value_ns, 0, kHighestNs);
  counts_[bucket_of(value)] += times;
  count_ += times;
  if (times > 0) max_ = std::max(max_, value);
}

void Histogram::add(const Histogram& other) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  beyond_ += other.beyond_;
  max_ = std::max(max_, other.max_);
}

void Histogram::clear() {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = beyond_ = 0;
  max_ = 0;
}

int64_t Histogram::value_at(double quantile) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(quantile, 0.0, 1.0) * static_cast<double>(count_));
  const uint64_t rank = std::clamp<uint64_t>(static_cast<uint64_t>(wanted), 1, count_);
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank) return std::min(highest_in(bucket), max_);
  }
  return max_;
}

}  // namespace tidemark::cli
