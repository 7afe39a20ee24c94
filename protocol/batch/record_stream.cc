#include "protocol/batch/record_stream.h"

#include <fmt/format.h>

#include <algorithm>

namespace tidemark::protocol {

bool RecordStream::fail_record(const char* wrong) {
  if (!error_) error_ = Error(ErrorCode::CORRUPT_MESSAGE, fmt::format("a record {}", wrong));
  return false;
}

// The next window, once this one is used up. False: the payload has ended, or cannot be opened.
bool RecordStream::fill() {
  if (error_) return false;
  before_window_ += static_cast<uint64_t>(at_ - begin_);
  begin_ = at_ = end_ = nullptr;
  auto piece = decompressor_.next();
  if (!piece) {
    error_ = std::move(piece).error();
    return false;
  }
  begin_ = at_ = piece->data();
  end_ = begin_ + piece->size();
  return !piece->empty();
}

bool RecordStream::at_end() { return at_ == end_ && !fill() && !error_; }

bool RecordStream::next(RecordShape& out) {
  const std::byte* p = at_;
  int32_t body = 0;
  if (read_varint32(p, end_, body) && body >= 0 && body <= end_ - p) {
    RecordFields fields;
    if (const char* wrong = read_record(at_, end_, fields)) return fail_record(wrong);
    out.timestamp_delta = fields.timestamp_delta;
    out.offset_delta = fields.offset_delta;
    out.has_key = fields.key_size >= 0;
    return true;
  }
  return next_across_windows(out);
}

bool RecordStream::take_byte(uint8_t& out) {
  if (at_ == end_ && !fill()) return fail_record("that is cut off");
  out = std::to_integer<uint8_t>(*at_++);
  --body_left_;
  return true;
}

bool RecordStream::take_varint64(int64_t& out) {
  std::byte bytes[10];
  size_t size = 0;
  uint8_t byte = 0x80;
  while ((byte & 0x80) != 0) {
    if (size == sizeof bytes) return fail_record("with a number that is too long");
    if (!take_byte(byte)) return false;
    bytes[size++] = std::byte{byte};
  }
  const std::byte* p = bytes;
  return read_varint64(p, bytes + size, out) || fail_record("with a number that is too long");
}

bool RecordStream::take_varint32(int32_t& out) {
  std::byte bytes[5];
  size_t size = 0;
  uint8_t byte = 0x80;
  while ((byte & 0x80) != 0) {
    if (size == sizeof bytes) return fail_record("with a number that is too long");
    if (!take_byte(byte)) return false;
    bytes[size++] = std::byte{byte};
  }
  const std::byte* p = bytes;
  return read_varint32(p, bytes + size, out) || fail_record("with a number that is too long");
}

bool RecordStream::skip(uint64_t bytes) {
  body_left_ -= static_cast<int64_t>(bytes);
  while (bytes > 0) {
    if (at_ == end_ && !fill()) return fail_record("that is cut off");
    const auto now = std::min(bytes, static_cast<uint64_t>(end_ - at_));
    at_ += now;
    bytes -= now;
  }
  return true;
}

bool RecordStream::skip_sized_field(int32_t& size) {
  if (!take_varint32(size)) return false;
  if (size > body_left_) return fail_record("with a field that is longer than itself");
  return size <= 0 || skip(static_cast<uint64_t>(size));
}

bool RecordStream::skip_headers() {
  int32_t count = 0;
  if (!take_varint32(count)) return false;
  if (count < 0 || count > body_left_) return fail_record("with an impossible number of headers");
  for (int32_t i = 0; i < count; ++i) {
    int32_t size = 0;
    if (!skip_sized_field(size)) return false;
    if (size < 0) return fail_record("with a header that has no key");
    if (!skip_sized_field(size)) return false;
    if (body_left_ < 0) return fail_record("that is longer than its length");
  }
  return true;
}

bool RecordStream::next_across_windows(RecordShape& out) {
  int32_t body = 0;
  if (!take_varint32(body)) return false;
  if (body <= 0) return fail_record("without attributes");
  body_left_ = body;
  uint8_t attributes = 0;
  int32_t key_size = 0;
  int32_t value_size = 0;
  if (!take_byte(attributes) || !take_varint64(out.timestamp_delta) || !take_varint32(out.offset_delta) ||
      !skip_sized_field(key_size) || !skip_sized_field(value_size) || !skip_headers())
    return false;
  out.has_key = key_size >= 0;
  return body_left_ == 0 || fail_record("whose length is not that of its fields");
}

}  // namespace tidemark::protocol
