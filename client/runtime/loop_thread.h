// A PollLoop with a thread of its own, for applications that have theirs: they hand it tasks and wait for the
// values. Any thread but its own may call it; what tasks use lives and dies on the loop.
#pragma once

#include <condition_variable>
#include <functional>
#include <thread>

#include "client/runtime/poll_loop.h"

namespace tidemark::client {

class LoopThread {
 public:
  LoopThread();
  // Destroys what still runs, on the loop, and waits for the thread.
  ~LoopThread();
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  [[nodiscard]] PollLoop& loop() { return loop_; }
  // Runs make()'s task on the loop and waits for its value.
  template <class T>
  T call(std::function<runtime::Task<T>()> make) {
    Waited<T> waited;
    loop_.post([this, &waited, &make] { scope_.spawn(finish<T>(make(), waited)); });
    std::unique_lock lock(waited.mutex);
    waited.done.wait(lock, [&] { return waited.value.has_value(); });
    return std::move(*waited.value);
  }
  // Runs it on the loop and waits until it has ended.
  void run(const std::function<void()>& job);

 private:
  template <class T>
  struct Waited {
    std::mutex mutex;
    std::condition_variable done;
    std::optional<T> value;
  };
  template <class T>
  static runtime::Task<void> finish(runtime::Task<T> task, Waited<T>& waited) {
    T value = co_await task;
    const std::lock_guard lock(waited.mutex);
    waited.value.emplace(std::move(value));
    waited.done.notify_one();  // under the lock: the waiter's frame goes as soon as it has it
  }

  PollLoop loop_;
  runtime::TaskScope scope_;
  std::thread thread_;
};

// Bytes that application threads may have handed over and the loop has not settled. take() waits; give() is
// the loop's.
class ByteGate {
 public:
  explicit ByteGate(int64_t bytes) : most_(bytes) {}
  // More than the gate holds waits until it is empty, and passes alone.
  void take(int64_t bytes);
  void give(int64_t bytes);

 private:
  const int64_t most_;
  int64_t taken_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
};

// What application threads add and the loop takes, all at once.
template <class Item>
class Inbox {
 public:
  // True if it was empty: somebody must tell the loop.
  bool add(Item item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    return items_.size() == 1;
  }
  std::vector<Item> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(items_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<Item> items_;
};

}  // namespace tidemark::client
