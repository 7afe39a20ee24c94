// The Scheduler and Clock seams on poll(2): the client's whole production runtime. One loop, one thread, no
// dependency beyond the C library, so that a command starts in a few milliseconds. Owned by main() or by the
// library's facade; it outlives every task, stream and connection that uses it. `post` is for any thread;
// everything else for the loop's own. Waiting for a descriptor allocates nothing that outlives the wait.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "protocol/runtime/scheduler.h"
#include "protocol/runtime/task.h"

namespace tidemark::client {

class PollLoop final : public runtime::Scheduler, private runtime::Clock {
 public:
  PollLoop();
  // Drops what is queued, unrun, until the queues are dry.
  ~PollLoop() override;
  PollLoop(const PollLoop&) = delete;
  PollLoop& operator=(const PollLoop&) = delete;

  void post(runtime::Job job) override;
  runtime::TimerId at(runtime::MonoTime when, runtime::Job job) override;
  void cancel(runtime::TimerId id) override;
  [[nodiscard]] const runtime::Clock& clock() const override { return *this; }

  // Runs jobs until stop(). With nothing to wait for it waits for a post of another thread.
  void run();
  void stop() { stopped_ = true; }

  enum class Ready : uint8_t { readable, writable };
  // Waits until a descriptor is ready (or broken: the next call on it tells). Await it at once; destroying
  // the waiting frame ends the wait.
  class ReadyAwaiter {
   public:
    ReadyAwaiter(PollLoop& loop, int descriptor, Ready ready)
        : loop_(loop), descriptor_(descriptor), ready_(ready) {}
    ReadyAwaiter(const ReadyAwaiter&) = delete;
    ReadyAwaiter& operator=(const ReadyAwaiter&) = delete;
    ~ReadyAwaiter() {
      if (handle_) loop_.forget(*this);
      if (alive_) *alive_ = nullptr;
    }
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      handle_ = handle;
      loop_.waits_.push_back(this);
    }
    void await_resume() noexcept {}

   private:
    friend class PollLoop;
    PollLoop& loop_;
    int descriptor_;
    Ready ready_;
    std::coroutine_handle<> handle_;
    std::shared_ptr<ReadyAwaiter*> alive_;  // once it is woken by wake()
  };
  [[nodiscard]] ReadyAwaiter readable(int descriptor) { return {*this, descriptor, Ready::readable}; }
  [[nodiscard]] ReadyAwaiter writable(int descriptor) { return {*this, descriptor, Ready::writable}; }
  // Ends every wait on a descriptor that is about to be closed.
  void wake(int descriptor);

 private:
  [[nodiscard]] runtime::MonoTime mono() const override;
  [[nodiscard]] runtime::WallTime wall() const override;

  void forget(ReadyAwaiter& awaiter);
  void resume(ReadyAwaiter& awaiter);
  bool run_posted();
  void run_due_timers();
  void wait_for_events();

  std::map<std::pair<runtime::MonoTime, uint64_t>, runtime::Job> timers_;
  std::map<uint64_t, runtime::MonoTime> deadlines_;
  uint64_t last_timer_ = 0;
  std::vector<ReadyAwaiter*> waits_;
  bool stopped_ = false;

  std::mutex mutex_;  // guards posted_ and sleeping_
  std::vector<runtime::Job> posted_;
  bool sleeping_ = false;
  int wake_descriptor_;
};

// Runs `task` on the loop until it ends, and returns its value.
template <class T>
T run_task(PollLoop& loop, runtime::Task<T> task) {
  std::optional<T> value;
  runtime::TaskScope scope;
  auto body = [](PollLoop& l, runtime::Task<T> t, std::optional<T>& out) -> runtime::Task<void> {
    out.emplace(co_await t);
    l.stop();
  };
  scope.spawn(body(loop, std::move(task), value));
  if (!value) loop.run();
  return std::move(*value);
}

}  // namespace tidemark::client
