#include "broker/runtime/thread_lane.h"

#include <pthread.h>

#include <utility>

#include "protocol/invariant.h"

namespace tidemark::broker {

ThreadLane::ThreadLane(const std::string& name) : thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

ThreadLane::~ThreadLane() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void ThreadLane::submit(runtime::Job work, runtime::Scheduler& home, runtime::Job done) {
  depth_.fetch_add(1, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    REQUIRES(!stopping_);
    queue_.push_back({std::move(work), &home, std::move(done)});
  }
  wake_.notify_one();
}

void ThreadLane::run() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Entry entry = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    entry.work();
    entry.work = nullptr;
    depth_.fetch_sub(1, std::memory_order_relaxed);
    entry.home->post(std::move(entry.done));
    lock.lock();
  }
}

}  // namespace tidemark::broker
