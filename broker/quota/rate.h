// How much is used in the last windows, and for how long to pause when that is too much. Every shard adds to
// cells of its own, and sums those of all: no lock, and together they count as one broker. The arithmetic is
// pure, and time is an argument.
//
// As in Kafka the rate is what the last `samples` windows hold, the current one included, over the time that
// they cover: a client that was idle may use (samples - 1) windows' worth at once. Kafka's windows begin with
// a client's first request; ours all begin together, so that shards agree on them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "protocol/runtime/time.h"

namespace tidemark::broker {

// quota.window.num and quota.window.size.seconds.
struct QuotaWindows {
  // More are kept as this many longer ones: the time that they cover is what matters.
  static constexpr int64_t kMaxSamples = 60;
  static constexpr runtime::Duration kLongest = std::chrono::hours(24 * 365);

  QuotaWindows(int64_t samples, int64_t size_seconds);

  int64_t samples;         // 1..kMaxSamples
  runtime::Duration size;  // of each

  [[nodiscard]] runtime::Duration covered() const { return samples * size; }
  [[nodiscard]] int64_t index_at(runtime::MonoTime now) const { return now.time_since_epoch() / size; }
  // What the rate is over: the whole windows and what has passed of the current one; never less than one.
  [[nodiscard]] runtime::Duration elapsed_at(runtime::MonoTime now) const;
};

class SharedRate {
 public:
  // REQUIRES: shards > 0
  SharedRate(const QuotaWindows& windows, size_t shards);

  // On `shard`'s loop only. Negative: what was added is taken back.
  void add(size_t shard, double amount, runtime::MonoTime now);
  // In the windows that count. Any thread; what another shard adds meanwhile may be missed.
  [[nodiscard]] double sum(runtime::MonoTime now) const;
  // How long to use nothing until the rate is `limit` a second again, in whole milliseconds; zero: it is not
  // above. Any thread. REQUIRES: limit > 0
  [[nodiscard]] runtime::Duration excess(double limit, runtime::MonoTime now) const;

 private:
  // Written by its shard alone. A reader that sees `window` change looks away: the cell is new and empty.
  struct Cell {
    std::atomic<int64_t> window{-1};
    std::atomic<double> amount{0};
  };

  const QuotaWindows windows_;
  std::vector<std::unique_ptr<Cell[]>> cells_;  // by shard; window w is in cell w % samples
};

// The same for a sum that is known. REQUIRES: limit > 0
[[nodiscard]] runtime::Duration pause_for(double sum, double limit, runtime::Duration elapsed);

}  // namespace tidemark::broker
