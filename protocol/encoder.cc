#include "protocol/encoder.h"

#include <bit>
#include <cstring>

namespace tidemark::protocol {
namespace {

constexpr size_t kMaxStringLength = 32'767;
constexpr size_t kMaxLength = INT32_MAX;

}  // namespace

void Sizer::put_length(size_t length, bool flexible, size_t fixed_bytes) {
  buffer_ += flexible ? uvarint_size(static_cast<uint32_t>(length + 1)) : fixed_bytes;
}

void Sizer::put_nullable_string(std::optional<std::string_view> value, bool flexible, bool may_be_null,
                                const char* field) {
  if (!value && !may_be_null) refuse(field, "is null, which this version cannot carry");
  const size_t length = value ? value->size() : 0;
  if (length > kMaxStringLength) refuse(field, "is longer than 32767 bytes");
  put_length(length, flexible, 2);
  buffer_ += length;
}

void Sizer::put_string(std::string_view value, bool flexible, const char* field) {
  put_nullable_string(value, flexible, false, field);
}

void Sizer::put_nullable_bytes(std::optional<std::span<const std::byte>> value, bool flexible,
                               bool may_be_null, const char* field) {
  if (!value && !may_be_null) refuse(field, "is null, which this version cannot carry");
  const size_t length = value ? value->size() : 0;
  if (length > kMaxLength) refuse(field, "is longer than 2 GiB");
  put_length(length, flexible, 4);
  buffer_ += length;
}

void Sizer::put_bytes(std::span<const std::byte> value, bool flexible, const char* field) {
  put_nullable_bytes(value, flexible, false, field);
}

void Sizer::put_records(const Records& value, bool flexible, bool may_be_null, const char* field) {
  if (value.is_null() && !may_be_null) refuse(field, "is null, which this version cannot carry");
  if (value.size() > kMaxLength) refuse(field, "is longer than 2 GiB");
  put_length(value.size(), flexible, 4);
  records_ += value.size();
}

void Sizer::put_count(size_t count, bool flexible, const char* field) {
  if (count > kMaxLength) refuse(field, "has more than 2^31-1 elements");
  put_length(count, flexible, 4);
}

void Sizer::put_null_array(bool flexible, bool may_be_null, const char* field) {
  if (!may_be_null) refuse(field, "is null, which this version cannot carry");
  buffer_ += flexible ? 1 : 4;
}

size_t Sizer::put_unknown_tags(const UnknownTags& tags, size_t first, uint32_t limit) {
  const auto all = tags.all();
  for (; first < all.size() && (all[first].tag < limit || limit == UINT32_MAX); ++first) {
    const size_t size = all[first].value.size();
    put_uvarint(all[first].tag);
    put_uvarint(static_cast<uint32_t>(size));
    buffer_ += size;
  }
  return first;
}

Result<void> Sizer::check(std::string_view message, int16_t version) const {
  if (wire_bytes() > kMaxLength) {
    return fail(ErrorCode::UNSUPPORTED_VERSION, fmt::format("{} is larger than 2 GiB", message));
  }
  if (unencodable_ == nullptr) return {};
  return fail(ErrorCode::UNSUPPORTED_VERSION,
              fmt::format("{} version {}: {} {}", message, version, unencodable_, cause_));
}

std::vector<std::byte> Encoder::take_buffer() {
  INVARIANT(written() == buffer_.size(), "{} bytes encoded, {} counted", written(), buffer_.size());
  return std::move(buffer_);
}

void Encoder::put(double value) { put(std::bit_cast<int64_t>(value)); }

void Encoder::put_uvarint(uint32_t value) {
  std::byte* out = advance(uvarint_size(value));
  for (; value >= 0x80; value >>= 7) *out++ = static_cast<std::byte>(value | 0x80);
  *out = static_cast<std::byte>(value);
}

void Encoder::put_raw(std::span<const std::byte> bytes) {
  if (!bytes.empty()) std::memcpy(advance(bytes.size()), bytes.data(), bytes.size());
}

void Encoder::put_length(size_t length, bool flexible, size_t fixed_bytes) {
  if (flexible) return put_uvarint(static_cast<uint32_t>(length + 1));
  if (fixed_bytes == 2) return put(static_cast<int16_t>(length));
  put(static_cast<int32_t>(length));
}

void Encoder::put_null(bool flexible, size_t fixed_bytes) {
  if (flexible) return put_uvarint(0);
  if (fixed_bytes == 2) return put(int16_t{-1});
  put(int32_t{-1});
}

void Encoder::put_string(std::string_view value, bool flexible, const char*) {
  put_length(value.size(), flexible, 2);
  put_raw(std::as_bytes(std::span(value)));
}

void Encoder::put_nullable_string(std::optional<std::string_view> value, bool flexible, bool, const char*) {
  if (!value) return put_null(flexible, 2);
  put_string(*value, flexible);
}

void Encoder::put_bytes(std::span<const std::byte> value, bool flexible, const char*) {
  put_length(value.size(), flexible, 4);
  put_raw(value);
}

void Encoder::put_nullable_bytes(std::optional<std::span<const std::byte>> value, bool flexible, bool,
                                 const char*) {
  if (!value) return put_null(flexible, 4);
  put_bytes(*value, flexible);
}

void Encoder::put_records(const Records& value, bool flexible, bool, const char*) {
  const size_t ordinal = records_fields_++;
  if (value.is_null()) return put_null(flexible, 4);
  put_length(value.size(), flexible, 4);
  if (value.size() == 0) return;
  holes_.push_back({.position = written(),
                    .size = value.size(),
                    .ordinal = ordinal,
                    .bytes = value.is_deferred() ? std::span<const std::byte>() : value.bytes()});
}

size_t Encoder::put_unknown_tags(const UnknownTags& tags, size_t first, uint32_t limit) {
  const auto all = tags.all();
  for (; first < all.size() && (all[first].tag < limit || limit == UINT32_MAX); ++first) {
    put_uvarint(all[first].tag);
    put_uvarint(static_cast<uint32_t>(all[first].value.size()));
    put_raw(all[first].value);
  }
  return first;
}

}  // namespace tidemark::protocol
