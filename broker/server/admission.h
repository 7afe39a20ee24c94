// Who may read the next frame: the node's memory for requests, and the queue for it. RequestMemory is shared
// by all shards; an Admission is one shard's door to it, used on its loop. A frame's whole size is taken
// before its body is read, because frames that grow by turns would wait for each other for ever.
//
// Small frames have a reserve of their own, so that metadata, heartbeats and small produces pass a crowd of
// large ones. Whoever finds no room queues, and the queue is one for the whole node. A waiter's turn is the
// time it came plus kTurnDelayPerByte for its size: a crowd of 90 MB frames does not hold up a frame of 1 MB,
// and smaller frames hold a large one up for some seconds, not for ever. Memory comes back on any thread and
// without a word, so a queue that is not empty looks every kRetryInterval.
#pragma once

#include <atomic>
#include <list>
#include <vector>

#include "protocol/runtime/buffer.h"
#include "protocol/runtime/task.h"

namespace tidemark::broker {

class RequestMemory {
 public:
  static constexpr size_t kSmallFrameBytes = 16 << 10;

  // `bytes`: of all requests on all shards; an eighth of it is for small frames alone.
  RequestMemory(uint64_t bytes, size_t shards);

  // The largest frame that can ever be admitted.
  [[nodiscard]] uint64_t largest_frame() const { return shared_.limit(); }
  [[nodiscard]] uint64_t used() const { return shared_.used() + small_.used(); }
  [[nodiscard]] uint64_t limit() const { return shared_.limit() + small_.limit(); }
  // Somebody waits for memory. Any thread.
  [[nodiscard]] bool pressed() const;

 private:
  friend class Admission;
  static constexpr runtime::MonoTime kNobody = runtime::kNever;
  // Empty: no room.
  runtime::Charge take_small(size_t bytes) { return runtime::Charge::take(small_, bytes); }
  runtime::Charge take_shared(size_t bytes) { return runtime::Charge::take(shared_, bytes); }
  // The first turn of all shards.
  [[nodiscard]] runtime::MonoTime first_turn() const;

  runtime::ByteBudget small_;
  runtime::ByteBudget shared_;
  std::vector<std::atomic<runtime::MonoTime>> fronts_;  // by shard: the turn of its first waiter
};

class Admission {
 public:
  static constexpr runtime::Duration kRetryInterval = std::chrono::milliseconds(2);
  // 100 MB wait as if they had come 12.5 s later.
  static constexpr runtime::Duration kTurnDelayPerByte = std::chrono::nanoseconds(125);

  Admission(RequestMemory& memory, size_t shard, runtime::Scheduler& loop)
      : memory_(memory), shard_(shard), loop_(loop) {}
  ~Admission();
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // Takes `bytes` at once; empty if the caller must wait().
  [[nodiscard]] runtime::Charge try_take(size_t bytes);
  // Takes `bytes` as soon as they are there and all whose turn is before are served. REQUIRES: bytes <=
  // largest_frame(). Destroying the waiting task gives its place up.
  [[nodiscard]] runtime::Task<runtime::Charge> wait(size_t bytes);

  [[nodiscard]] RequestMemory& memory() { return memory_; }
  [[nodiscard]] size_t waiting() const { return queue_.size(); }

 private:
  struct Waiter;
  void serve();
  void publish();

  RequestMemory& memory_;
  const size_t shard_;
  runtime::Scheduler& loop_;
  std::list<Waiter*> queue_;  // by turn
  runtime::TimerId retry_;
};

}  // namespace tidemark::broker
