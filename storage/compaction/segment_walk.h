// Walks the batches of neighbouring sealed segments in pieces, each checked: checksums, rising offsets and
// epochs, and a file that holds exactly what its log says. What the scan of the dirty part and the cleaning
// of a group have in common. Blocks: runs in a lane; holds one open file and one window of it (or one batch,
// where that is larger) while it walks.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "protocol/batch/batch_iterator.h"
#include "storage/file.h"

namespace tidemark::storage {

struct SourceSegment {
  Offset base;
  uint64_t bytes = 0;
  Offset next_offset;  // the next segment's base: no record of this one is at or above it
  bool gaps = false;   // it was cleaned before: offsets may be missing
};

class SegmentWalk {
 public:
  // False ends the step behind this batch.
  using Visitor = std::function<Result<bool>(const protocol::BatchView&)>;

  // `segments`: by base, none of which changes meanwhile.
  SegmentWalk(FileSystem& files, std::string folder, std::vector<SourceSegment> segments);

  // The next batches, of `max_bytes` or a little more, at least one. Errors: the disk's, the visitor's, and
  // corruption: a segment is not what was written. After one, the walk is over.
  Result<void> step(uint64_t max_bytes, const Visitor& visit);
  [[nodiscard]] bool done() const { return at_ == segments_.size(); }
  // Every batch below has been walked: where the last segment that was finished ends.
  [[nodiscard]] Offset reached() const { return reached_; }
  [[nodiscard]] uint64_t bytes_walked() const { return bytes_walked_; }

 private:
  Result<void> step_in_segment(uint64_t& budget, bool& more, const Visitor& visit);

  FileSystem& files_;
  std::string folder_;
  std::vector<SourceSegment> segments_;
  size_t at_ = 0;
  std::unique_ptr<File> file_;  // of segments_[at_]; null: not opened yet
  uint64_t position_ = 0;       // in it
  Offset next_;                 // no batch begins below
  LeaderEpoch epoch_ = kNoLeaderEpoch;
  Offset reached_;
  uint64_t bytes_walked_ = 0;
};

}  // namespace tidemark::storage
