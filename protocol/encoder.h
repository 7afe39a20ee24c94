// Writes messages by Kafka's primitive types. A message's generated write() runs twice over the same code:
// with a Sizer, which counts the bytes and finds what the version cannot carry, then with an Encoder over one
// buffer of that size. Record bytes are never copied: the encoder writes their length and remembers a hole.
// Both live for one message on the loop that answers; neither does I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "protocol/error.h"
#include "protocol/ids.h"
#include "protocol/records.h"
#include "protocol/unknown_tags.h"

namespace tidemark::protocol {

// A place in the encoded buffer where record bytes belong.
struct RecordsHole {
  size_t position = 0;  // in the buffer: the bytes go before buffer[position]
  size_t size = 0;      // > 0
  size_t ordinal = 0;   // counts the message's `records` fields in wire order, null and empty ones too
  std::span<const std::byte> bytes;  // empty where the sender supplies them (Records::deferred)
};

constexpr size_t uvarint_size(uint32_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

// Counts. A value that the version or the protocol cannot carry is remembered; the first one is the error.
class Sizer {
 public:
  void put(int8_t) { buffer_ += 1; }
  void put(int16_t) { buffer_ += 2; }
  void put(int32_t) { buffer_ += 4; }
  void put(int64_t) { buffer_ += 8; }
  void put(uint16_t) { buffer_ += 2; }
  void put(uint32_t) { buffer_ += 4; }
  void put(double) { buffer_ += 8; }
  void put(bool) { buffer_ += 1; }
  void put(const Uuid&) { buffer_ += 16; }
  void put_uvarint(uint32_t value) { buffer_ += uvarint_size(value); }
  void put_string(std::string_view value, bool flexible, const char* field);
  void put_nullable_string(std::optional<std::string_view> value, bool flexible, bool may_be_null,
                           const char* field);
  void put_bytes(std::span<const std::byte> value, bool flexible, const char* field);
  void put_nullable_bytes(std::optional<std::span<const std::byte>> value, bool flexible, bool may_be_null,
                          const char* field);
  void put_records(const Records& value, bool flexible, bool may_be_null, const char* field);
  void put_count(size_t count, bool flexible, const char* field);
  void put_null_array(bool flexible, bool may_be_null, const char* field);

  template <class Write>
  void put_tag(uint32_t tag, Write&& write) {
    Sizer value;
    write(value);
    put_uvarint(tag);
    put_uvarint(static_cast<uint32_t>(value.buffer_));
    buffer_ += value.buffer_;
    if (value.unencodable_ != nullptr) refuse(value.unencodable_, value.cause_);
  }
  // Those of `tags` from `first` on that are below `limit`; returns the index of the next one.
  size_t put_unknown_tags(const UnknownTags& tags, size_t first, uint32_t limit);

  // A field that the version lacks and that must not be dropped in silence holds a value.
  void require_default(bool is_default, const char* field) {
    if (!is_default) refuse(field, "holds a value that this version cannot carry");
  }

  // The whole message's size, record bytes included.
  [[nodiscard]] size_t wire_bytes() const { return buffer_ + records_; }
  // What the encoder's buffer must hold: all but the record bytes.
  [[nodiscard]] size_t buffer_bytes() const { return buffer_; }
  // UNSUPPORTED_VERSION, naming message and field, if the value cannot be encoded in this version.
  [[nodiscard]] Result<void> check(std::string_view message, int16_t version) const;

 private:
  void put_length(size_t length, bool flexible, size_t fixed_bytes);
  void refuse(const char* field, const char* cause) {
    if (unencodable_ == nullptr) unencodable_ = field, cause_ = cause;
  }

  size_t buffer_ = 0;
  size_t records_ = 0;
  const char* unencodable_ = nullptr;
  const char* cause_ = nullptr;
};

// Writes. REQUIRES: what is written was measured by a Sizer, and its check() passed.
class Encoder {
 public:
  // `buffer_bytes`: the sum of Sizer::buffer_bytes() of all that will be written.
  explicit Encoder(size_t buffer_bytes) : buffer_(buffer_bytes), cursor_(buffer_.data()) {}

  void put(int8_t value) { put_integer(static_cast<uint8_t>(value)); }
  void put(int16_t value) { put_integer(static_cast<uint16_t>(value)); }
  void put(int32_t value) { put_integer(static_cast<uint32_t>(value)); }
  void put(int64_t value) { put_integer(static_cast<uint64_t>(value)); }
  void put(uint16_t value) { put_integer(value); }
  void put(uint32_t value) { put_integer(value); }
  void put(double value);
  void put(bool value) { put_integer(static_cast<uint8_t>(value)); }
  void put(const Uuid& value) { put_raw(value.bytes); }
  void put_uvarint(uint32_t value);
  void put_string(std::string_view value, bool flexible, const char* = nullptr);
  void put_nullable_string(std::optional<std::string_view> value, bool flexible, bool = true,
                           const char* = nullptr);
  void put_bytes(std::span<const std::byte> value, bool flexible, const char* = nullptr);
  void put_nullable_bytes(std::optional<std::span<const std::byte>> value, bool flexible, bool = true,
                          const char* = nullptr);
  void put_records(const Records& value, bool flexible, bool, const char* = nullptr);
  void put_count(size_t count, bool flexible, const char* = nullptr) { put_length(count, flexible, 4); }
  void put_null_array(bool flexible, bool = true, const char* = nullptr) { put_null(flexible, 4); }
  void put_raw(std::span<const std::byte> bytes);

  template <class Write>
  void put_tag(uint32_t tag, Write&& write) {
    Sizer value;
    write(value);
    put_uvarint(tag);
    put_uvarint(static_cast<uint32_t>(value.buffer_bytes()));
    write(*this);
  }
  size_t put_unknown_tags(const UnknownTags& tags, size_t first, uint32_t limit);
  void require_default(bool, const char*) {}

  [[nodiscard]] size_t written() const { return static_cast<size_t>(cursor_ - buffer_.data()); }
  [[nodiscard]] const std::vector<RecordsHole>& holes() const { return holes_; }
  // The buffer and the holes. REQUIRES: the buffer is full.
  std::vector<std::byte> take_buffer();
  std::vector<RecordsHole> take_holes() { return std::move(holes_); }

 private:
  std::byte* advance(size_t size);
  template <class T>
  void put_integer(T value) {
    if constexpr (sizeof(T) == 2) value = __builtin_bswap16(value);
    if constexpr (sizeof(T) == 4) value = __builtin_bswap32(value);
    if constexpr (sizeof(T) == 8) value = __builtin_bswap64(value);
    std::memcpy(advance(sizeof(T)), &value, sizeof(T));
  }
  void put_length(size_t length, bool flexible, size_t fixed_bytes);
  void put_null(bool flexible, size_t fixed_bytes);

  std::vector<std::byte> buffer_;
  std::byte* cursor_;
  std::vector<RecordsHole> holes_;
  size_t records_fields_ = 0;
};

inline std::byte* Encoder::advance(size_t size) {
  INVARIANT(size <= buffer_.size() - written(), "encoding {} bytes at {} of {}: the sizer counted wrong",
            size, written(), buffer_.size());
  std::byte* at = cursor_;
  cursor_ += size;
  return at;
}

template <class Out, class T>
void write_element(Out& out, bool, T value, const char*) {
  out.put(value);
}
template <class Out>
void write_element(Out& out, bool flexible, std::string_view value, const char* field) {
  out.put_string(value, flexible, field);
}
template <class Out>
void write_element(Out& out, bool flexible, std::span<const std::byte> value, const char* field) {
  out.put_bytes(value, flexible, field);
}

template <class Out, class T>
void write_array(Out& out, const std::vector<T>& values, bool flexible, const char* field) {
  out.put_count(values.size(), flexible, field);
  for (const T& value : values) write_element(out, flexible, value, field);
}
template <class Out, class T>
void write_nullable_array(Out& out, const std::optional<std::vector<T>>& values, bool flexible,
                          bool may_be_null, const char* field) {
  if (!values) return out.put_null_array(flexible, may_be_null, field);
  write_array(out, *values, flexible, field);
}
template <class Out, class T>
void write_structs(Out& out, const std::vector<T>& values, bool flexible, int16_t version,
                   const char* field) {
  out.put_count(values.size(), flexible, field);
  for (const T& value : values) value.write(out, version);
}
template <class Out, class T>
void write_nullable_structs(Out& out, const std::optional<std::vector<T>>& values, bool flexible,
                            int16_t version, bool may_be_null, const char* field) {
  if (!values) return out.put_null_array(flexible, may_be_null, field);
  write_structs(out, *values, flexible, version, field);
}
template <class Out, class T>
void write_nullable_struct(Out& out, const std::optional<T>& value, int16_t version) {
  out.put(static_cast<int8_t>(value ? 1 : -1));
  if (value) value->write(out, version);
}
template <class Out, class T>
void write_tagged_nullable_struct(Out& out, const std::optional<T>& value, int16_t version) {
  out.put_uvarint(value ? 1 : 0);
  if (value) value->write(out, version);
}
template <class Out>
void write_unknown_tags(Out& out, const UnknownTags& tags) {
  out.put_uvarint(static_cast<uint32_t>(tags.size()));
  if (!tags.empty()) out.put_unknown_tags(tags, 0, UINT32_MAX);
}

}  // namespace tidemark::protocol
