// A running hash over everything that happens in a simulated world: two runs of one seed must agree on it, or
// something in there is not deterministic.
#pragma once

#include <cstdint>
#include <string_view>

namespace tidemark::simulation {

class TraceHash {
 public:
  void add(uint64_t value) {
    hash_ = (hash_ ^ value) * 0x9E3779B97F4A7C15ULL;
    hash_ ^= hash_ >> 29;
  }
  void add(std::string_view text) {
    uint64_t h = 0xCBF29CE484222325ULL;  // FNV-1a
    for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    add(h);
  }
  [[nodiscard]] uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0;
};

}  // namespace tidemark::simulation
