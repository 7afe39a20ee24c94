// A sparse index of one segment in Kafka's file format: entries of a fixed size, big-endian, each above the
// one before it. Owned by the segment's log, used on its shard; pure but for the two functions that read a
// File, which block and belong in a lane. An index is derived: one that is missing, short or wrong is built
// again from its segment (segment_scan.h), so every complaint here is an Error and never more.
//
// Memory: only an active segment keeps an Index, and of that only what its file does not hold yet and the
// newest written entries (forget_written). Everything older, and every sealed segment, is found by
// lookup_in_file: a binary search of at most a dozen reads. Files have no preallocated tail: their size is
// the count of entries.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "protocol/error.h"
#include "protocol/ids.h"
#include "protocol/invariant.h"
#include "storage/file.h"

namespace tidemark::storage {

// How many entries the search through a file reads at once, and the memory that it takes: a page's worth.
inline constexpr size_t kIndexSearchEntries = 340;
// No index of ours or of Kafka's is larger: positions and relative offsets are 31 bits.
inline constexpr uint64_t kMaxIndexFileBytes = uint64_t{1} << 30;

namespace detail {

inline void put_big_endian(std::byte* out, int64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out[i] = static_cast<std::byte>(value >> (8 * (bytes - 1 - i)));
}
inline int64_t get_big_endian(const std::byte* in, size_t bytes) {
  uint64_t value = (std::to_integer<uint8_t>(in[0]) & 0x80) != 0 ? ~uint64_t{0} : 0;
  for (size_t i = 0; i < bytes; ++i) value = (value << 8) | std::to_integer<uint64_t>(in[i]);
  return static_cast<int64_t>(value);
}

}  // namespace detail

// `Entry` has kBytes, kName, Key, key(), offset, before(next), before_first(base), encode, decode: see
// offset_index.h.
template <class Entry>
class Index {
 public:
  using Key = typename Entry::Key;

  explicit Index(Offset base) : base_(base) {}

  // All of a file. Error (corruption): a size that is no multiple of an entry's, or entries that do not rise.
  static Result<Index> parse(Offset base, std::span<const std::byte> bytes) {
    TRY(check_size(bytes.size()));
    Index index(base);
    TRY(index.take(bytes));
    index.written_ = index.size();
    return index;
  }
  // The newest `keep` entries (at least one) of a file, which alone are checked. Blocks.
  static Result<Index> load(File& file, Offset base, size_t keep) {
    TRY_ASSIGN(const uint64_t bytes, file.size());
    TRY(check_size(bytes));
    Index index(base);
    const size_t entries = bytes / Entry::kBytes;
    index.forgotten_ = entries - std::min(entries, std::max<size_t>(keep, 1));
    std::vector<std::byte> tail((entries - index.forgotten_) * Entry::kBytes);
    TRY_ASSIGN(const size_t got, file.read(index.forgotten_ * Entry::kBytes, tail));
    if (got != tail.size()) return fail(damaged("is shorter than its size"));
    TRY(index.take(tail));
    index.written_ = index.size();
    return index;
  }

  [[nodiscard]] Offset base() const { return base_; }
  [[nodiscard]] size_t size() const { return forgotten_ + kept_.size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] uint64_t file_bytes() const { return bytes_of(size()); }
  [[nodiscard]] static constexpr uint64_t bytes_of(uint64_t entries) { return entries * Entry::kBytes; }
  // Entry::before_first(base()) if empty.
  [[nodiscard]] Entry last() const { return kept_.empty() ? Entry::before_first(base_) : kept_.back(); }
  // Whether `entry` may come next: above the last one, and within 31 bits of the base.
  [[nodiscard]] bool accepts(const Entry& entry) const {
    return entry.fits(base_) && (kept_.empty() || kept_.back().before(entry));
  }
  // REQUIRES: accepts(entry).
  void append(const Entry& entry) {
    REQUIRES(accepts(entry));
    kept_.push_back(entry);
  }

  // The greatest entry whose key is not above `key`; before_first(base()) if there is none. nullopt: it is
  // among the forgotten ones: lookup_in_file(), over written() entries.
  [[nodiscard]] std::optional<Entry> lookup(Key key) const {
    const size_t at = below_or_at(kept_, key);
    if (at > 0) return kept_[at - 1];
    if (forgotten_ > 0) return std::nullopt;
    return Entry::before_first(base_);
  }

  // The newest entry of an offset below `end`, among those in memory.
  [[nodiscard]] std::optional<Entry> newest_below(Offset end) const {
    for (size_t at = kept_.size(); at > 0; --at) {
      if (kept_[at - 1].offset < end) return kept_[at - 1];
    }
    return std::nullopt;
  }

  // Removes the entries that name an offset at or above `end`; the file is then cut to file_bytes(). False:
  // the cut lies among the forgotten entries and nothing changed; parse() the file, then cut.
  [[nodiscard]] bool truncate_to(Offset end) {
    size_t keep = kept_.size();
    while (keep > 0 && kept_[keep - 1].offset >= end) --keep;
    if (keep == 0 && forgotten_ > 0) return false;
    kept_.resize(keep);
    written_ = std::min(written_, size());
    return true;
  }

  // Entries that the file holds already; the next ones go to position written() * kBytes.
  [[nodiscard]] size_t written() const { return written_; }
  [[nodiscard]] std::vector<std::byte> unwritten_bytes() const {
    std::vector<std::byte> out((size() - written_) * Entry::kBytes);
    for (size_t i = written_; i < size(); ++i)
      kept_[i - forgotten_].encode(base_, out.data() + (i - written_) * Entry::kBytes);
    return out;
  }
  // REQUIRES: written() <= entries <= size().
  void mark_written(size_t entries) {
    REQUIRES(entries >= written_ && entries <= size());
    written_ = entries;
  }
  // Forgets what the file holds, but for the newest `keep` entries (at least one).
  void forget_written(size_t keep) {
    const size_t kept_written = written_ - std::min(written_, forgotten_);
    size_t drop = kept_written - std::min(kept_written, keep);
    if (drop == kept_.size() && drop > 0) --drop;
    if (drop == 0) return;
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(drop));
    if (kept_.capacity() > 4 * kept_.size()) kept_.shrink_to_fit();
    forgotten_ += drop;
  }

  // The same answer as lookup(), from the first `entries` entries of a file. Error (corruption): what it read
  // does not rise. Blocks.
  static Result<Entry> lookup_in_file(File& file, Offset base, size_t entries, Key key) {
    std::array<std::byte, kIndexSearchEntries * Entry::kBytes> block;
    size_t low = 0;  // the answer, if any, is in [low, high), or is the entry before low
    size_t high = entries;
    Entry answer = Entry::before_first(base);
    while (high - low > kIndexSearchEntries) {
      const size_t middle = low + (high - low) / 2;
      TRY_ASSIGN(const size_t got, file.read(middle * Entry::kBytes, std::span(block).first(Entry::kBytes)));
      if (got != Entry::kBytes) return fail(damaged("is shorter than its count of entries"));
      const Entry entry = Entry::decode(base, block.data());
      if (!entry.fits(base)) return fail(damaged("holds an entry outside of its segment"));
      if (entry.key() <= key) {
        answer = entry;
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const std::span<std::byte> rest = std::span(block).first((high - low) * Entry::kBytes);
    TRY_ASSIGN(const size_t got, file.read(low * Entry::kBytes, rest));
    if (got != rest.size()) return fail(damaged("is shorter than its count of entries"));
    Index found(base);
    TRY(found.take(rest));
    const size_t at = below_or_at(found.kept_, key);
    return at > 0 ? found.kept_[at - 1] : answer;
  }

 private:
  static Error damaged(std::string_view what) {
    return Error::corruption(fmt::format("the {} {}", Entry::kName, what));
  }
  static Result<void> check_size(uint64_t bytes) {
    if (bytes % Entry::kBytes != 0)
      return fail(damaged(fmt::format("has {} bytes, no multiple of {}", bytes, Entry::kBytes)));
    if (bytes > kMaxIndexFileBytes) return fail(damaged(fmt::format("has {} bytes", bytes)));
    return {};
  }
  Result<void> take(std::span<const std::byte> bytes) {
    kept_.reserve(bytes.size() / Entry::kBytes);
    for (size_t at = 0; at < bytes.size(); at += Entry::kBytes) {
      const Entry entry = Entry::decode(base_, bytes.data() + at);
      if (!accepts(entry))
        return fail(damaged(fmt::format("does not rise at its entry {}", forgotten_ + at / Entry::kBytes)));
      kept_.push_back(entry);
    }
    return {};
  }
  // How many of the entries have a key at or below `key`.
  static size_t below_or_at(const std::vector<Entry>& entries, Key key) {
    const auto above = std::upper_bound(entries.begin(), entries.end(), key,
                                        [](const Key& k, const Entry& e) { return k < e.key(); });
    return static_cast<size_t>(above - entries.begin());
  }

  Offset base_;
  size_t forgotten_ = 0;     // entries that only the file holds
  std::vector<Entry> kept_;  // the ones after those; not empty if forgotten_ > 0
  size_t written_ = 0;       // Invariant: forgotten_ <= written_ <= size()
};

}  // namespace tidemark::storage
