#include "broker/runtime/shard_thread.h"

#include <pthread.h>
#include <sched.h>

namespace tidemark::broker {

ShardThread::ShardThread(const runtime::Clock& clock, std::string name, std::optional<int> cpu)
    : scheduler_(clock), name_(std::move(name)), cpu_(cpu) {}

void ShardThread::start() {
  probe(scheduler_.mono());
  thread_ = std::thread([this] { scheduler_.run(); });
  pthread_setname_np(thread_.native_handle(), name_.substr(0, 15).c_str());
  if (cpu_) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<size_t>(*cpu_), &cpus);
    // A cgroup may forbid that core; unpinned works as well.
    (void)pthread_setaffinity_np(thread_.native_handle(), sizeof(cpus), &cpus);
  }
}

void ShardThread::stop() {
  if (!thread_.joinable()) return;
  scheduler_.stop();
  thread_.join();
}

void ShardThread::probe(runtime::MonoTime due) {
  const runtime::MonoTime now = scheduler_.mono();
  const runtime::Duration late = now - due;
  if (now >= window_end_) {
    longest_before_ = std::exchange(longest_in_window_, {});
    window_end_ = now + kWindow;
  }
  longest_in_window_ = std::max(longest_in_window_, late);
  longest_stall_.store(std::max(longest_in_window_, longest_before_).count(), std::memory_order_relaxed);
  if (late > kStall) stalls_.fetch_add(1, std::memory_order_relaxed);
  const runtime::MonoTime next = now + kProbeInterval;
  scheduler_.at(next, [this, next] { probe(next); });
}

}  // namespace tidemark::broker
