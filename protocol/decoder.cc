#include "protocol/decoder.h"

#include <algorithm>
#include <bit>

namespace tidemark::protocol {

bool UnknownTags::sort() {
  auto by_tag = [](const UnknownTag& a, const UnknownTag& b) { return a.tag < b.tag; };
  if (!std::is_sorted(tags_->begin(), tags_->end(), by_tag)) std::sort(tags_->begin(), tags_->end(), by_tag);
  auto same_tag = [](const UnknownTag& a, const UnknownTag& b) { return a.tag == b.tag; };
  return std::adjacent_find(tags_->begin(), tags_->end(), same_tag) == tags_->end();
}

Decoder::Decoder(std::span<const std::byte> frame, size_t max_memory)
    : begin_(frame.data()),
      cursor_(frame.data()),
      end_(frame.data() + frame.size()),
      budget_(frame.size() < max_memory / kMemoryPerFrameByte ? frame.size() * kMemoryPerFrameByte
                                                              : max_memory),
      budget_left_(budget_) {}

void Decoder::fail(const char* what) {
  if (failed()) return;
  failure_ = what;
  failed_at_ = position();
  cursor_ = end_;
}

void Decoder::charge(size_t bytes) {
  if (bytes > budget_left_) return fail("more elements than its memory budget allows");
  budget_left_ -= bytes;
}

Result<void> Decoder::finish(std::string_view what) const {
  if (!failed()) return {};
  return tidemark::fail(ErrorCode::INVALID_REQUEST,
                        fmt::format("{}: {} (at byte {} of {})", what, failure_, failed_at_, end_ - begin_));
}

double Decoder::read_float64() { return std::bit_cast<double>(read_int64()); }

Uuid Decoder::read_uuid() {
  Uuid id;
  const auto bytes = read_raw(id.bytes.size());
  if (!failed()) std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
  return id;
}

uint32_t Decoder::read_uvarint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    if (cursor_ == end_) {
      fail("the end of the frame inside a varint");
      return 0;
    }
    const auto byte = std::to_integer<uint8_t>(*cursor_++);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) {
      if (value > UINT32_MAX) break;
      return static_cast<uint32_t>(value);
    }
  }
  fail("a varint of more than 32 bits");
  return 0;
}

int64_t Decoder::read_length(bool flexible, bool short_length) {
  const int64_t length = flexible       ? int64_t{read_uvarint()} - 1
                         : short_length ? int64_t{read_int16()}
                                        : int64_t{read_int32()};
  if (failed()) return 0;
  if (length < -1) {
    fail("a negative length");
    return 0;
  }
  if (length > static_cast<int64_t>(remaining())) {
    fail("a length beyond the end of the frame");
    return 0;
  }
  return length;
}

std::span<const std::byte> Decoder::read_raw(size_t size) {
  if (size > remaining()) {
    fail("the end of the frame inside a value");
    return {};
  }
  const std::span<const std::byte> bytes(cursor_, size);
  cursor_ += size;
  return bytes;
}

std::optional<std::string_view> Decoder::read_nullable_string(bool flexible, bool may_be_null) {
  const int64_t length = read_length(flexible, true);
  if (length < 0) {
    if (!may_be_null) fail("null where a string must be");
    return std::nullopt;
  }
  if (static_cast<size_t>(length) > kMaxStringBytes) fail("a string of more than 32767 bytes");
  const auto bytes = read_raw(failed() ? 0 : static_cast<size_t>(length));
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::string_view Decoder::read_string(bool flexible) {
  return read_nullable_string(flexible, false).value_or(std::string_view());
}

std::optional<std::span<const std::byte>> Decoder::read_nullable_bytes(bool flexible, bool may_be_null) {
  const int64_t length = read_length(flexible, false);
  if (length < 0) {
    if (!may_be_null) fail("null where bytes must be");
    return std::nullopt;
  }
  return read_raw(static_cast<size_t>(length));
}

std::span<const std::byte> Decoder::read_bytes(bool flexible) {
  return read_nullable_bytes(flexible, false).value_or(std::span<const std::byte>());
}

Records Decoder::read_records(bool flexible, bool may_be_null) {
  const auto bytes = read_nullable_bytes(flexible, may_be_null);
  return bytes ? Records(*bytes) : Records();
}

std::optional<size_t> Decoder::read_count(bool flexible, bool may_be_null, size_t min_wire_bytes,
                                          size_t element_bytes) {
  const int64_t count = flexible ? int64_t{read_uvarint()} - 1 : int64_t{read_int32()};
  if (failed()) return std::nullopt;
  if (count == -1) {
    if (!may_be_null) fail("null where an array must be");
    return std::nullopt;
  }
  if (count < 0) {
    fail("a negative count");
    return std::nullopt;
  }
  const auto elements = static_cast<size_t>(count);
  if (elements > remaining() / min_wire_bytes) {
    fail("a count of elements that the rest of the frame cannot hold");
  } else if (elements > kMaxArrayElements) {
    fail("an array of more than a million elements");
  } else {
    charge(elements * element_bytes);
  }
  if (failed()) return std::nullopt;
  return elements;
}

size_t Decoder::read_tag_count() {
  const size_t count = read_uvarint();
  if (count > kMaxTaggedFields) {
    fail("more than ten thousand tagged fields");
    return 0;
  }
  if (count > remaining() / 2) {
    fail("a count of tagged fields that the rest of the frame cannot hold");
    return 0;
  }
  return count;
}

void Decoder::add_unknown(UnknownTags& unknown, uint32_t tag, size_t size) {
  // Twice its size: the vector of them grows by doubling.
  charge(2 * sizeof(UnknownTag));
  const auto value = read_raw(failed() ? 0 : size);
  if (!failed()) unknown.add({tag, value});
}

}  // namespace tidemark::protocol
