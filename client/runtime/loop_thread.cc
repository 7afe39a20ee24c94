#include "client/runtime/loop_thread.h"

#include <signal.h>

namespace tidemark::client {

LoopThread::LoopThread() {
  // The application's signals are the application's.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  thread_ = std::thread([this] { loop_.run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LoopThread::~LoopThread() {
  loop_.post([this] {
    scope_.destroy_all();
    loop_.stop();
  });
  thread_.join();
}

void LoopThread::run(const std::function<void()>& job) {
  call<bool>([&job]() -> runtime::Task<bool> {
    // `job` is the caller's, who waits.
    const auto once = [](const std::function<void()>& given) -> runtime::Task<bool> {
      given();
      co_return true;
    };
    return once(job);
  });
}

void ByteGate::take(int64_t bytes) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return taken_ == 0 || taken_ + bytes <= most_; });
  taken_ += bytes;
}

void ByteGate::give(int64_t bytes) {
  const std::lock_guard lock(mutex_);
  taken_ -= bytes;
  changed_.notify_all();
}

}  // namespace tidemark::client
