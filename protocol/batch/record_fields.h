// One record of format 2, taken apart where it lies. The one parser of records in memory: the produce check,
// the iterators and the fast path of compressed payloads all use it. Inline and without allocation, because
// every produced record passes through it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "protocol/batch/varint.h"

namespace tidemark::protocol {

// Length, attributes, timestamp delta, offset delta, key size, value size, header count: a byte each.
inline constexpr size_t kMinRecordBytes = 7;

struct RecordFields {
  int64_t timestamp_delta = 0;
  const std::byte* key = nullptr;
  const std::byte* value = nullptr;
  const std::byte* headers = nullptr;
  const std::byte* end = nullptr;
  int32_t offset_delta = 0;
  int32_t key_size = -1;    // below 0: null
  int32_t value_size = -1;  // below 0: null
  int32_t header_count = 0;
};

// Any size below 0 is null. False: the bytes end first.
inline bool skip_sized(const std::byte*& p, const std::byte* end, int32_t& size, const std::byte*& at) {
  if (!read_varint32(p, end, size)) return false;
  at = p;
  if (size <= 0) return true;
  if (size > end - p) return false;
  p += size;
  return true;
}

// Reads the record at `p`, its length first, and moves `p` behind it. nullptr, or what is wrong with it: a
// literal that completes "a record ...".
inline const char* read_record(const std::byte*& p, const std::byte* end, RecordFields& out) {
  int32_t body = 0;
  if (!read_varint32(p, end, body)) return "whose length is cut off";
  if (body < 0 || body > end - p) return "that is longer than its batch";
  const std::byte* stop = p + body;
  out.end = stop;
  if (p == stop) return "without attributes";
  ++p;  // attributes: no bit of them is in use
  if (!read_varint64(p, stop, out.timestamp_delta) || !read_varint32(p, stop, out.offset_delta))
    return "without timestamp and offset";
  if (!skip_sized(p, stop, out.key_size, out.key)) return "whose key is longer than itself";
  if (!skip_sized(p, stop, out.value_size, out.value)) return "whose value is longer than itself";
  if (!read_varint32(p, stop, out.header_count)) return "without a header count";
  if (out.header_count < 0 || out.header_count > stop - p) return "with an impossible number of headers";
  out.headers = p;
  for (int32_t i = 0; i < out.header_count; ++i) {
    int32_t size = 0;
    const std::byte* at = nullptr;
    if (!skip_sized(p, stop, size, at) || size < 0) return "with a header that has no key";
    if (!skip_sized(p, stop, size, at)) return "with a header that is longer than itself";
  }
  return p == stop ? nullptr : "that is longer than its fields";
}

}  // namespace tidemark::protocol
