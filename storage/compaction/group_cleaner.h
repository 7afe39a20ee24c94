// Writes a group of neighbouring segments as one, without what the offset map says is outdated: the second
// half of a cleaning, in pieces that can be throttled and broken off. The new segment stands beside the old
// ones under Kafka's `.cleaned` names, synced but for its folder; putting it into their place is the log's.
// The sources are never changed. Owned by one cleaning; blocks in a lane.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/compaction/batch_cleaner.h"
#include "storage/compaction/segment_walk.h"
#include "storage/format/segment_indexes.h"

namespace tidemark::storage {

inline constexpr std::string_view kCleanedSuffix = ".cleaned";
// "FOLDER/00000000000000000042.index.MARK.cleaned": a folder's name may be another log's by the time that a
// cleaning ends.
[[nodiscard]] std::string cleaned_path(const std::string& folder, Offset base, std::string_view suffix,
                                       std::string_view mark);
// What cleanings left that were broken off by the end of the process. None may be under way.
Result<void> remove_cleaned_leftovers(FileSystem& files, const std::string& folder);

struct IndexLimits {
  uint32_t index_interval_bytes = 4096;     // index.interval.bytes
  uint64_t segment_index_bytes = 10 << 20;  // segment.index.bytes, of each index
};

struct CleanedSegment {
  Offset base;                   // the first source's, whose name it takes
  uint64_t bytes = 0;            // 0: no batch is left; its files are there, and empty
  Offset next_offset;            // behind its last batch; the base if there is none
  int64_t first_timestamp = -1;  // the greatest one of its first batch; -1: none
  int64_t max_timestamp = -1;
  CleaningStats stats;
  std::vector<AbortedTransaction> aborted;  // of which it still holds records: its .txnindex
};

class GroupCleaner {
 public:
  // `cleaner` and `transactions` are the cleaning's, which began at the log's first segment, and outlive
  // this. REQUIRES: at least one segment.
  // `mark`: of the log, in the names.
  GroupCleaner(FileSystem& files, std::string folder, std::string mark, std::vector<SourceSegment> group,
               BatchCleaner& cleaner, CleanedTransactions& transactions, IndexLimits limits);

  // Reads about `max_bytes` (a batch at least), and writes what stays of them. True: done, segment() is
  // synced. Errors: SegmentWalk's and BatchCleaner's; no_space and io of the new files;
  // RECORD_LIST_TOO_LARGE: more than 2 GiB stay. After one, the new files are removed, as far as the disk
  // lets, and the whole cleaning is over: transactions are in its middle. REQUIRES: not done or failed
  // before.
  Result<bool> step(uint64_t max_bytes);
  // Removes what was written; nothing else is left to call. An object that is destroyed instead leaves its
  // files to remove_cleaned_leftovers().
  Result<void> cancel();

  // REQUIRES: done.
  [[nodiscard]] const CleanedSegment& segment() const;
  [[nodiscard]] uint64_t bytes_read() const { return walk_.bytes_walked(); }
  [[nodiscard]] uint64_t bytes_written() const { return segment_.bytes; }

 private:
  enum class State : uint8_t { fresh, writing, done, over };
  Result<bool> advance(uint64_t max_bytes);
  Result<void> begin();
  Result<bool> visit(const protocol::BatchView& batch);
  Result<void> flush();
  Result<void> finish();
  Result<std::unique_ptr<File>> create(std::string_view suffix);
  Result<void> write_index(std::string_view suffix, const std::vector<std::byte>& entries);

  FileSystem& files_;
  std::string folder_;
  std::string mark_;
  SegmentWalk walk_;
  BatchCleaner& cleaner_;
  CleanedTransactions& transactions_;
  IndexLimits limits_;
  State state_ = State::fresh;
  CleanedSegment segment_;
  SegmentIndexes indexes_;
  std::unique_ptr<File> log_;
  std::vector<std::byte> unwritten_;  // the end of what segment_.bytes counts
  uint64_t unsynced_bytes_ = 0;
};

}  // namespace tidemark::storage
