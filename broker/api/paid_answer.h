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

 private:
  std::shared_ptr<runtime::ByteBudget> memory_;
  std::vector<runtime::Charge> charges_;
};

}  // namespace tidemark::broker
