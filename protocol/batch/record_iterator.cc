#include "protocol/batch/record_iterator.h"

#include <fmt/format.h>

#include "protocol/invariant.h"

namespace tidemark::protocol {
namespace {

NullableBytes nullable(const std::byte* at, int32_t size) {
  if (size < 0) return std::nullopt;
  return std::span(at, static_cast<size_t>(size));
}

}  // namespace

void RecordHeaders::Iterator::read() {
  if (left_ == 0) return;
  int32_t size = 0;
  const std::byte* bytes = nullptr;
  INVARIANT(skip_sized(at_, end_, size, bytes) && size >= 0, "a header key of size {}", size);
  header_.key = {reinterpret_cast<const char*>(bytes), static_cast<size_t>(size)};
  INVARIANT(skip_sized(at_, end_, size, bytes), "a header value of size {}", size);
  header_.value = nullable(bytes, size);
}

Result<std::optional<RecordView>> RecordIterator::next() {
  if (read_ == header_.record_count) {
    if (at_ == end_) return std::optional<RecordView>();
    return fail(ErrorCode::CORRUPT_MESSAGE,
                fmt::format("{} bytes behind the last record of the batch at offset {}", end_ - at_,
                            header_.base_offset));
  }
  RecordFields fields;
  const std::byte* start = at_;
  if (const char* wrong = read_record(at_, end_, fields)) {
    return fail(ErrorCode::CORRUPT_MESSAGE, fmt::format("record {} of the batch at offset {}: a record {}",
                                                        read_, header_.base_offset, wrong));
  }
  ++read_;
  RecordView record;
  record.offset = Offset(wrapping_add(header_.base_offset.value, fields.offset_delta));
  record.create_timestamp = wrapping_add(header_.base_timestamp, fields.timestamp_delta);
  record.timestamp = header_.timestamp_type() == TimestampType::log_append_time ? header_.max_timestamp
                                                                                : record.create_timestamp;
  record.offset_delta = fields.offset_delta;
  record.key = nullable(fields.key, fields.key_size);
  record.value = nullable(fields.value, fields.value_size);
  record.headers = RecordHeaders(std::span(fields.headers, fields.end), fields.header_count);
  record.bytes = std::span(start, at_);
  return std::optional(record);
}

}  // namespace tidemark::protocol
