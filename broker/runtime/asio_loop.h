// The inside of an AsioScheduler, for the .cc files of this folder that speak to Asio. Nothing else includes
// it: it costs five seconds of compilation a file.
//
// Posted jobs wait in queues of ours and are run between Asio's handlers: posting from the own loop takes
// neither lock, allocation nor system call; posting from another thread makes one only if the loop sleeps.
// Sockets get their turn after kRounds of jobs that post jobs: one of them, and once in kShare of time all
// that are ready, for as much time again.
//
// Why the loop has a wake of its own: io_context's wakes the sleeping thread while it holds its mutex, on
// which that thread then goes to sleep again: three context switches for one.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <unordered_map>

#include "broker/runtime/asio_scheduler.h"

namespace tidemark::broker {

namespace asio = boost::asio;

struct AsioScheduler::Loop {
  explicit Loop(const runtime::Clock& c);
  void run();
  // Runs what the loop's thread and others posted, and what that posts, to `until`. True: there may be more.
  bool run_jobs(runtime::MonoTime until);
  void run_handlers();
  bool run_batch(std::vector<runtime::Job>& queue);
  // False: there is something to do.
  bool fall_asleep();
  // Any thread, behind what it queued under `mutex`. `sleeping`: what `asleep` was then.
  void wake(bool sleeping);
  void read_wakes();
  void run_due_timers();
  // Sets the one Asio timer, if the earliest deadline is before what it is set to.
  void arm();
  void drop_everything();

  const runtime::Clock& clock;
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work;

  static constexpr int kRounds = 8;
  static constexpr runtime::Duration kShare = std::chrono::microseconds(500);
  std::vector<runtime::Job> local;
  // Empty between batches; they keep their memory.
  std::vector<runtime::Job> running;
  std::vector<runtime::Job> taken;  // from remote

  std::mutex mutex;  // guards remote and asleep
  std::vector<runtime::Job> remote;
  bool asleep = false;                    // the loop waits, or is about to, and nobody has woken it
  std::atomic<bool> remote_waits{false};  // remote is not empty; true a little late, never false too early
  std::atomic<bool> stopping{false};

  asio::posix::stream_descriptor wakes;  // an eventfd
  uint64_t wake_count = 0;               // read from it, and ignored
  bool reading_wakes = false;

  asio::steady_timer timer;
  runtime::MonoTime armed = runtime::kNever;  // what `timer` is set to
  uint64_t last_timer = 0;
  std::map<std::pair<runtime::MonoTime, uint64_t>, runtime::Job> timers;  // equal times in the order given
  std::unordered_map<uint64_t, runtime::MonoTime> deadlines;              // by timer id
};

}  // namespace tidemark::broker
