// What clients have used of their quotas, for the whole node: found here when a connection first needs it,
// and held by the connection from then on, so that the lock is on no request's path. Bounded: what nobody
// holds and whose windows are empty is forgotten (its next request would find the same), and clients beyond
// the bound count together.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "broker/quota/quota_kind.h"
#include "broker/quota/rate.h"
#include "broker/quota/token_bucket.h"

namespace tidemark::broker {

// One client's, of one kind.
struct Usage {
  Usage(const QuotaWindows& windows, size_t shards) : rate(windows, shards) {}

  SharedRate rate;
  TokenBucket bucket;  // of controller_mutation, which has no rate; shard 0's
  // What the bucket says of itself to other shards: from then on it is full.
  std::atomic<int64_t> bucket_full_ns{INT64_MIN};

  // Nothing is left of it that a new one would not have.
  [[nodiscard]] bool is_empty(runtime::MonoTime now) const {
    return bucket_full_ns.load(std::memory_order_relaxed) <= now.time_since_epoch().count() &&
           rate.sum(now) == 0;
  }
};

class Usages {
 public:
  static constexpr size_t kMostTracked = 10'000;
  static constexpr size_t kLongestName = 128;  // longer ones are kept as their beginning and a digest

  Usages(const QuotaWindows& windows, const QuotaWindows& controller_windows, size_t shards,
         size_t most_tracked = kMostTracked)
      : windows_(windows),
        controller_windows_(controller_windows),
        shards_(shards),
        most_tracked_(most_tracked) {}

  // Any thread; never null.
  [[nodiscard]] std::shared_ptr<Usage> find(QuotaKind kind, std::string_view user, std::string_view client_id,
                                            runtime::MonoTime now);
  [[nodiscard]] const QuotaWindows& windows() const { return windows_; }
  [[nodiscard]] const QuotaWindows& controller_windows() const { return controller_windows_; }

  // Any thread.
  [[nodiscard]] size_t tracked() const { return tracked_.load(std::memory_order_relaxed); }
  // How often somebody was counted with others.
  [[nodiscard]] uint64_t overflows() const { return overflows_.load(std::memory_order_relaxed); }

 private:
  struct Key {
    QuotaKind kind;
    std::string user;
    std::string client_id;
    auto operator<=>(const Key&) const = default;
  };
  void forget_empty(runtime::MonoTime now);

  const QuotaWindows windows_;
  const QuotaWindows controller_windows_;
  const size_t shards_;
  const size_t most_tracked_;
  std::mutex mutex_;  // guards what follows, but for the counters
  std::map<Key, std::shared_ptr<Usage>> known_;
  std::array<std::shared_ptr<Usage>, kQuotaKinds> others_;
  runtime::MonoTime next_look_{};
  std::atomic<size_t> tracked_{0};
  std::atomic<uint64_t> overflows_{0};
};

// A name of bounded length in its place: the same for the same name.
[[nodiscard]] std::string bounded_name(std::string_view name);

}  // namespace tidemark::broker
