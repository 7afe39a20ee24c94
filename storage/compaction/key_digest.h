// 128 bits that stand for a record's key in the offset map: SipHash-2-4 with the long output (Aumasson and
// Bernstein, 2012). Kafka takes MD5, for which anybody can make two keys with one digest, and the newer
// record of one would then remove the other. A secret drawn for each cleaning leaves nothing to aim at, and
// chance alone meets once in 2^69 cleanings of a billion keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tidemark::storage {

// Drawn anew for each offset map; not kept.
struct DigestSecret {
  uint64_t low = 0;
  uint64_t high = 0;
};

struct KeyDigest {
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const KeyDigest&) const = default;
};

[[nodiscard]] KeyDigest digest_key(const DigestSecret& secret, std::span<const std::byte> key);

}  // namespace tidemark::storage
