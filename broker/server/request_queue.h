// How many of a shard's requests have come and still hold up what comes behind them: they wait for their
// turn, or are in work. A produce that has its place, a parked fetch, who waits for a rebalance or for its
// client to take answers, and who stands behind those, no longer count. While it is full, no
// connection of the shard reads another request. Owned by the ShardServer, used on its loop.
#pragma once

#include <cstddef>
#include <utility>

#include "protocol/runtime/task.h"

namespace tidemark::broker {

class RequestQueue {
 public:
  explicit RequestQueue(runtime::Scheduler& loop) : room_(loop) {}

  // One request's place; given back at the latest when it is destroyed.
  class Place {
   public:
    explicit Place(RequestQueue& queue) : queue_(&queue) { ++queue.taken_; }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { give_back(); }
    void give_back() {
      if (RequestQueue* const queue = std::exchange(queue_, nullptr)) {
        --queue->taken_;
        queue->room_.notify_all();
      }
    }

   private:
    RequestQueue* queue_;
  };

  [[nodiscard]] size_t taken() const { return taken_; }
  // For whoever found too many taken: until one is given back.
  [[nodiscard]] auto wait() { return room_.wait(); }

 private:
  size_t taken_ = 0;
  runtime::Signal room_;
};

}  // namespace tidemark::broker
