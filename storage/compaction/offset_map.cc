#include "storage/compaction/offset_map.h"

#include <algorithm>

#include "protocol/invariant.h"

namespace tidemark::storage {

OffsetMap::OffsetMap(size_t bytes, double load_factor, DigestSecret secret)
    : entries_(bytes / kEntryBytes), secret_(secret) {
  REQUIRES(bytes >= kMinBytes && load_factor > 0);
  const auto wanted =
      static_cast<size_t>(static_cast<double>(entries_.size()) * std::min(load_factor, kMaxLoadFactor));
  capacity_ = std::clamp<size_t>(wanted, 1, entries_.size() - 1);
}

void OffsetMap::clear(DigestSecret secret) {
  if (size_ > 0) std::fill(entries_.begin(), entries_.end(), Entry{});
  size_ = 0;
  secret_ = secret;
  end_ = Offset(0);
}

size_t OffsetMap::slot_of(const KeyDigest& digest) const {
  // The upper half of a 64 by 64 bit product spreads the digest over any number of entries.
  __extension__ using Wide = unsigned __int128;
  auto slot = static_cast<size_t>(Wide{digest.low} * entries_.size() >> 64);
  while (entries_[slot].offset_plus_one != 0 && entries_[slot].digest != digest)
    slot = slot + 1 == entries_.size() ? 0 : slot + 1;
  return slot;
}

bool OffsetMap::put(std::span<const std::byte> key, Offset offset) {
  REQUIRES(offset >= Offset(0) && offset.value < INT64_MAX);
  const KeyDigest digest = digest_key(secret_, key);
  Entry& entry = entries_[slot_of(digest)];
  if (entry.offset_plus_one == 0) {
    if (size_ == capacity_) return false;
    entry.digest = digest;
    ++size_;
  }
  INVARIANT(entry.offset_plus_one <= offset.value, "offset {} comes behind {}", offset,
            entry.offset_plus_one - 1);
  entry.offset_plus_one = offset.value + 1;
  return true;
}

std::optional<Offset> OffsetMap::find(std::span<const std::byte> key) const {
  const Entry& entry = entries_[slot_of(digest_key(secret_, key))];
  if (entry.offset_plus_one == 0) return std::nullopt;
  return Offset(entry.offset_plus_one - 1);
}

void OffsetMap::advance_to(Offset end) {
  REQUIRES(end >= end_);
  end_ = end;
}

}  // namespace tidemark::storage
