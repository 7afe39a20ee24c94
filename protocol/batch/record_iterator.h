// Walks the records of one batch's uncompressed payload: views into it, no copies, no allocation. For
// payloads in memory; the produce check streams compressed ones instead (record_stream.h). Lives shorter than
// the bytes.
#pragma once

#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include "protocol/batch/header.h"
#include "protocol/batch/record_fields.h"

namespace tidemark::protocol {

using NullableBytes = std::optional<std::span<const std::byte>>;

struct RecordHeader {
  std::string_view key;  // as sent: not checked to be UTF-8
  NullableBytes value;
};

// The headers of a record in their order, read as they are walked. The record's parse has checked them.
class RecordHeaders {
 public:
  class Iterator {
   public:
    using value_type = RecordHeader;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    Iterator(std::span<const std::byte> bytes, int32_t left)
        : at_(bytes.data()), end_(at_ + bytes.size()), left_(left) {
      read();
    }
    const RecordHeader& operator*() const { return header_; }
    const RecordHeader* operator->() const { return &header_; }
    Iterator& operator++() {
      --left_;
      read();
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(std::default_sentinel_t) const { return left_ == 0; }

   private:
    void read();
    const std::byte* at_ = nullptr;
    const std::byte* end_ = nullptr;
    int32_t left_ = 0;
    RecordHeader header_;
  };

  RecordHeaders() = default;
  RecordHeaders(std::span<const std::byte> bytes, int32_t count) : bytes_(bytes), count_(count) {}
  [[nodiscard]] Iterator begin() const { return {bytes_, count_}; }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }
  [[nodiscard]] size_t size() const { return static_cast<size_t>(count_); }
  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  std::span<const std::byte> bytes_;
  int32_t count_ = 0;
};

struct RecordView {
  Offset offset;
  int64_t timestamp = -1;         // what a consumer sees: the batch's in LogAppendTime, else the record's own
  int64_t create_timestamp = -1;  // the record's own, also in LogAppendTime
  int32_t offset_delta = 0;
  NullableBytes key;
  NullableBytes value;
  RecordHeaders headers;
  std::span<const std::byte> bytes;  // the whole record with its length
};

class RecordIterator {
 public:
  // REQUIRES: `payload` is what follows the header, decompressed.
  RecordIterator(const BatchHeader& header, std::span<const std::byte> payload)
      : header_(header), at_(payload.data()), end_(payload.data() + payload.size()) {}

  // The next record; nullopt behind the last. CORRUPT_MESSAGE: a record that cannot be read, fewer or more
  // bytes than the header's count of records takes.
  Result<std::optional<RecordView>> next();

 private:
  BatchHeader header_;
  const std::byte* at_;
  const std::byte* end_;
  int32_t read_ = 0;
};

// Sums that wrap as Kafka's (two's complement), for numbers that come from outside.
constexpr int64_t wrapping_add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
constexpr int64_t wrapping_subtract(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

}  // namespace tidemark::protocol
