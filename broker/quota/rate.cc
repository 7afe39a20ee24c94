#include "broker/quota/rate.h"

#include <algorithm>
#include <cmath>

#include "protocol/invariant.h"

namespace tidemark::broker {

using runtime::Duration;
using runtime::MonoTime;

namespace {

// A client that is told more has to wait for years; Kafka's field for it has 32 bits.
constexpr double kLongestPauseMs = INT32_MAX;

}  // namespace

QuotaWindows::QuotaWindows(int64_t wanted, int64_t size_seconds)
    : samples(std::clamp<int64_t>(wanted, 1, kMaxSamples)) {
  const double whole = static_cast<double>(std::max<int64_t>(wanted, 1)) * static_cast<double>(size_seconds);
  const double each = std::min(whole / static_cast<double>(samples) * 1e9,
                               static_cast<double>(kLongest.count()) / static_cast<double>(samples));
  size = Duration(std::max<int64_t>(static_cast<int64_t>(each), 1));
}

Duration QuotaWindows::elapsed_at(MonoTime now) const {
  const Duration current = now.time_since_epoch() - index_at(now) * size;
  return std::max((samples - 1) * size + current, size);
}

SharedRate::SharedRate(const QuotaWindows& windows, size_t shards) : windows_(windows) {
  REQUIRES(shards > 0);
  for (size_t i = 0; i < shards; ++i)
    cells_.push_back(std::make_unique<Cell[]>(static_cast<size_t>(windows_.samples)));
}

void SharedRate::add(size_t shard, double amount, MonoTime now) {
  const int64_t window = windows_.index_at(now);
  Cell& cell = cells_[shard][static_cast<size_t>(window % windows_.samples)];
  const int64_t holds = cell.window.load(std::memory_order_relaxed);
  if (holds == window) {
    cell.amount.store(cell.amount.load(std::memory_order_relaxed) + amount, std::memory_order_release);
    return;
  }
  if (holds > window) return;  // a clock is read before its turn comes: the window has gone
  cell.window.store(-1, std::memory_order_relaxed);
  cell.amount.store(amount, std::memory_order_release);
  cell.window.store(window, std::memory_order_release);
}

double SharedRate::sum(MonoTime now) const {
  const int64_t newest = windows_.index_at(now);
  double total = 0;
  for (const auto& row : cells_) {
    for (int64_t i = 0; i < windows_.samples; ++i) {
      const Cell& cell = row[static_cast<size_t>(i)];
      const int64_t window = cell.window.load(std::memory_order_acquire);
      const double amount = cell.amount.load(std::memory_order_acquire);
      if (window < 0 || window <= newest - windows_.samples) continue;
      if (cell.window.load(std::memory_order_relaxed) == window) total += amount;
    }
  }
  return std::max(total, 0.0);
}

Duration SharedRate::excess(double limit, MonoTime now) const {
  return pause_for(sum(now), limit, windows_.elapsed_at(now));
}

Duration pause_for(double sum, double limit, Duration elapsed) {
  REQUIRES(limit > 0);
  // The rate falls as time passes and nothing is added: sum / (elapsed + pause) = limit.
  const double pause_ms = (sum / limit - std::chrono::duration<double>(elapsed).count()) * 1000;
  if (!(pause_ms > 0)) return {};
  return std::chrono::milliseconds(static_cast<int64_t>(std::round(std::min(pause_ms, kLongestPauseMs))));
}

}  // namespace tidemark::broker
