#include "client/runtime/poll_loop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>

namespace tidemark::client {
namespace {

constexpr int kRoundsWithoutPoll = 32;

}  // namespace

PollLoop::PollLoop() : wake_descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  INVARIANT(wake_descriptor_ >= 0, "eventfd: errno {}", errno);
}

PollLoop::~PollLoop() {
  for (;;) {
    std::vector<runtime::Job> jobs;
    {
      const std::lock_guard lock(mutex_);
      jobs.swap(posted_);
    }
    auto timers = std::exchange(timers_, {});
    deadlines_.clear();
    if (jobs.empty() && timers.empty()) break;
  }
  ::close(wake_descriptor_);
}

runtime::MonoTime PollLoop::mono() const {
  return runtime::MonoTime(std::chrono::steady_clock::now().time_since_epoch());
}

runtime::WallTime PollLoop::wall() const {
  return runtime::WallTime(std::chrono::duration_cast<runtime::WallTag::duration>(
      std::chrono::system_clock::now().time_since_epoch()));
}

void PollLoop::post(runtime::Job job) {
  const std::lock_guard lock(mutex_);
  posted_.push_back(std::move(job));
  if (std::exchange(sleeping_, false)) {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_descriptor_, &one, sizeof(one));
  }
}

runtime::TimerId PollLoop::at(runtime::MonoTime when, runtime::Job job) {
  const uint64_t id = ++last_timer_;
  timers_.emplace(std::pair(when, id), std::move(job));
  deadlines_.emplace(id, when);
  return runtime::TimerId{id};
}

void PollLoop::cancel(runtime::TimerId id) {
  const auto found = deadlines_.find(id.value);
  if (found == deadlines_.end()) return;
  const auto dropped = timers_.extract(std::pair(found->second, id.value));
  deadlines_.erase(found);
}

void PollLoop::run() {
  stopped_ = false;
  int busy = 0;
  while (!stopped_) {
    run_due_timers();
    // However much other threads post, sockets are looked at.
    if (run_posted() && ++busy < kRoundsWithoutPoll) continue;
    busy = 0;
    if (!stopped_) wait_for_events();
  }
}

bool PollLoop::run_posted() {
  std::vector<runtime::Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs.swap(posted_);
  }
  for (runtime::Job& job : jobs) {
    job();
    job = nullptr;
  }
  return !jobs.empty();
}

void PollLoop::run_due_timers() {
  if (timers_.empty()) return;
  const runtime::MonoTime now = mono();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    auto due = timers_.extract(timers_.begin());
    deadlines_.erase(due.key().second);
    due.mapped()();
  }
}

void PollLoop::wait_for_events() {
  std::vector<pollfd> polled;
  polled.reserve(waits_.size() + 1);
  for (const ReadyAwaiter* wait : waits_) {
    polled.push_back(
        {wait->descriptor_, static_cast<short>(wait->ready_ == Ready::readable ? POLLIN : POLLOUT), 0});
  }
  polled.push_back({wake_descriptor_, POLLIN, 0});
  bool idle = true;
  {
    const std::lock_guard lock(mutex_);
    idle = posted_.empty();
    sleeping_ = idle;
  }
  timespec timeout{};
  const timespec* limit = idle ? nullptr : &timeout;
  if (idle && !timers_.empty()) {
    const auto left = std::max(timers_.begin()->first.first - mono(), runtime::Duration::zero());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    timeout = {seconds.count(), (left - seconds).count()};
    limit = &timeout;
  }
  const int ready = ::ppoll(polled.data(), polled.size(), limit, nullptr);
  {
    const std::lock_guard lock(mutex_);
    sleeping_ = false;
  }
  if (ready <= 0) return;
  if (polled.back().revents != 0) {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_descriptor_, &count, sizeof(count));
  }
  // A resumed coroutine may end other waits: collect first, then look each one up again.
  std::vector<ReadyAwaiter*> woken;
  for (size_t i = 0; i + 1 < polled.size(); ++i) {
    if (polled[i].revents != 0) woken.push_back(waits_[i]);
  }
  for (ReadyAwaiter* awaiter : woken) {
    if (std::find(waits_.begin(), waits_.end(), awaiter) != waits_.end()) resume(*awaiter);
  }
}

void PollLoop::resume(ReadyAwaiter& awaiter) {
  forget(awaiter);
  std::exchange(awaiter.handle_, nullptr).resume();
}

void PollLoop::forget(ReadyAwaiter& awaiter) { std::erase(waits_, &awaiter); }

void PollLoop::wake(int descriptor) {
  for (;;) {
    const auto found = std::find_if(waits_.begin(), waits_.end(),
                                    [&](const ReadyAwaiter* w) { return w->descriptor_ == descriptor; });
    if (found == waits_.end()) return;
    ReadyAwaiter* awaiter = *found;
    waits_.erase(found);
    awaiter->alive_ = std::make_shared<ReadyAwaiter*>(awaiter);
    post([alive = awaiter->alive_] {
      if (*alive != nullptr) std::exchange((*alive)->handle_, nullptr).resume();
    });
  }
}

}  // namespace tidemark::client
