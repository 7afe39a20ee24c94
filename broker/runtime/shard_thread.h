// One shard's thread: it runs an AsioScheduler, and measures how late the loop comes to its timers, which is
// what a handler that blocks does to every connection of the shard. Owned by the node, which destroys what
// lives on the shard (tasks, streams, listeners) after stop() and before this.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include "broker/runtime/asio_scheduler.h"

namespace tidemark::broker {

class ShardThread {
 public:
  // `name`: the thread's (15 characters of it). `cpu`: the core that it is pinned to, if any.
  ShardThread(const runtime::Clock& clock, std::string name, std::optional<int> cpu = std::nullopt);
  ~ShardThread() { stop(); }
  ShardThread(const ShardThread&) = delete;
  ShardThread& operator=(const ShardThread&) = delete;

  [[nodiscard]] AsioScheduler& scheduler() { return scheduler_; }
  // Before start(), the scheduler's functions may be called by the starting thread.
  void start();
  // Ends the loop after the job that runs, and joins. Idempotent. Not from the shard itself.
  void stop();

  // The longest delay of the last one to two windows. Any thread.
  [[nodiscard]] runtime::Duration longest_stall() const {
    return runtime::Duration(longest_stall_.load(std::memory_order_relaxed));
  }
  // Delays beyond kStall since the start. Any thread.
  [[nodiscard]] uint64_t stalls() const { return stalls_.load(std::memory_order_relaxed); }

  static constexpr runtime::Duration kProbeInterval = std::chrono::milliseconds(250);
  static constexpr runtime::Duration kStall = std::chrono::milliseconds(50);
  static constexpr runtime::Duration kWindow = std::chrono::minutes(1);

 private:
  void probe(runtime::MonoTime due);

  AsioScheduler scheduler_;
  std::string name_;
  std::optional<int> cpu_;
  // The longest of this window and of the one before, whoever reads it how often. The first three are its
  // loop's.
  runtime::MonoTime window_end_{};
  runtime::Duration longest_in_window_{};
  runtime::Duration longest_before_{};
  std::atomic<int64_t> longest_stall_{0};
  std::atomic<uint64_t> stalls_{0};
  std::thread thread_;
};

}  // namespace tidemark::broker
