#include "storage/format/segment_scan.h"

#include <fmt/format.h>

#include <vector>

#include "protocol/batch/crc32c.h"
#include "protocol/invariant.h"

namespace tidemark::storage {
namespace {

using protocol::BatchHeader;

// The part of the file that is in memory.
class Window {
 public:
  Window(File& file, uint64_t end, size_t bytes) : file_(file), end_(end), bytes_(bytes) {}

  // [position, position + count), all of it. REQUIRES: within the file's end. Reads ahead to a whole window.
  Result<std::span<const std::byte>> get(uint64_t position, size_t count) {
    if (position < from_ || position + count > from_ + held_) {
      const uint64_t want = std::min<uint64_t>(end_ - position, std::max(count, bytes_));
      if (buffer_.size() < want) buffer_.resize(want);
      from_ = position;
      held_ = 0;
      TRY_ASSIGN(held_, file_.read(position, std::span(buffer_).first(want)));
      if (held_ < count)
        return fail(Error::io(fmt::format("the segment ends at {} while it is read", position + held_)));
    }
    return std::span<const std::byte>(buffer_).subspan(position - from_, count);
  }
  // A batch that is larger than the window was read whole: give its memory back.
  void shrink() {
    if (buffer_.size() <= bytes_) return;
    buffer_ = {};
    held_ = 0;
  }
  [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
  File& file_;
  uint64_t end_;
  size_t bytes_;
  uint64_t from_ = 0;
  size_t held_ = 0;
  std::vector<std::byte> buffer_;
};

// One window at a time, so that a large batch takes no more memory than a small one.
Result<bool> crc_holds(Window& window, uint64_t position, const BatchHeader& header) {
  if (header.size_in_bytes() <= window.bytes()) {
    TRY_ASSIGN(const auto batch, window.get(position, header.size_in_bytes()));
    return protocol::batch_crc_holds(batch);
  }
  uint32_t crc = protocol::crc32c({});
  const uint64_t end = position + header.size_in_bytes();
  for (uint64_t at = position + protocol::kBatchAttributesAt; at < end;) {
    const size_t count = std::min<uint64_t>(end - at, window.bytes());
    TRY_ASSIGN(const auto bytes, window.get(at, count));
    crc = protocol::crc32c_extend(crc, bytes);
    at += count;
  }
  return crc == header.crc;
}

// Why `header` cannot be the next batch; empty: it can.
std::string objection(const BatchHeader& h, const ScanOptions& options, const ScanResult& so_far) {
  if (h.base_offset < Offset(0) || h.base_offset.value > INT64_MAX - h.last_offset_delta - 1)
    return fmt::format("has the base offset {}", h.base_offset);
  if (so_far.next_offset && !may_follow(h.base_offset, *so_far.next_offset, options.gaps_below))
    return fmt::format("starts at offset {} instead of {}", h.base_offset, *so_far.next_offset);
  if (h.leader_epoch < so_far.last_epoch)
    return fmt::format("has leader epoch {}, below {}", h.leader_epoch, so_far.last_epoch);
  const int64_t most = int64_t{h.last_offset_delta} + 1;
  if (h.record_count < 0 || h.record_count > most ||
      (h.record_count != most && h.next_offset() > options.gaps_below))
    return fmt::format("has {} records for {} offsets", h.record_count, most);
  return {};
}

}  // namespace

Result<ScanResult> scan_segment(File& file, const ScanOptions& options, const ScanVisitor& visit) {
  REQUIRES(options.window_bytes >= 4096);
  TRY_ASSIGN(const uint64_t size, file.size());
  const uint64_t end = options.to ? std::min(*options.to, size) : size;
  Window window(file, end, options.window_bytes);
  ScanResult result;
  result.position = options.from;
  result.next_offset = options.first_offset;
  result.last_epoch = options.min_epoch;
  auto stop = [&](ScanEnd why, std::string_view words) {
    result.end = why;
    result.reason = fmt::format("the batch at position {} {}", result.position, words);
    return result;
  };
  if (options.from > end) return stop(ScanEnd::torn, fmt::format("lies behind the end, {}", end));
  while (result.position < end) {
    const uint64_t left = end - result.position;
    if (left < protocol::kBatchHeaderBytes)
      return stop(ScanEnd::torn, fmt::format("has only {} bytes", left));
    TRY_ASSIGN(const auto head, window.get(result.position, protocol::kBatchHeaderBytes));
    auto header = protocol::parse_batch_header(head);
    if (!header) return stop(ScanEnd::corrupt, fmt::format("cannot be read: {}", header.error().message()));
    if (const std::string why = objection(*header, options, result); !why.empty())
      return stop(ScanEnd::corrupt, why);
    if (header->size_in_bytes() > left)
      return stop(ScanEnd::torn, fmt::format("has {} of {} bytes", left, header->size_in_bytes()));
    if (options.check_crc) {
      TRY_ASSIGN(const bool holds, crc_holds(window, result.position, *header));
      if (!holds) return stop(ScanEnd::corrupt, "has a wrong checksum");
    }
    ScannedBatch batch{*header, result.position, {}};
    if (options.whole_batches) {
      TRY_ASSIGN(batch.bytes, window.get(result.position, header->size_in_bytes()));
    }
    const bool more = visit(batch);
    result.position += header->size_in_bytes();
    result.next_offset = header->next_offset();
    result.last_epoch = header->leader_epoch;
    window.shrink();
    if (!more && result.position < end) {
      result.end = ScanEnd::stopped;
      return result;
    }
  }
  return result;
}

}  // namespace tidemark::storage
