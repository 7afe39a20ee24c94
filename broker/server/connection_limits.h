// How many connections there may be, in all and from one address: for the whole node, over all shards and
// listeners. Taken once per connection, so a mutex is good enough here. It outlives every lease.
//
// A connection beyond a limit is closed at once: Kafka leaves it waiting in the backlog instead, where its
// client learns nothing until it times out.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "protocol/error.h"

namespace tidemark::broker {

class ConnectionLimits {
 public:
  // `most`: what the limit of open files allows.
  explicit ConnectionLimits(uint32_t most = UINT32_MAX) : most_(most) {}

  // A place, given back on destruction.
  class Lease {
   public:
    Lease(ConnectionLimits& limits, std::string address) : limits_(&limits), address_(std::move(address)) {}
    Lease(Lease&& other) noexcept
        : limits_(std::exchange(other.limits_, nullptr)), address_(std::move(other.address_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (limits_ != nullptr) limits_->give_back(address_);
    }

   private:
    ConnectionLimits* limits_;
    std::string address_;
  };

  // Any thread. An Error says which limit is reached.
  [[nodiscard]] Result<Lease> take(const std::string& address, uint32_t max_total, uint32_t max_per_address);
  [[nodiscard]] size_t total() const;
  [[nodiscard]] bool half_taken(uint32_t max_total) const {
    const std::lock_guard lock(mutex_);
    return total_ >= std::min(max_total, most_) / 2;
  }

 private:
  void give_back(const std::string& address);

  const uint32_t most_;
  mutable std::mutex mutex_;  // guards both
  size_t total_ = 0;
  std::map<std::string, uint32_t> by_address_;
};

}  // namespace tidemark::broker
