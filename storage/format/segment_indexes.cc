#include "storage/format/segment_indexes.h"

namespace tidemark::storage {

SegmentIndexes::SegmentIndexes(OffsetIndex offsets, TimeIndex times, uint32_t index_interval_bytes)
    : offsets_(std::move(offsets)),
      times_(std::move(times)),
      max_timestamp_(times_.last()),
      interval_bytes_(index_interval_bytes) {
  REQUIRES(offsets_.base() == times_.base());
}

void SegmentIndexes::append(const protocol::BatchHeader& header, uint64_t position) {
  const Offset last = header.last_offset();
  // One that the log cleaner has emptied keeps its time, and has no record of it (KIP-734).
  if (header.record_count > 0 && header.max_timestamp > max_timestamp_.timestamp_ms)
    max_timestamp_ = {header.max_timestamp, last};
  if (bytes_since_entry_ > interval_bytes_ && position <= INT32_MAX) {
    const OffsetPosition entry{last, static_cast<int64_t>(position)};
    if (offsets_.accepts(entry)) {
      offsets_.append(entry);
      append_max_timestamp();
      bytes_since_entry_ = 0;
    }
  }
  bytes_since_entry_ += header.size_in_bytes();
}

void SegmentIndexes::append_max_timestamp() {
  if (times_.accepts(max_timestamp_)) times_.append(max_timestamp_);
}

void SegmentIndexes::seal() { append_max_timestamp(); }

bool SegmentIndexes::truncate_to(Offset end) {
  OffsetIndex offsets = offsets_;
  if (!offsets.truncate_to(end) || !times_.truncate_to(end)) return false;
  offsets_ = std::move(offsets);
  max_timestamp_ = times_.last();
  bytes_since_entry_ = 0;
  return true;
}

bool SegmentIndexes::full(uint64_t max_index_bytes) const {
  return offsets_.size() >= max_index_bytes / OffsetPosition::kBytes ||
         times_.size() + 1 >= max_index_bytes / TimestampOffset::kBytes;
}

}  // namespace tidemark::storage
