#include "broker/server/admission.h"

#include <algorithm>

namespace tidemark::broker {

RequestMemory::RequestMemory(uint64_t bytes, size_t shards)
    : small_(bytes / 8), shared_(bytes - bytes / 8), fronts_(shards) {
  for (auto& front : fronts_) front.store(kNobody, std::memory_order_relaxed);
}

uint64_t RequestMemory::oldest() const {
  uint64_t least = kNobody;
  for (const auto& front : fronts_) least = std::min(least, front.load(std::memory_order_acquire));
  return least;
}

bool RequestMemory::pressed() const { return oldest() != kNobody; }

// One task in the queue; lives in that task's frame.
struct Admission::Waiter {
  Waiter(Admission& a, size_t b)
      : admission(a),
        bytes(b),
        ticket(a.memory_.next_ticket_.fetch_add(1, std::memory_order_relaxed)),
        granted(a.loop_),
        place(a.queue_.insert(a.queue_.end(), this)) {
    a.publish();
  }
  ~Waiter() {
    if (served) return;
    admission.queue_.erase(place);
    admission.publish();
  }
  Admission& admission;
  const size_t bytes;
  const uint64_t ticket;
  runtime::Charge charge;
  bool served = false;  // and out of the queue
  runtime::Signal granted;
  std::list<Waiter*>::iterator place;
};

Admission::~Admission() {
  INVARIANT(queue_.empty(), "{} connections outlive the admission that they wait for", queue_.size());
  loop_.cancel(retry_);
}

runtime::Charge Admission::try_take(size_t bytes) {
  if (bytes <= RequestMemory::kSmallFrameBytes) {
    if (runtime::Charge small = memory_.take_small(bytes)) return small;
  }
  if (memory_.pressed()) return {};
  return memory_.take_shared(bytes);
}

runtime::Task<runtime::Charge> Admission::wait(size_t bytes) {
  REQUIRES(bytes <= memory_.largest_frame());
  Waiter waiter(*this, bytes);
  while (!waiter.served) {
    auto granted = waiter.granted.wait();
    co_await granted;
  }
  co_return std::move(waiter.charge);
}

void Admission::publish() {
  const uint64_t front = queue_.empty() ? RequestMemory::kNobody : queue_.front()->ticket;
  memory_.fronts_[shard_].store(front, std::memory_order_release);
  if (queue_.empty()) {
    loop_.cancel(std::exchange(retry_, {}));
  } else if (!retry_) {
    retry_ = loop_.after(kRetryInterval, [this] {
      retry_ = {};
      serve();
    });
  }
}

void Admission::serve() {
  const auto grant = [this](std::list<Waiter*>::iterator place, runtime::Charge charge) {
    Waiter& waiter = **place;
    waiter.charge = std::move(charge);
    waiter.served = true;
    waiter.granted.notify_all();
    return queue_.erase(place);
  };
  // Small ones first: they need not stand behind the large.
  for (auto place = queue_.begin(); place != queue_.end();) {
    if ((*place)->bytes > RequestMemory::kSmallFrameBytes) {
      ++place;
      continue;
    }
    runtime::Charge charge = memory_.take_small((*place)->bytes);
    if (!charge) break;
    place = grant(place, std::move(charge));
  }
  publish();
  while (!queue_.empty() && memory_.oldest() == queue_.front()->ticket) {
    runtime::Charge charge = memory_.take_shared(queue_.front()->bytes);
    if (!charge) break;
    grant(queue_.begin(), std::move(charge));
    publish();
  }
}

}  // namespace tidemark::broker
