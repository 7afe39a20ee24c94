// Reads the dirty part of a log into the offset map, in pieces: the first half of a cleaning. Records of
// aborted transactions do not count, and control records neither. Ends where the part does or where the map
// is full, at a batch's boundary, so that map.end() says how far the cleaning goes. Owned by one cleaning;
// blocks in a lane.
#pragma once

#include <string>
#include <vector>

#include "storage/compaction/offset_map.h"
#include "storage/compaction/segment_walk.h"
#include "storage/compaction/stored_batch.h"
#include "storage/compaction/transactions.h"

namespace tidemark::storage {

struct DirtyPart {
  std::string folder;
  std::vector<SourceSegment> segments;  // from the one that holds `from` on, none at or above the end
  Offset from;
  // Those with a record at or behind the first segment's base.
  std::vector<AbortedTransaction> aborted;
};

class DirtyScan {
 public:
  // REQUIRES: `map` is empty, and outlives this.
  DirtyScan(FileSystem& files, DirtyPart part, OffsetMap& map,
            size_t max_decompressed_bytes = protocol::kMaxDecompressedBytes);

  // Reads about `max_bytes`, a batch at least. True: done. Errors: SegmentWalk's, and StoredBatch's of its
  // batches.
  Result<bool> step(uint64_t max_bytes);

  // The map was full before the part ended: what is left waits for the next cleaning.
  [[nodiscard]] bool full() const { return full_; }
  [[nodiscard]] uint64_t bytes_read() const { return walk_.bytes_walked(); }
  [[nodiscard]] uint64_t records_read() const { return records_read_; }

 private:
  Result<bool> visit(const protocol::BatchView& batch);
  Result<void> map_records(const protocol::BatchView& batch);

  SegmentWalk walk_;
  Offset from_;
  CleanedTransactions transactions_;
  OffsetMap& map_;
  size_t max_decompressed_bytes_;
  protocol::Decompressor decompressor_;
  bool full_ = false;
  uint64_t records_read_ = 0;
};

}  // namespace tidemark::storage
