// The Random seam: seeded per node in production, per run in the simulator. Not for secrets. One loop only.
#pragma once

#include <cstdint>

#include "protocol/ids.h"

namespace tidemark::runtime {

class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next() = 0;

  // Uniform in [0, bound); 0 where bound is 0.
  uint64_t below(uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  // Uniform in [low, high].
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1));
  }
  bool chance(double probability) { return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability; }
  // A version 4 UUID, as Kafka makes its topic, cluster and directory ids. One whose text begins with '-' is
  // drawn again: tools take such an id for an option.
  Uuid uuid() {
    for (;;) {
      const uint64_t most = (next() & ~0xF000ULL) | 0x4000ULL;
      const uint64_t least = (next() & 0x3FFFFFFFFFFFFFFFULL) | 0x8000000000000000ULL;
      const Uuid id = Uuid::from_halves(most, least);
      if (!id.to_string().starts_with('-')) return id;
    }
  }
};

// xoshiro256** (Blackman and Vigna, 2018), seeded through splitmix64. What both sides of the seam use.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) {
    for (uint64_t& word : state_) {
      seed += 0x9E3779B97F4A7C15ULL;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
      word = z ^ (z >> 31);
    }
  }
  uint64_t next() override {
    const auto rotl = [](uint64_t x, int k) { return (x << k) | (x >> (64 - k)); };
    const uint64_t result = rotl(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotl(state_[3], 45);
    return result;
  }

 private:
  uint64_t state_[4]{};
};

}  // namespace tidemark::runtime
