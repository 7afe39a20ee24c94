#include "broker/server/admission.h"

#include <algorithm>

namespace tidemark::broker {

RequestMemory::RequestMemory(uint64_t bytes, size_t shards)
    : small_(bytes / 8), shared_(bytes - bytes / 8), fronts_(shards) {
  for (auto& front : fronts_) front.store(kNobody, std::memory_order_relaxed);
}

runtime::MonoTime RequestMemory::first_turn() const {
  runtime::MonoTime first = kNobody;
  for (const auto& front : fronts_) first = std::min(first, front.load(std::memory_order_acquire));
  return first;
}

bool RequestMemory::pressed() const { return first_turn() != kNobody; }

// One task in the queue; lives in that task's frame.
struct Admission::Waiter {
  Waiter(Admission& a, size_t b)
      : admission(a),
        bytes(b),
        turn(a.loop_.mono() + static_cast<int64_t>(b) * kTurnDelayPerByte),
        granted(a.loop_),
        place(a.queue_.insert(std::ranges::upper_bound(a.queue_, turn, {}, &Waiter::turn), this)) {
    a.publish();
  }
  ~Waiter() {
    if (served) return;
    admission.queue_.erase(place);
    admission.publish();
  }
  Admission& admission;
  const size_t bytes;
  const runtime::MonoTime turn;
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
  const runtime::MonoTime front = queue_.empty() ? RequestMemory::kNobody : queue_.front()->turn;
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
  while (!queue_.empty() && memory_.first_turn() == queue_.front()->turn) {
    runtime::Charge charge = memory_.take_shared(queue_.front()->bytes);
    if (!charge) break;
    grant(queue_.begin(), std::move(charge));
    publish();
  }
}

}  // namespace tidemark::broker
