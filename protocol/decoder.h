// Reads one frame (or one stored record) by Kafka's primitive types. The first mistake of the sender makes
// the decoder fail for good: every later read returns a default, and finish() returns the error. Strings,
// bytes and records are views into the frame. Used on whichever loop owns the frame; never throws on bad
// input, never allocates for a count that the frame cannot hold, and never lets a message take more memory
// than its budget.
//
// The budget: decoded arrays may take kMemoryPerFrameByte times the frame, and never more than `max_memory`.
// Every array element takes at least one byte on the wire, and generated code proves with a static_assert
// that no element type is larger than kMemoryPerFrameByte times its smallest encoding: so the budget refuses
// only frames whose counts lie, until `max_memory` is reached.
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

inline constexpr size_t kMemoryPerFrameByte = 64;
inline constexpr size_t kMaxDecodedBytes = size_t{256} << 20;
// As Kafka 4.4: more than this is not a message, it is an attack.
inline constexpr size_t kMaxArrayElements = 1'000'000;
inline constexpr size_t kMaxTaggedFields = 10'000;
inline constexpr size_t kMaxStringBytes = 32'767;

class Decoder {
 public:
  explicit Decoder(std::span<const std::byte> frame, size_t max_memory = kMaxDecodedBytes);

  int8_t read_int8() { return read_integer<int8_t>(); }
  int16_t read_int16() { return read_integer<int16_t>(); }
  int32_t read_int32() { return read_integer<int32_t>(); }
  int64_t read_int64() { return read_integer<int64_t>(); }
  uint16_t read_uint16() { return read_integer<uint16_t>(); }
  uint32_t read_uint32() { return read_integer<uint32_t>(); }
  double read_float64();
  bool read_bool() { return read_int8() != 0; }
  Uuid read_uuid();
  // At most five bytes, at most 32 bits.
  uint32_t read_uvarint();

  // `flexible`: lengths are unsigned varints plus one (compact), as flexible versions have them.
  std::string_view read_string(bool flexible);
  std::optional<std::string_view> read_nullable_string(bool flexible, bool may_be_null = true);
  std::span<const std::byte> read_bytes(bool flexible);
  std::optional<std::span<const std::byte>> read_nullable_bytes(bool flexible, bool may_be_null = true);
  Records read_records(bool flexible, bool may_be_null);
  // Any `size` bytes.
  std::span<const std::byte> read_raw(size_t size);

  // The count of an array, checked against what is left (`min_wire_bytes` an element) and charged
  // `element_bytes` each to the memory budget. nullopt: null (a failure unless may_be_null).
  std::optional<size_t> read_count(bool flexible, bool may_be_null, size_t min_wire_bytes,
                                   size_t element_bytes);

  // The tagged fields at the end of a struct. `known(tag)` reads the value of a tag that it knows, or returns
  // false. Tags may come in any order (Kafka takes them so); a known one that comes twice overwrites.
  template <class Known>
  void read_tags(UnknownTags& unknown, Known&& known) {
    for (size_t left = read_tag_count(); left > 0 && !failed(); --left) {
      const uint32_t tag = read_uvarint();
      const size_t size = read_uvarint();
      if (size > remaining()) return fail("a tagged field that is longer than the frame");
      const std::byte* end = cursor_ + size;
      if (!known(tag)) {
        add_unknown(unknown, tag, size);
      } else if (cursor_ != end) {
        fail("a tagged field whose size is not that of its value");
      }
    }
    if (!unknown.empty() && !unknown.sort()) fail("an unknown tagged field that comes twice");
  }
  void read_tags(UnknownTags& unknown) {
    read_tags(unknown, [](uint32_t) { return false; });
  }

  [[nodiscard]] bool failed() const { return failure_ != nullptr; }
  // `what`: a string literal; a noun phrase that says what the frame holds.
  void fail(const char* what);
  [[nodiscard]] size_t remaining() const { return static_cast<size_t>(end_ - cursor_); }
  [[nodiscard]] size_t position() const { return static_cast<size_t>(cursor_ - begin_); }
  [[nodiscard]] std::span<const std::byte> rest() const { return {cursor_, remaining()}; }
  [[nodiscard]] size_t memory_charged() const { return budget_ - budget_left_; }
  void charge(size_t bytes);
  // The error, if there was one: INVALID_REQUEST with the place and the cause; `what` names the message.
  [[nodiscard]] Result<void> finish(std::string_view what) const;

 private:
  template <class T>
  T read_integer() {
    if (remaining() < sizeof(T)) {
      fail("the end of the frame inside a number");
      return 0;
    }
    std::make_unsigned_t<T> value = 0;
    std::memcpy(&value, cursor_, sizeof(T));
    cursor_ += sizeof(T);
    if constexpr (sizeof(T) == 2) value = __builtin_bswap16(value);
    if constexpr (sizeof(T) == 4) value = __builtin_bswap32(value);
    if constexpr (sizeof(T) == 8) value = __builtin_bswap64(value);
    return static_cast<T>(value);
  }
  // A length prefix: -1 is null. Never more than what is left.
  int64_t read_length(bool flexible, bool short_length);
  size_t read_tag_count();
  void add_unknown(UnknownTags& unknown, uint32_t tag, size_t size);

  const std::byte* begin_;
  const std::byte* cursor_;
  const std::byte* end_;
  size_t budget_;
  size_t budget_left_;
  const char* failure_ = nullptr;
  size_t failed_at_ = 0;
};

// One array element that is not a struct.
inline void read_element(Decoder& in, bool, int8_t& out) { out = in.read_int8(); }
inline void read_element(Decoder& in, bool, int16_t& out) { out = in.read_int16(); }
inline void read_element(Decoder& in, bool, int32_t& out) { out = in.read_int32(); }
inline void read_element(Decoder& in, bool, int64_t& out) { out = in.read_int64(); }
inline void read_element(Decoder& in, bool, uint16_t& out) { out = in.read_uint16(); }
inline void read_element(Decoder& in, bool, uint32_t& out) { out = in.read_uint32(); }
inline void read_element(Decoder& in, bool, double& out) { out = in.read_float64(); }
inline void read_element(Decoder& in, bool, Uuid& out) { out = in.read_uuid(); }
inline void read_element(Decoder& in, bool flexible, std::string_view& out) {
  out = in.read_string(flexible);
}
inline void read_element(Decoder& in, bool flexible, std::span<const std::byte>& out) {
  out = in.read_bytes(flexible);
}

template <class T>
constexpr size_t min_wire_bytes(bool flexible) {
  if constexpr (std::is_same_v<T, std::string_view>) return flexible ? 1 : 2;
  if constexpr (std::is_same_v<T, std::span<const std::byte>>) return flexible ? 1 : 4;
  return sizeof(T);
}

template <class T>
void read_elements(Decoder& in, std::vector<T>& out, size_t count, bool flexible) {
  out.reserve(count);
  for (size_t i = 0; i < count && !in.failed(); ++i) read_element(in, flexible, out.emplace_back());
}
template <class T>
void read_array(Decoder& in, std::vector<T>& out, bool flexible) {
  out.clear();
  const auto count = in.read_count(flexible, false, min_wire_bytes<T>(flexible), sizeof(T));
  read_elements(in, out, count.value_or(0), flexible);
}
template <class T>
void read_nullable_array(Decoder& in, std::optional<std::vector<T>>& out, bool flexible, bool may_be_null) {
  const auto count = in.read_count(flexible, may_be_null, min_wire_bytes<T>(flexible), sizeof(T));
  out.reset();
  if (count) read_elements(in, out.emplace(), *count, flexible);
}

template <class T>
void read_struct_elements(Decoder& in, std::vector<T>& out, size_t count, int16_t version) {
  out.reserve(count);
  for (size_t i = 0; i < count && !in.failed(); ++i) out.emplace_back().read(in, version);
}
template <class T>
void read_structs(Decoder& in, std::vector<T>& out, bool flexible, int16_t version) {
  out.clear();
  const auto count = in.read_count(flexible, false, T::kMinWireBytes, sizeof(T));
  read_struct_elements(in, out, count.value_or(0), version);
}
template <class T>
void read_nullable_structs(Decoder& in, std::optional<std::vector<T>>& out, bool flexible, int16_t version,
                           bool may_be_null) {
  const auto count = in.read_count(flexible, may_be_null, T::kMinWireBytes, sizeof(T));
  out.reset();
  if (count) read_struct_elements(in, out.emplace(), *count, version);
}
// A struct that may be null stands behind one byte: -1 for null, and among the tagged fields behind a varint:
// 0 for null.
template <class T>
void read_nullable_struct(Decoder& in, std::optional<T>& out, int16_t version) {
  out.reset();
  if (in.read_int8() >= 0 && !in.failed()) out.emplace().read(in, version);
}
template <class T>
void read_tagged_nullable_struct(Decoder& in, std::optional<T>& out, int16_t version) {
  out.reset();
  if (in.read_uvarint() != 0 && !in.failed()) out.emplace().read(in, version);
}

}  // namespace tidemark::protocol
