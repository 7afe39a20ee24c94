// The inside of an AsioScheduler, for the .cc files of this folder that speak to Asio. Nothing else includes
// it: it costs five seconds of compilation a file.
//
// Posted jobs wait in queues of ours, and one Asio handler runs all that are there: posting from the own loop
// takes neither lock nor allocation, and a burst from another thread wakes the loop once. The handler runs
// only what was there when it began, so that sockets get their turn.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <unordered_map>

#include "broker/runtime/asio_scheduler.h"

namespace tidemark::broker {

namespace asio = boost::asio;

struct AsioScheduler::Loop {
  explicit Loop(const runtime::Clock& c)
      : clock(c), context(1), work(context.get_executor()), timer(context) {}
  // Runs what the loop's thread posted, or what other threads did.
  void run_local();
  void run_remote();
  void run_due_timers();
  // Sets the one Asio timer, if the earliest deadline is before what it is set to.
  void arm();
  void drop_everything();

  const runtime::Clock& clock;
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work;

  std::vector<runtime::Job> local;
  bool local_scheduled = false;

  std::mutex mutex;  // guards remote and remote_scheduled
  std::vector<runtime::Job> remote;
  bool remote_scheduled = false;

  asio::steady_timer timer;
  runtime::MonoTime armed = runtime::kNever;  // what `timer` is set to
  uint64_t last_timer = 0;
  std::map<std::pair<runtime::MonoTime, uint64_t>, runtime::Job> timers;  // equal times in the order given
  std::unordered_map<uint64_t, runtime::MonoTime> deadlines;              // by timer id
};

}  // namespace tidemark::broker
