// The newest bytes of one shard's logs, as the buffers they arrived in: followers and tailing consumers are
// answered from them, and what the segment file does not hold yet can be read nowhere else (durability.md,
// rule 2). Owned by the shard, used on its loop alone; the slices it hands out live on their own. It counts
// and evicts whole buffers, because a slice keeps all of its buffer alive: a buffer that carried appends of
// ten logs counts once, and leaves all ten together.
//
// Appends that are not written to their segment are pinned: never evicted, and counted on their own, so that
// the log can stop admitting before they fill the cache. Eviction leaves holes: a read that misses goes to
// the file, which holds all that is not pinned.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <vector>

#include "protocol/runtime/buffer.h"
#include "storage/format/journal_format.h"

namespace tidemark::storage {

// One append: whole batches, as they stand in the log.
struct TailAppend {
  Offset base_offset;
  Offset last_offset;
  Offset segment_base;    // of the segment file that it belongs to
  uint64_t position = 0;  // of its first byte there
  runtime::BufferSlice slice;
};

// Consecutive batches, ready to be sent. Empty slices: a miss.
struct TailRead {
  std::vector<runtime::BufferSlice> slices;
  uint64_t bytes = 0;
  Offset base_offset;   // of the first batch
  Offset next_offset;   // behind the last batch
  Offset segment_base;  // of the first batch, and where it lies there
  uint64_t position = 0;
};

class TailCache {
 public:
  // `max_bytes` bounds all buffers; pinned ones may go beyond it, until the log stops admitting.
  explicit TailCache(uint64_t max_bytes) : max_bytes_(max_bytes) {}
  TailCache(const TailCache&) = delete;
  TailCache& operator=(const TailCache&) = delete;

  // Takes an append, pinned. REQUIRES: it starts behind the log's newest append here.
  void append(LogId log, TailAppend append);
  // What ends below `end` is in the segment file: unpinned.
  void mark_written(LogId log, Offset end);

  // Batches from the one that holds `from`, all of them ending below `limit` (the high watermark or the log's
  // end), at most `max_bytes` but always one batch. A miss where `from` is not here.
  [[nodiscard]] TailRead read(LogId log, Offset from, Offset limit, uint64_t max_bytes) const;
  // Whether a read of `from` would find its batch.
  [[nodiscard]] bool holds(LogId log, Offset from) const;
  // The first offset that is not written: what lies below can be read from the file. kNoOffset: all is.
  [[nodiscard]] Offset first_pinned(LogId log) const;

  // The log ends at `end`: what lies at or above goes, pinned or not. An append that reaches over `end` is
  // cut at the batch that does (a truncation is at a batch's start).
  void truncate(LogId log, Offset end);
  // The log is deleted or moved away.
  void erase(LogId log);
  // A smaller bound takes effect at once.
  void set_max_bytes(uint64_t max_bytes);

  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  [[nodiscard]] uint64_t pinned_bytes() const { return pinned_bytes_; }
  [[nodiscard]] size_t buffers() const { return by_buffer_.size(); }
  [[nodiscard]] uint64_t evicted_buffers() const { return evicted_; }

 private:
  struct Held;
  using HeldBuffer = std::list<Held>::iterator;
  struct Entry {
    Offset last_offset;
    Offset segment_base;
    uint64_t position = 0;
    runtime::BufferSlice slice;
    bool pinned = true;
    HeldBuffer held;
  };
  using Entries = std::map<Offset, Entry>;  // by base offset
  struct Tail {
    Entries entries;
    Offset written_end;  // everything below is unpinned
  };
  struct Held {
    const runtime::Buffer* buffer = nullptr;
    uint64_t bytes = 0;
    size_t pinned = 0;                              // entries that are
    std::vector<std::pair<LogId, Offset>> entries;  // log and base offset
  };

  HeldBuffer hold(const runtime::BufferSlice& slice);
  void unpin(Entry& entry);
  // Takes one entry out of its buffer's account; the map's node is the caller's.
  void let_go(LogId log, Offset base, Entry& entry);
  void evict();
  [[nodiscard]] static Entries::const_iterator entry_with(const Entries& entries, Offset offset);

  std::map<LogId, Tail> logs_;
  // Oldest first; a buffer moves over when its last append is written.
  std::list<Held> pinned_;
  std::list<Held> evictable_;
  std::map<const runtime::Buffer*, HeldBuffer> by_buffer_;
  uint64_t max_bytes_;
  uint64_t bytes_ = 0;
  uint64_t pinned_bytes_ = 0;  // Invariant: pinned_bytes_ <= bytes_
  uint64_t evicted_ = 0;
};

}  // namespace tidemark::storage
