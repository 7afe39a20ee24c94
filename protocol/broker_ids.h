// Lists of brokers as messages have them: by bare numbers. Pure.
#pragma once

#include <span>
#include <vector>

#include "protocol/ids.h"

namespace tidemark {

inline std::vector<BrokerId> broker_ids(std::span<const int32_t> numbers) {
  return {numbers.begin(), numbers.end()};
}

inline std::vector<int32_t> numbers_of(std::span<const BrokerId> brokers) {
  std::vector<int32_t> numbers;
  numbers.reserve(brokers.size());
  for (const BrokerId broker : brokers) numbers.push_back(broker.value);
  return numbers;
}

}  // namespace tidemark
