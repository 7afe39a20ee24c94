// How often each fault and each rare branch happened, by name. What is declared and never happened is a hole
// in the simulation: the final summary prints every count, and a long run fails on a zero (simulation.md).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/invariant.h"

namespace tidemark::simulation {

class FaultCounters {
 public:
  // Stays valid as long as this object; counting is one increment.
  uint64_t& declare(std::string_view name) { return counts_.try_emplace(std::string(name)).first->second; }
  // REQUIRES: declared. A name that its first count made would leave no line where it is never counted.
  void count(std::string_view name, uint64_t times = 1) {
    const auto it = counts_.find(name);
    INVARIANT(it != counts_.end(), "{} is counted, and nobody declared it", name);
    it->second += times;
  }
  [[nodiscard]] uint64_t operator[](std::string_view name) const {
    const auto it = counts_.find(name);
    return it == counts_.end() ? 0 : it->second;
  }
  // What this world does not have.
  void forget(std::string_view name) {
    if (const auto it = counts_.find(name); it != counts_.end()) counts_.erase(it);
  }
  void merge(const FaultCounters& other) {
    for (const auto& [name, times] : other.counts_) declare(name) += times;
  }
  [[nodiscard]] const std::map<std::string, uint64_t, std::less<>>& all() const { return counts_; }
  [[nodiscard]] std::vector<std::string> never() const {
    std::vector<std::string> names;
    for (const auto& [name, times] : counts_)
      if (times == 0) names.push_back(name);
    return names;
  }

 private:
  std::map<std::string, uint64_t, std::less<>> counts_;
};

}  // namespace tidemark::simulation
