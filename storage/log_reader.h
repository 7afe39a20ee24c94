// What reads of a log do in its files: find the batch that holds an offset, find a record by its time.
// Blocking; these run in the read lane and know nothing of the shard.
#pragma once

#include <optional>
#include <string>

#include "storage/file_cache.h"
#include "storage/log.h"

namespace tidemark::storage {

// Walks batch headers of one file, in bounded memory.
class HeaderWalker {
 public:
  // Reads [position, end) of the file.
  HeaderWalker(File& file, uint64_t position, uint64_t end) : file_(file), position_(position), end_(end) {}
  // The next batch's header; nullopt at the end, or where fewer bytes than the batch's are left. Error: bytes
  // that are no batch.
  Result<std::optional<protocol::BatchHeader>> next();
  // Of the batch that next() returned last, and of the one behind it.
  [[nodiscard]] uint64_t batch_position() const { return batch_position_; }
  [[nodiscard]] uint64_t position() const { return position_; }

 private:
  File& file_;
  uint64_t position_;
  uint64_t end_;
  uint64_t batch_position_ = 0;
  std::vector<std::byte> window_;
  uint64_t window_at_ = 0;
  size_t window_bytes_ = 0;
};

// Where the bytes of a segment may come from. A read from memory alone never waits, and is for any thread;
// where it would wait its error is of kind timeout, and nothing else is known.
enum class ReadFrom : uint8_t { disk, memory };

struct LocateRequest {
  std::string folder;
  Offset base;  // of the segment
  Offset from;
  Offset limit;  // kNoOffset: none but end_position
  uint32_t max_bytes = 0;
  bool at_least_one = false;
  uint64_t start_position = 0;  // of a batch that ends before `from`, or 0
  uint64_t end_position = 0;    // where readable bytes end
  bool use_index_file = false;  // find start_position in the segment's .index
  Offset gaps_below{};          // PartitionState::gaps_below
};
struct Located {
  // From the first batch that ends behind `from`. nullopt: the log cleaner has left none in the segment.
  std::optional<LogRange> range;
  Offset before;  // where the batch before that ends, or the segment begins
};
// REQUIRES: the batch that holds `from` begins below end_position, or the log cleaner has been there.
// Corruption: the file does not give it.
Result<Located> locate_in_segment(FileSystem& files, FileCache& cache, const LocateRequest& request,
                                  ReadFrom from = ReadFrom::disk);

// The next piece of a range that locate_in_segment() or a read has given, with every batch header in it
// checked, from the segment's file `path`. Corruption: the file is gone, too short, or holds another batch
// than the range says, or one of another leader epoch, or none.
Result<LogPiece> read_piece(FileSystem& files, FileCache& cache, const std::string& path,
                            const LogRange& range, uint32_t max_bytes, Offset gaps_below,
                            const LeaderEpochCache& epochs, ReadFrom from = ReadFrom::disk);

// A piece of a sealed segment, which is `bytes` long and ends where the log goes on with offset `next`.
struct SealedPiece {
  std::string folder;
  Offset base;  // of the segment
  uint64_t bytes = 0;
  Offset next;
  uint64_t position = 0;  // of the batch that the check begins with, and its offset
  Offset offset;
  Offset start;            // of the log: what lies below was deleted, and may be anything
  uint64_t max_bytes = 0;  // one batch at least
  Offset gaps_below{};     // PartitionState::gaps_below
  std::shared_ptr<const LeaderEpochCache> epochs;
};
struct CheckedTo {
  uint64_t position;  // of the first batch not checked; SealedPiece::bytes: there is none
  Offset offset;
  uint64_t bytes;  // that were checked
};
// Checks headers, checksums, and the leader epochs, which no checksum covers. Corruption: it does not hold
// what was written.
Result<CheckedTo> check_sealed(FileSystem& files, FileCache& cache, const SealedPiece& piece);

// The offset from which a search for `timestamp` starts in a sealed segment; nullopt: from its beginning.
Result<std::optional<Offset>> lookup_time_index(FileCache& cache, const std::string& folder, Offset base,
                                                int64_t timestamp);

struct TimeSearch {
  std::optional<TimedRecord> found;
  Offset next;  // behind the last batch searched
};
// Which of the records at or after a timestamp; of equal ones the first.
enum class TimePick : uint8_t { first, greatest };
// The record at or after `timestamp` with `from` <= offset < `until` in these whole batches. Corruption: one
// of them has a wrong checksum.
Result<TimeSearch> find_timestamp(std::span<const std::byte> batches, int64_t timestamp, Offset from,
                                  Offset until, TimePick pick);

struct RebuiltLog {
  Segment active;
  SegmentIndexes indexes;
  ProducerState producers;
};
// What truncation invalidates, derived again from the segments: the active one's indexes, and the producers
// of all.
Result<RebuiltLog> rebuild_derived(FileSystem& files, const std::string& folder, LogId log,
                                   const std::vector<Segment>& segments, uint32_t index_interval_bytes,
                                   runtime::WallTime now);

}  // namespace tidemark::storage
