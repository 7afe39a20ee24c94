#include "storage/compaction/key_digest.h"

#include <bit>
#include <cstring>

namespace tidemark::storage {
namespace {

struct SipState {
  uint64_t v0, v1, v2, v3;

  void mix(int rounds) {
    for (int i = 0; i < rounds; ++i) {
      v0 += v1;
      v1 = std::rotl(v1, 13) ^ v0;
      v0 = std::rotl(v0, 32);
      v2 += v3;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1;
      v1 = std::rotl(v1, 17) ^ v2;
      v2 = std::rotl(v2, 32);
    }
  }
  void take(uint64_t word) {
    v3 ^= word;
    mix(2);
    v0 ^= word;
  }
  [[nodiscard]] uint64_t fold() const { return v0 ^ v1 ^ v2 ^ v3; }
};

}  // namespace

KeyDigest digest_key(const DigestSecret& secret, std::span<const std::byte> key) {
  SipState state{secret.low ^ 0x736F6D6570736575ULL, secret.high ^ 0x646F72616E646F6DULL ^ 0xEE,
                 secret.low ^ 0x6C7967656E657261ULL, secret.high ^ 0x7465646279746573ULL};
  size_t at = 0;
  for (; key.size() - at >= 8; at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, key.data() + at, 8);  // x86-64 and arm64 are little-endian
    state.take(word);
  }
  uint64_t last = static_cast<uint64_t>(key.size()) << 56;
  for (size_t i = 0; at + i < key.size(); ++i) last |= std::to_integer<uint64_t>(key[at + i]) << (8 * i);
  state.take(last);
  state.v2 ^= 0xEE;
  state.mix(4);
  KeyDigest digest;
  digest.low = state.fold();
  state.v1 ^= 0xDD;
  state.mix(4);
  digest.high = state.fold();
  return digest;
}

}  // namespace tidemark::storage
