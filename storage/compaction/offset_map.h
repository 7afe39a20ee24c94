// The newest offset of each key in the dirty part of a log, in memory that is fixed when the map is made: a
// table of 24-byte entries with linear probing, never grown, filled up to its load factor alone. Kafka's
// SkimpyOffsetMap, but for the digest (key_digest.h). A key that is not in it has no newer record in the part
// that was mapped. Owned by one cleaning at a time; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "protocol/ids.h"
#include "storage/compaction/key_digest.h"

namespace tidemark::storage {

class OffsetMap {
 public:
  static constexpr size_t kEntryBytes = 24;
  static constexpr size_t kMinBytes = 2 * kEntryBytes;
  // Above it a search for a key that is not there would pass hundreds of entries.
  static constexpr double kMaxLoadFactor = 0.95;

  // `bytes`: log.cleaner.dedupe.buffer.size, of one cleaner. `load_factor`:
  // log.cleaner.io.buffer.load.factor, above 0; more than kMaxLoadFactor is that. At least one key has room,
  // and one entry stays free. REQUIRES: bytes >= kMinBytes.
  OffsetMap(size_t bytes, double load_factor, DigestSecret secret);

  // Empty, for another log, with another secret.
  void clear(DigestSecret secret);

  // The key's newest record so far stands at `offset`. False: there is no room for another key; nothing has
  // changed. REQUIRES: offset >= 0; offsets come in the order of the log.
  [[nodiscard]] bool put(std::span<const std::byte> key, Offset offset);
  [[nodiscard]] std::optional<Offset> find(std::span<const std::byte> key) const;

  // Everything below is mapped: records at or above it are newer than what the map knows, and are kept.
  [[nodiscard]] Offset end() const { return end_; }
  // REQUIRES: not below end().
  void advance_to(Offset end);

  [[nodiscard]] size_t size() const { return size_; }
  // The most keys that it takes.
  [[nodiscard]] size_t capacity() const { return capacity_; }
  [[nodiscard]] size_t memory_bytes() const { return entries_.size() * kEntryBytes; }

 private:
  struct Entry {
    KeyDigest digest;
    int64_t offset_plus_one = 0;  // 0: free
  };
  static_assert(sizeof(Entry) == kEntryBytes);
  // The entry of this key, or the free one that it would take.
  [[nodiscard]] size_t slot_of(const KeyDigest& digest) const;

  std::vector<Entry> entries_;
  size_t capacity_;  // Invariant: size_ <= capacity_ < entries_.size(), so that every search ends
  size_t size_ = 0;
  DigestSecret secret_;
  Offset end_;
};

}  // namespace tidemark::storage
