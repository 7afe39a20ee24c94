#include "broker/server/connection_limits.h"

namespace tidemark::broker {

Result<ConnectionLimits::Lease> ConnectionLimits::take(const std::string& address, uint32_t max_total,
                                                       uint32_t max_per_address) {
  const std::lock_guard lock(mutex_);
  if (total_ >= max_total) {
    return fail(Error::closed(fmt::format("max.connections: {} are open", total_)));
  }
  if (total_ >= most_) {
    return fail(Error::closed(
        fmt::format("{} are open, and the limit of open files (ulimit -n) allows no more", total_)));
  }
  const auto known = by_address_.find(address);
  if (known != by_address_.end() ? known->second >= max_per_address : max_per_address == 0) {
    return fail(Error::closed(fmt::format("max.connections.per.ip: {} of this address are open",
                                          known == by_address_.end() ? 0 : known->second)));
  }
  ++total_;
  ++by_address_[address];
  return Lease(*this, address);
}

void ConnectionLimits::give_back(const std::string& address) {
  const std::lock_guard lock(mutex_);
  --total_;
  const auto known = by_address_.find(address);
  if (--known->second == 0) by_address_.erase(known);
}

size_t ConnectionLimits::total() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

}  // namespace tidemark::broker
