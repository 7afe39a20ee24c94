#include "storage/compaction/dirty_scan.h"

#include <algorithm>
#include <utility>

#include "protocol/invariant.h"

namespace tidemark::storage {

DirtyScan::DirtyScan(FileSystem& files, DirtyPart part, OffsetMap& map, size_t max_decompressed_bytes)
    : walk_(files, std::move(part.folder), std::move(part.segments)),
      from_(part.from),
      transactions_(std::move(part.aborted)),
      map_(map),
      max_decompressed_bytes_(max_decompressed_bytes) {
  REQUIRES(map.size() == 0 && map.end() == Offset(0));
  map_.advance_to(from_);
}

Result<bool> DirtyScan::step(uint64_t max_bytes) {
  if (!full_) TRY(walk_.step(max_bytes, [this](const protocol::BatchView& batch) { return visit(batch); }));
  if (full_) return true;
  // Also over offsets that no batch holds any more.
  map_.advance_to(std::max(map_.end(), walk_.reached()));
  return walk_.done();
}

Result<bool> DirtyScan::visit(const protocol::BatchView& batch) {
  const protocol::BatchHeader& header = batch.header;
  records_read_ += static_cast<uint64_t>(header.record_count);
  if (header.is_control()) {
    const auto spent = transactions_.is_marker_spent(batch, decompressor_);
    if (!spent) return stored_batch_error(header, spent.error());
  } else if (!transactions_.is_aborted(header) && header.last_offset() >= from_) {
    TRY(map_records(batch));
  }
  if (!full_ && header.last_offset() >= from_) map_.advance_to(header.next_offset());
  return !full_;
}

// A batch that does not fit leaves some keys behind with offsets above map.end(). They only tell of records
// that are there and stay, so that older ones of the same keys may go already.
Result<void> DirtyScan::map_records(const protocol::BatchView& batch) {
  TRY_ASSIGN(auto stored, StoredBatch::open(batch, decompressor_, max_decompressed_bytes_));
  while (true) {
    TRY_ASSIGN(const auto record, stored.next());
    if (!record) return {};
    if (!record->key || record->offset < from_) continue;
    if (map_.put(*record->key, record->offset)) continue;
    full_ = true;
    // One batch with more keys than the map takes: its beginning at least, or no cleaning would ever pass it.
    if (map_.end() == from_) map_.advance_to(record->offset);
    return {};
  }
}

}  // namespace tidemark::storage
