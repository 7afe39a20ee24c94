#include "storage/log_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "protocol/batch/batch_iterator.h"
#include "storage/format/segment_scan.h"
#include "storage/trimmed_producers.h"

namespace tidemark::storage {
namespace {

constexpr size_t kWindowBytes = 32 << 10;
constexpr uint64_t kMostWalkedNow = 256 << 10;  // by a shard; farther is the lane's work

}  // namespace

Result<std::optional<protocol::BatchHeader>> HeaderWalker::next() {
  if (position_ + protocol::kBatchHeaderBytes > end_) return std::optional<protocol::BatchHeader>();
  if (position_ < window_at_ || position_ + protocol::kBatchHeaderBytes > window_at_ + window_bytes_) {
    window_.resize(std::min<uint64_t>(kWindowBytes, end_ - position_));
    TRY_ASSIGN(window_bytes_, file_.read(position_, window_));
    window_at_ = position_;
    if (window_bytes_ < protocol::kBatchHeaderBytes) return std::optional<protocol::BatchHeader>();
  }
  const auto bytes = std::span<const std::byte>(window_).first(window_bytes_).subspan(position_ - window_at_);
  auto header = protocol::parse_batch_header(bytes);
  if (!header)
    return fail(Error::corruption(fmt::format("byte {}: {}", position_, header.error().message())));
  if (position_ + header->size_in_bytes() > end_) return std::optional<protocol::BatchHeader>();
  batch_position_ = position_;
  position_ += header->size_in_bytes();
  return std::optional<protocol::BatchHeader>(*header);
}

namespace {

Error would_wait() { return Error::timeout("this would wait for the disk"); }

// What of a file is in memory.
class FileInMemory final : public File {
 public:
  explicit FileInMemory(std::shared_ptr<File> file) : file_(std::move(file)) {}
  Result<size_t> read(uint64_t position, std::span<std::byte> buffer) override {
    const auto got = file_->read_now(position, buffer);
    if (!got) return fail(would_wait());
    return *got;
  }
  Result<uint64_t> size() override { return file_->size(); }
  Result<void> write(uint64_t, std::span<const std::span<const std::byte>>) override {
    return fail(would_wait());
  }
  Result<void> sync_data() override { return fail(would_wait()); }
  Result<void> truncate(uint64_t) override { return fail(would_wait()); }
  Result<void> reserve(uint64_t, uint64_t) override { return fail(would_wait()); }

 private:
  const std::shared_ptr<File> file_;
};

Result<std::shared_ptr<File>> open_file(FileCache& cache, const std::string& path, ReadFrom from) {
  if (from == ReadFrom::disk) return cache.get(path);
  auto open = cache.find(path);
  if (!open) return fail(would_wait());
  return std::make_shared<FileInMemory>(std::move(open));
}

// A segment that is gone is damage, and no failing disk.
Result<std::shared_ptr<File>> open_segment(FileSystem& files, FileCache& cache, const std::string& path,
                                           ReadFrom from = ReadFrom::disk) {
  auto file = open_file(cache, path, from);
  if (from == ReadFrom::memory) return file;
  if (file) return file;
  TRY_ASSIGN(const bool exists, files.exists(path));
  if (exists) return file;
  return fail(Error::corruption(path + ": the segment is gone"));
}

// Why a batch with this base offset cannot come where `expected` should; empty: it can.
std::string objection(Offset found, Offset expected, Offset gaps_below) {
  if (may_follow(found, expected, gaps_below)) return {};
  return fmt::format("holds offset {} instead of {}", found, expected);
}

// Why the batch is not the one that was written there; empty: it may be. Its leader epoch lies outside its
// checksum.
std::string objection(const protocol::BatchHeader& header, const LeaderEpochCache& epochs) {
  const auto epoch = epochs.epoch_for_offset(header.base_offset);
  const bool fits = epoch ? header.leader_epoch == *epoch : header.leader_epoch >= kNoLeaderEpoch;
  if (fits) return {};
  return fmt::format("has leader epoch {} instead of {}", header.leader_epoch,
                     epoch.value_or(kNoLeaderEpoch));
}

// Where the segment's index file says that the search for `from` begins; 0 if it cannot say.
uint64_t indexed_position(FileCache& cache, const LocateRequest& r, ReadFrom from) {
  const auto index = open_file(cache, segment_path(r.folder, r.base, kOffsetIndexSuffix), from);
  if (!index) return 0;
  const auto bytes = (*index)->size();
  if (!bytes) return 0;
  const auto entry =
      OffsetIndex::lookup_in_file(**index, r.base, *bytes / OffsetPosition::kBytes, r.from + -1);
  return entry ? static_cast<uint64_t>(entry->position) : 0;
}

}  // namespace

Result<Located> locate_in_segment(FileSystem& files, FileCache& cache, const LocateRequest& r,
                                  ReadFrom from) {
  const std::string path = segment_path(r.folder, r.base, kLogSuffix);
  TRY_ASSIGN(const auto file, open_segment(files, cache, path, from));
  uint64_t start = r.start_position;
  if (r.use_index_file) start = indexed_position(cache, r, from);
  // A walk from the segment's beginning is no work for a shard.
  if (from == ReadFrom::memory && start == 0 && r.from != r.base) return fail(would_wait());
  Offset expected = r.base;
  if (start > 0) {
    // An index is derived: one that leads astray costs a longer walk, never a record.
    HeaderWalker first(*file, start, r.end_position);
    const auto header = first.next();
    const bool leads = header && *header && (*header)->last_offset() < r.from;
    if (from == ReadFrom::memory && !leads) return fail(would_wait());
    if (leads) expected = (*header)->base_offset;
    if (!leads) start = 0;
  }
  HeaderWalker walker(*file, start, r.end_position);
  while (true) {
    if (from == ReadFrom::memory && walker.position() > start + kMostWalkedNow) return fail(would_wait());
    auto header = walker.next();
    if (!header && header.error().kind() != ErrorKind::corruption) return fail(header.error());
    if (!header) return fail(Error::corruption(fmt::format("{}: {}", path, header.error().message())));
    const bool whole = walker.position() == r.end_position;
    if (!*header && whole && r.from < r.gaps_below) return Located{std::nullopt, expected};
    if (!*header) {
      return fail(Error::corruption(fmt::format("{}: ends at byte {} and offset {}, without offset {}", path,
                                                walker.position(), expected, r.from)));
    }
    // Every read checks that offsets are contiguous, where they must be.
    if (const auto why = objection((*header)->base_offset, expected, r.gaps_below); !why.empty())
      return fail(Error::corruption(fmt::format("{}: byte {} {}", path, walker.batch_position(), why)));
    const Offset before = std::exchange(expected, (*header)->next_offset());
    if ((*header)->last_offset() < r.from) continue;
    LogRange range{r.base, r.end_position, 0};
    if (r.limit != kNoOffset && (*header)->last_offset() >= r.limit) return Located{range, before};
    const uint64_t bytes = (*header)->size_in_bytes();
    range.position = range.batch_at = walker.batch_position();
    range.batch_offset = (*header)->base_offset;
    if (bytes > r.max_bytes) {
      range.bytes = r.at_least_one ? static_cast<uint32_t>(bytes) : 0;
      return Located{range, before};
    }
    range.bytes = static_cast<uint32_t>(std::min<uint64_t>(r.max_bytes, r.end_position - range.position));
    if (r.limit == kNoOffset) return Located{range, before};
    range.bytes = static_cast<uint32_t>(bytes);
    while (range.bytes < r.max_bytes) {
      auto more = walker.next();
      // What is wrong there is said by the read that comes to it.
      if (!more || !*more || (*more)->last_offset() >= r.limit ||
          range.bytes + (*more)->size_in_bytes() > r.max_bytes)
        break;
      range.bytes += static_cast<uint32_t>((*more)->size_in_bytes());
    }
    return Located{range, before};
  }
}

Result<LogPiece> read_piece(FileSystem& files, FileCache& cache, const std::string& path,
                            const LogRange& range, uint32_t max_bytes, Offset gaps_below,
                            const LeaderEpochCache& epochs, ReadFrom from) {
  TRY_ASSIGN(const auto file, open_segment(files, cache, path, from));
  const uint32_t wanted = std::min(max_bytes, range.bytes);
  auto buffer = runtime::Buffer::allocate(wanted);
  TRY_ASSIGN(const size_t got, file->read(range.position, buffer->bytes()));
  if (got < wanted && from == ReadFrom::memory) return fail(would_wait());
  if (got < wanted) {
    return fail(Error::corruption(fmt::format("{}: ends at byte {} instead of {}", path, range.position + got,
                                              range.position + wanted)));
  }
  LogPiece piece{runtime::BufferSlice::whole(buffer), range};
  LogRange& rest = piece.rest;
  const uint64_t end = range.position + range.bytes;
  rest.position += wanted;
  rest.bytes -= wanted;
  while (rest.batch_at < rest.position && rest.batch_at + protocol::kBatchHeaderBytes <= end) {
    std::span<const std::byte> head =
        std::span<const std::byte>(buffer->bytes()).subspan(rest.batch_at - range.position);
    // One that the piece cuts through.
    std::array<std::byte, protocol::kBatchHeaderBytes> whole;
    if (head.size() < whole.size()) {
      TRY_ASSIGN(const size_t there, file->read(rest.batch_at, whole));
      head = std::span<const std::byte>(whole).first(there);
    }
    const auto header = protocol::parse_batch_header(head);
    std::string why = header ? objection(header->base_offset, rest.batch_offset, gaps_below)
                             : "holds no batch: " + header.error().message();
    if (why.empty()) why = objection(*header, epochs);
    if (!why.empty()) return fail(Error::corruption(fmt::format("{}: byte {} {}", path, rest.batch_at, why)));
    rest.batch_at += header->size_in_bytes();
    rest.batch_offset = header->next_offset();
  }
  return piece;
}

Result<CheckedTo> check_sealed(FileSystem& files, FileCache& cache, const SealedPiece& p) {
  const std::string path = segment_path(p.folder, p.base, kLogSuffix);
  TRY_ASSIGN(const auto file, open_segment(files, cache, path));
  ScanOptions options;
  options.from = p.position;
  options.to = p.bytes;
  options.first_offset = p.offset;
  options.gaps_below = p.gaps_below;
  options.window_bytes = std::clamp<uint64_t>(p.max_bytes, 4096, kScanWindowBytes);
  if (p.offset < p.start) {
    LocateRequest first{p.folder, p.base, p.start, kNoOffset, 1, true, 0, p.bytes, true, p.gaps_below};
    TRY_ASSIGN(const Located located, locate_in_segment(files, cache, first));
    if (!located.range) return CheckedTo{p.bytes, p.next, 0};
    options.from = located.range->batch_at;
    options.first_offset = located.range->batch_offset;
  }
  std::string wrong;
  const auto more = [&](const ScannedBatch& batch) {
    wrong = objection(batch.header, *p.epochs);
    if (!wrong.empty()) wrong = fmt::format("the batch at position {} {}", batch.position, wrong);
    return wrong.empty() && batch.position + batch.header.size_in_bytes() < options.from + p.max_bytes;
  };
  TRY_ASSIGN(const ScanResult scan, scan_segment(*file, options, more));
  const auto damaged = [&](const std::string& why) {
    return fail(Error::corruption(fmt::format("{}: {}", path, why)));
  };
  if (!wrong.empty()) return damaged(wrong);
  if (scan.end == ScanEnd::torn || scan.end == ScanEnd::corrupt) return damaged(scan.reason);
  const CheckedTo to{scan.position, *scan.next_offset, scan.position - options.from};
  if (scan.end == ScanEnd::stopped) return to;
  if (to.position < p.bytes)
    return damaged(fmt::format("ends at byte {} instead of {}", to.position, p.bytes));
  if (!objection(p.next, to.offset, p.gaps_below).empty())
    return damaged(fmt::format("ends at offset {}, and the next segment begins at {}", to.offset, p.next));
  return to;
}

Result<std::optional<Offset>> lookup_time_index(FileCache& cache, const std::string& folder, Offset base,
                                                int64_t timestamp) {
  // A file that cannot be read or does not rise is as good as none.
  const auto index = cache.get(segment_path(folder, base, kTimeIndexSuffix));
  if (!index) return std::optional<Offset>();
  const auto bytes = (*index)->size();
  if (!bytes) return std::optional<Offset>();
  // The greatest entry below the timestamp: everything up to its offset is older.
  const auto entry =
      TimeIndex::lookup_in_file(**index, base, *bytes / TimestampOffset::kBytes, timestamp - 1);
  if (!entry || entry->timestamp_ms < 0) return std::optional<Offset>();
  return std::optional<Offset>(entry->offset);
}

Result<TimeSearch> find_timestamp(std::span<const std::byte> bytes, int64_t timestamp, Offset from,
                                  Offset until, TimePick pick) {
  TimeSearch search{{}, from};
  protocol::BatchIterator batches(bytes);
  while (true) {
    TRY_ASSIGN(const auto batch, batches.next());
    if (!batch || batch->header.base_offset >= until) return search;
    if (!protocol::batch_crc_holds(batch->bytes)) {
      return fail(Error::corruption(
          fmt::format("the batch at offset {} has a wrong checksum", batch->header.base_offset)));
    }
    if (batch->header.max_timestamp >= timestamp && batch->header.last_offset() >= from) {
      TRY_ASSIGN(const auto open, protocol::OpenBatch::open(*batch));
      auto records = open.records();
      while (true) {
        TRY_ASSIGN(const auto record, records.next());
        if (!record) break;
        if (record->offset < from || record->timestamp < timestamp) continue;
        if (record->offset >= until) return search;
        search.found = TimedRecord{record->timestamp, record->offset, batch->header.leader_epoch};
        if (pick == TimePick::first || record->timestamp == INT64_MAX) return search;
        timestamp = record->timestamp + 1;
      }
    }
    search.next = batch->header.next_offset();
  }
}

Result<RebuiltLog> rebuild_derived(FileSystem& files, const std::string& folder, LogId log,
                                   const std::vector<Segment>& segments, uint32_t index_interval_bytes,
                                   runtime::WallTime now) {
  RebuiltLog rebuilt{segments.back(), SegmentIndexes(segments.back().base, index_interval_bytes),
                     ProducerState()};
  rebuilt.active.first_timestamp = rebuilt.active.max_timestamp = -1;
  TRY_ASSIGN(const auto kept, read_trimmed_producers(files, folder, log, now));
  if (kept) rebuilt.producers = kept->state;
  for (const Segment& s : segments) {
    const bool is_active = s.base == segments.back().base;
    const std::string path = segment_path(folder, s.base, kLogSuffix);
    TRY_ASSIGN(const auto file, files.open(path, OpenMode::read));
    HeaderWalker walker(*file, 0, s.bytes);
    while (true) {
      auto header = walker.next();
      if (!header) return fail(Error::corruption(fmt::format("{}: {}", path, header.error().message())));
      if (!*header) break;
      if (!kept || (*header)->last_offset() >= kept->from.offset) rebuilt.producers.apply(**header, now);
      if (!is_active) continue;
      rebuilt.indexes.append(**header, walker.batch_position());
      if (rebuilt.active.first_timestamp < 0) rebuilt.active.first_timestamp = (*header)->max_timestamp;
    }
  }
  rebuilt.active.max_timestamp = rebuilt.indexes.max_timestamp().timestamp_ms;
  return rebuilt;
}

}  // namespace tidemark::storage
