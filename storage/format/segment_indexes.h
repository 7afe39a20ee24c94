// Both indexes of one segment, fed batch by batch in log order: when it is appended to, recovered, or its
// indexes are built again. Kafka's rule: a batch gets an entry when more than index.interval.bytes were added
// since the last entry. Owned by the segment's log; pure.
#pragma once

#include "protocol/batch/header.h"
#include "storage/format/offset_index.h"
#include "storage/format/time_index.h"

namespace tidemark::storage {

// Of what is saved in its file an index keeps so many entries, the newest.
inline constexpr size_t kIndexEntriesInMemory = 256;

class SegmentIndexes {
 public:
  SegmentIndexes(Offset base, uint32_t index_interval_bytes)
      : SegmentIndexes(OffsetIndex(base), TimeIndex(base), index_interval_bytes) {}
  // Of a segment that exists: then feed the batches from resume_position() on. REQUIRES: equal bases.
  SegmentIndexes(OffsetIndex offsets, TimeIndex times, uint32_t index_interval_bytes);

  // `header`: as it stands in the log, with its offset. Batches that were fed before may come again (after
  // truncate_to, or at opening), in order. What 31 bits cannot hold gets no entry.
  void append(const protocol::BatchHeader& header, uint64_t position);
  // The segment is closed or rolled: the greatest timestamp gets its entry.
  void seal();
  // The log ends at `end`. Then cut both files to file_bytes(), and feed the batches from resume_position()
  // on. False: as Index::truncate_to, nothing changed.
  [[nodiscard]] bool truncate_to(Offset end);
  // The position of the newest indexed batch: everything before it is in the indexes.
  [[nodiscard]] uint64_t resume_position() const { return static_cast<uint64_t>(offsets_.last().position); }

  // Of all batches fed or loaded; timestamp -1 if none has one. Names the last offset of its batch.
  [[nodiscard]] TimestampOffset max_timestamp() const { return max_timestamp_; }
  // Whether the next append needs a new segment (segment.index.bytes): the time index keeps an entry free for
  // seal().
  [[nodiscard]] bool full(uint64_t max_index_bytes) const;
  void set_interval(uint32_t index_interval_bytes) { interval_bytes_ = index_interval_bytes; }

  [[nodiscard]] OffsetIndex& offsets() { return offsets_; }
  [[nodiscard]] TimeIndex& times() { return times_; }
  [[nodiscard]] const OffsetIndex& offsets() const { return offsets_; }
  [[nodiscard]] const TimeIndex& times() const { return times_; }

 private:
  void append_max_timestamp();

  OffsetIndex offsets_;
  TimeIndex times_;
  TimestampOffset max_timestamp_;
  uint64_t bytes_since_entry_ = 0;
  uint32_t interval_bytes_;
};

}  // namespace tidemark::storage
