#include "broker/runtime/asio_scheduler.h"

#include <boost/asio/post.hpp>

#include "broker/runtime/asio_loop.h"

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
    if (std::exchange(loop.local_scheduled, true)) return;
    asio::post(loop.context, [&loop] { loop.run_local(); });
    return;
  }
  {
    const std::lock_guard lock(loop.mutex);
    loop.remote.push_back(std::move(job));
    if (std::exchange(loop.remote_scheduled, true)) return;
  }
  asio::post(loop.context, [&loop] { loop.run_remote(); });
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
  loop_->context.run();
  loop_->context.restart();
  running_loop = nullptr;
}

void AsioScheduler::stop() { loop_->context.stop(); }

void AsioScheduler::Loop::run_local() {
  std::vector<runtime::Job> jobs;
  jobs.swap(local);
  local_scheduled = false;
  for (runtime::Job& job : jobs) {
    job();
    job = nullptr;
  }
  jobs.clear();
  if (local.empty()) local.swap(jobs);  // keeps the memory
}

void AsioScheduler::Loop::run_remote() {
  std::vector<runtime::Job> jobs;
  {
    const std::lock_guard lock(mutex);
    jobs.swap(remote);
    remote_scheduled = false;
  }
  for (runtime::Job& job : jobs) {
    job();
    job = nullptr;
  }
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
