// What an answer that a small request makes large has been charged, piece by piece while it is made; given
// back when it has been sent (Response::keep_alive) or dropped. One handler's.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "protocol/runtime/buffer.h"

namespace tidemark::broker {

class PaidAnswer {
 public:
  explicit PaidAnswer(std::shared_ptr<runtime::ByteBudget> memory) : memory_(std::move(memory)) {}

  // false: there is no room for it, and nothing was taken.
  [[nodiscard]] bool pay(uint64_t bytes) {
    auto charge = runtime::Charge::take(*memory_, bytes);
    if (!charge) return false;
    charges_.push_back(std::move(charge));
    return true;
  }

  // For so many items of a request, of which each may have four bytes: what one takes at most while it is
  // answered with an error, here, in the message, and encoded.
  [[nodiscard]] bool pay_for_items(uint64_t count) {
    constexpr uint64_t kBytesEach = 512;
    return pay(count * kBytesEach);
  }
  // The same for topics and all partitions that `partitions_of` gives of each.
  template <class Topics, class PartitionsOf>
  [[nodiscard]] bool pay_for_partitions(const Topics& topics, PartitionsOf partitions_of) {
    uint64_t count = 0;
    for (const auto& topic : topics) count += 1 + partitions_of(topic).size();
    return pay_for_items(count);
  }

 private:
  std::shared_ptr<runtime::ByteBudget> memory_;
  std::vector<runtime::Charge> charges_;
};

}  // namespace tidemark::broker
