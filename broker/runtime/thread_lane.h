// The Lane seam on one thread. Owned by the node, which destroys it before the loops that its jobs come home
// to. Any thread may submit. Knows nothing of Asio.
//
// The queue has no bound of its own, because each of its callers has few jobs in it at any time: a journal
// one group and one new stretch; a store one batch of effects (whose bytes max_unwritten_bytes bounds) and a
// job of its checkpoint; a log one job of the change it is in, and of each deletion the removal of its files;
// a request one, and requests in flight are bounded, by connection and by the number of connections. A lane
// that refused would have nobody to tell: what is journaled must get into its segment.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "protocol/runtime/lane.h"

namespace tidemark::broker {

class ThreadLane final : public runtime::Lane {
 public:
  // `name` is the thread's, as `top -H` shows it (15 characters of it).
  explicit ThreadLane(const std::string& name);
  // Finishes what is queued and posts every `done`, then joins: bytes that somebody counts on as on their way
  // are never dropped by an orderly stop. REQUIRES: nobody submits any more.
  ~ThreadLane() override;
  ThreadLane(const ThreadLane&) = delete;
  ThreadLane& operator=(const ThreadLane&) = delete;

  // `work` is destroyed on the lane, before `done` is posted; `done` only ever on `home`. An exception out of
  // `work` is a bug of ours and ends the process.
  void submit(runtime::Job work, runtime::Scheduler& home, runtime::Job done) override;
  [[nodiscard]] size_t depth() const override { return depth_.load(std::memory_order_relaxed); }

 private:
  struct Entry {
    runtime::Job work;
    runtime::Scheduler* home;
    runtime::Job done;
  };
  void run() noexcept;

  std::mutex mutex_;  // guards queue_ and stopping_
  std::condition_variable wake_;
  std::deque<Entry> queue_;
  bool stopping_ = false;
  std::atomic<size_t> depth_{0};
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace tidemark::broker
