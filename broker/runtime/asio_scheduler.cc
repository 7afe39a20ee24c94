#include "broker/runtime/asio_scheduler.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>

#include "broker/runtime/asio_loop.h"
#include "protocol/invariant.h"

namespace tidemark::broker {
namespace {

thread_local AsioScheduler::Loop* running_loop = nullptr;

}  // namespace

AsioScheduler::AsioScheduler(const runtime::Clock& clock)
    : clock_(clock), loop_(std::make_unique<Loop>(clock)) {}

AsioScheduler::~AsioScheduler() { loop_->drop_everything(); }

void AsioScheduler::post(runtime::Job job) {
  Loop& loop = *loop_;
  if (running_loop == &loop) {
    loop.local.push_back(std::move(job));
    return;
  }
  bool sleeping;
  {
    const std::lock_guard lock(loop.mutex);
    loop.remote.push_back(std::move(job));
    loop.remote_waits.store(true, std::memory_order_relaxed);
    sleeping = std::exchange(loop.asleep, false);
  }
  loop.wake(sleeping);
}

runtime::TimerId AsioScheduler::at(runtime::MonoTime when, runtime::Job job) {
  const uint64_t id = ++loop_->last_timer;
  loop_->timers.emplace(std::pair(when, id), std::move(job));
  loop_->deadlines.emplace(id, when);
  loop_->arm();
  return runtime::TimerId{id};
}

void AsioScheduler::cancel(runtime::TimerId id) {
  const auto found = loop_->deadlines.find(id.value);
  if (found == loop_->deadlines.end()) return;
  // The Asio timer stays as it is: waking once for nothing costs less than setting it for every wait that
  // ends early.
  auto dropped = loop_->timers.extract(std::pair(found->second, id.value));
  loop_->deadlines.erase(found);
}

void AsioScheduler::run() noexcept {
  running_loop = loop_.get();
  loop_->run();
  running_loop = nullptr;
}

void AsioScheduler::stop() {
  Loop& loop = *loop_;
  loop.stopping.store(true);
  bool sleeping;
  {
    const std::lock_guard lock(loop.mutex);
    sleeping = std::exchange(loop.asleep, false);
  }
  loop.wake(sleeping);
}

AsioScheduler::Loop::Loop(const runtime::Clock& c)
    : clock(c),
      context(1),
      work(context.get_executor()),
      wakes(context, ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      timer(context) {}

void AsioScheduler::Loop::run() {
  if (!std::exchange(reading_wakes, true)) read_wakes();
  runtime::MonoTime served = clock.mono();  // when every socket that was ready had its turn
  while (!stopping.exchange(false)) {
    const bool more = run_jobs(served + kShare);
    const bool late = clock.mono() >= served + kShare;
    const bool slept = !more && fall_asleep();
    if (slept) {
      context.run_one();
      const std::lock_guard lock(mutex);
      asleep = false;
    }
    if (late) {
      run_handlers();
    } else if (!slept) {
      context.poll_one();
      continue;
    }
    served = clock.mono();
  }
}

void AsioScheduler::Loop::run_handlers() {
  const runtime::MonoTime until = clock.mono() + kShare;
  while (context.poll_one() > 0 && clock.mono() < until) {
  }
}

bool AsioScheduler::Loop::run_jobs(runtime::MonoTime until) {
  for (int round = 0; round < kRounds; ++round) {
    if (remote_waits.load(std::memory_order_relaxed)) {
      {
        const std::lock_guard lock(mutex);
        taken.swap(remote);
        remote_waits.store(false, std::memory_order_relaxed);
      }
      run_batch(taken);
    }
    if (!run_batch(local)) return false;
    if (clock.mono() >= until || stopping.load(std::memory_order_relaxed)) break;
  }
  return true;
}

bool AsioScheduler::Loop::run_batch(std::vector<runtime::Job>& queue) {
  if (queue.empty()) return false;
  running.swap(queue);
  for (runtime::Job& job : running) {
    job();
    job = nullptr;
  }
  running.clear();
  return true;
}

bool AsioScheduler::Loop::fall_asleep() {
  const std::lock_guard lock(mutex);
  if (!remote.empty() || stopping.load()) return false;
  asleep = true;
  return true;
}

void AsioScheduler::Loop::wake(bool sleeping) {
  if (!sleeping) return;
  constexpr uint64_t kOne = 1;
  const ssize_t written = ::write(wakes.native_handle(), &kOne, sizeof(kOne));
  INVARIANT(written == sizeof(kOne), "a loop cannot be woken: {}", errno);
}

void AsioScheduler::Loop::read_wakes() {
  wakes.async_read_some(asio::buffer(&wake_count, sizeof(wake_count)),
                        [this](const boost::system::error_code& error, size_t) {
                          if (!error) read_wakes();
                        });
}

void AsioScheduler::Loop::arm() {
  if (timers.empty()) return;
  const runtime::MonoTime earliest = timers.begin()->first.first;
  if (earliest >= armed) return;
  armed = earliest;
  timer.expires_at(asio::steady_timer::time_point(
      std::chrono::duration_cast<asio::steady_timer::duration>(earliest.time_since_epoch())));
  timer.async_wait([this](const boost::system::error_code& error) {
    if (error) return;  // set to an earlier time meanwhile
    armed = runtime::kNever;
    run_due_timers();
    arm();
  });
}

void AsioScheduler::Loop::run_due_timers() {
  const runtime::MonoTime now = clock.mono();
  while (!timers.empty() && timers.begin()->first.first <= now) {
    auto due = timers.extract(timers.begin());
    deadlines.erase(due.key().second);
    due.mapped()();
  }
}

// A job's destructor may post, set and cancel timers.
void AsioScheduler::Loop::drop_everything() {
  for (;;) {
    std::vector<runtime::Job> jobs;
    jobs.swap(local);
    {
      const std::lock_guard lock(mutex);
      for (runtime::Job& job : remote) jobs.push_back(std::move(job));
      remote.clear();
    }
    auto due = std::exchange(timers, {});
    deadlines.clear();
    if (jobs.empty() && due.empty()) return;
  }
}

}  // namespace tidemark::broker
