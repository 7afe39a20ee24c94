#include "storage/compaction/segment_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "protocol/invariant.h"
#include "storage/format/segment_scan.h"
#include "storage/segment.h"

namespace tidemark::storage {

SegmentWalk::SegmentWalk(FileSystem& files, std::string folder, std::vector<SourceSegment> segments)
    : files_(files), folder_(std::move(folder)), segments_(std::move(segments)) {
  for (size_t i = 0; i < segments_.size(); ++i) {
    const SourceSegment& s = segments_[i];
    INVARIANT(s.base <= s.next_offset && (i == 0 || segments_[i - 1].next_offset <= s.base),
              "segment {} from {} to {}", i, s.base, s.next_offset);
  }
  if (!segments_.empty()) reached_ = segments_.front().base;
}

Result<void> SegmentWalk::step(uint64_t max_bytes, const Visitor& visit) {
  uint64_t budget = std::max<uint64_t>(max_bytes, 1);
  bool more = true;
  while (more && budget > 0 && !done()) TRY(step_in_segment(budget, more, visit));
  return {};
}

Result<void> SegmentWalk::step_in_segment(uint64_t& budget, bool& more, const Visitor& visit) {
  const SourceSegment& segment = segments_[at_];
  const std::string path = segment_path(folder_, segment.base, kLogSuffix);
  if (position_ < segment.bytes) {
    if (!file_) {
      TRY_ASSIGN(file_, files_.open(path, OpenMode::read));
      next_ = segment.base;
    }
    ScanOptions options;
    options.from = position_;
    options.to = segment.bytes;
    options.first_offset = next_;
    options.min_epoch = epoch_;
    options.gaps_below = segment.gaps ? segment.next_offset : Offset(0);
    options.whole_batches = true;
    // What the window holds beyond a step would be read again by the next one.
    options.window_bytes = std::clamp<size_t>(budget, 4096, kScanWindowBytes);
    std::optional<Error> refused;
    TRY_ASSIGN(const ScanResult scan, scan_segment(*file_, options, [&](const ScannedBatch& batch) {
                 auto visited = visit({batch.header, batch.bytes});
                 if (!visited) refused = std::move(visited).error();
                 more = visited && *visited;
                 budget -= std::min<uint64_t>(budget, batch.bytes.size());
                 return more && budget > 0;
               }));
    if (refused)
      return fail(Error(refused->kind(), refused->code(), fmt::format("{}: {}", path, refused->message())));
    if (scan.end == ScanEnd::torn || scan.end == ScanEnd::corrupt)
      return fail(Error::corruption(fmt::format("{}: {}", path, scan.reason)));
    if (scan.end == ScanEnd::clean && scan.position < segment.bytes)
      return fail(
          Error::corruption(fmt::format("{}: ends at {} of {} bytes", path, scan.position, segment.bytes)));
    bytes_walked_ += scan.position - position_;
    position_ = scan.position;
    next_ = scan.next_offset.value_or(next_);
    epoch_ = scan.last_epoch;
    const bool over = position_ == segment.bytes;
    if (next_ > segment.next_offset || (over && !segment.gaps && next_ < segment.next_offset))
      return fail(Error::corruption(
          fmt::format("{}: reaches offset {}, and the log goes on at {}", path, next_, segment.next_offset)));
  }
  if (position_ < segment.bytes) return {};
  reached_ = segment.next_offset;
  file_.reset();
  position_ = 0;
  ++at_;
  return {};
}

}  // namespace tidemark::storage
