#include "storage/compaction/group_cleaner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "protocol/invariant.h"
#include "storage/segment.h"

namespace tidemark::storage {
namespace {

constexpr size_t kWriteBytes = size_t{1} << 20;
// Synced in pieces: a whole segment at once would stall what else syncs on that disk.
constexpr uint64_t kSyncBytes = uint64_t{16} << 20;

Offset base_of(const std::vector<SourceSegment>& group) {
  REQUIRES(!group.empty());
  return group.front().base;
}

}  // namespace

std::string cleaned_path(const std::string& folder, Offset base, std::string_view suffix,
                         std::string_view mark) {
  return fmt::format("{}.{}{}", segment_path(folder, base, suffix), mark, kCleanedSuffix);
}

Result<void> remove_cleaned_leftovers(FileSystem& files, const std::string& folder) {
  TRY_ASSIGN(const auto entries, files.list(folder));
  for (const DirEntry& entry : entries)
    if (!entry.is_dir && entry.name.ends_with(kCleanedSuffix)) TRY(files.remove(folder + "/" + entry.name));
  return {};
}

GroupCleaner::GroupCleaner(FileSystem& files, std::string folder, std::string mark,
                           std::vector<SourceSegment> group, BatchCleaner& cleaner,
                           CleanedTransactions& transactions, IndexLimits limits)
    : files_(files),
      folder_(std::move(folder)),
      mark_(std::move(mark)),
      walk_(files, folder_, group),
      cleaner_(cleaner),
      transactions_(transactions),
      limits_(limits),
      indexes_(base_of(group), limits.index_interval_bytes) {
  segment_.base = segment_.next_offset = base_of(group);
}

Result<bool> GroupCleaner::step(uint64_t max_bytes) {
  REQUIRES(state_ == State::fresh || state_ == State::writing);
  auto done = advance(max_bytes);
  // A full disk has its space back at once. What it does not let us remove is a leftover.
  if (!done) (void)cancel();
  return done;
}

Result<bool> GroupCleaner::advance(uint64_t max_bytes) {
  if (state_ == State::fresh) TRY(begin());
  TRY(walk_.step(max_bytes, [this](const protocol::BatchView& batch) { return visit(batch); }));
  TRY(flush());
  if (!walk_.done()) return false;
  TRY(finish());
  return true;
}

Result<std::unique_ptr<File>> GroupCleaner::create(std::string_view suffix) {
  TRY_ASSIGN(auto file, files_.open(cleaned_path(folder_, segment_.base, suffix, mark_), OpenMode::create));
  TRY(file->truncate(0));  // of a leftover
  return file;
}

Result<void> GroupCleaner::begin() {
  state_ = State::writing;
  TRY_ASSIGN(log_, create(kLogSuffix));
  return {};
}

Result<bool> GroupCleaner::visit(const protocol::BatchView& batch) {
  const size_t before = unwritten_.size();
  TRY(cleaner_.clean(batch, unwritten_, segment_.stats));
  if (unwritten_.size() == before) return true;
  const auto kept = protocol::read_batch_header(std::span(unwritten_).subspan(before));
  if (segment_.bytes + kept.size_in_bytes() > INT32_MAX)
    return fail(ErrorCode::RECORD_LIST_TOO_LARGE,
                fmt::format("cleaned, the segment {} takes more than 2 GiB", segment_.base));
  // An index need not name every batch: a full one only makes reads walk further.
  if (indexes_.full(limits_.segment_index_bytes)) indexes_.set_interval(UINT32_MAX);
  indexes_.append(kept, segment_.bytes);
  if (segment_.bytes == 0) segment_.first_timestamp = kept.max_timestamp;
  segment_.bytes += kept.size_in_bytes();
  segment_.next_offset = kept.next_offset();
  if (unwritten_.size() >= kWriteBytes) TRY(flush());
  return true;
}

Result<void> GroupCleaner::flush() {
  if (unwritten_.empty()) return {};
  TRY(log_->write(segment_.bytes - unwritten_.size(), std::span<const std::byte>(unwritten_)));
  unsynced_bytes_ += unwritten_.size();
  unwritten_.clear();
  // A batch that was larger gives its memory back.
  if (unwritten_.capacity() > 4 * kWriteBytes) unwritten_ = {};
  if (unsynced_bytes_ < kSyncBytes) return {};
  unsynced_bytes_ = 0;
  return log_->sync_data();
}

Result<void> GroupCleaner::write_index(std::string_view suffix, const std::vector<std::byte>& entries) {
  TRY_ASSIGN(const auto file, create(suffix));
  if (!entries.empty()) TRY(file->write(0, std::span<const std::byte>(entries)));
  return file->sync_data();
}

Result<void> GroupCleaner::finish() {
  if (limits_.segment_index_bytes >= TimestampOffset::kBytes) indexes_.seal();
  TRY(log_->sync_data());
  log_.reset();
  TRY(write_index(kOffsetIndexSuffix, indexes_.offsets().unwritten_bytes()));
  TRY(write_index(kTimeIndexSuffix, indexes_.times().unwritten_bytes()));
  segment_.max_timestamp = indexes_.max_timestamp().timestamp_ms;
  segment_.aborted = transactions_.take_kept();
  state_ = State::done;
  return {};
}

Result<void> GroupCleaner::cancel() {
  state_ = State::over;
  log_.reset();
  unwritten_ = {};
  Result<void> removed;
  for (const std::string_view suffix : {kLogSuffix, kOffsetIndexSuffix, kTimeIndexSuffix}) {
    auto one = files_.remove(cleaned_path(folder_, segment_.base, suffix, mark_));
    if (!one && removed) removed = std::move(one);
  }
  return removed;
}

const CleanedSegment& GroupCleaner::segment() const {
  REQUIRES(state_ == State::done);
  return segment_;
}

}  // namespace tidemark::storage
