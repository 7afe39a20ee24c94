// The value of a `records` field: null, a view of bytes that somebody else owns, or (for encoding only) a
// deferred size: a range of a log whose bytes the sender supplies itself. Neither decoding nor encoding
// copies record bytes.
#pragma once

#include <cstddef>
#include <span>

#include "protocol/invariant.h"

namespace tidemark::protocol {

class Records {
 public:
  Records() = default;  // null
  Records(std::span<const std::byte> bytes) : bytes_(bytes), size_(bytes.size()), state_(State::view) {}
  // The sender puts `size` bytes in the place that Encoder::holes() names.
  static Records deferred(size_t size) {
    Records records;
    records.size_ = size;
    records.state_ = State::deferred;
    return records;
  }
  static Records empty() { return Records(std::span<const std::byte>()); }

  [[nodiscard]] bool is_null() const { return state_ == State::null; }
  [[nodiscard]] bool is_deferred() const { return state_ == State::deferred; }
  [[nodiscard]] size_t size() const { return size_; }
  // REQUIRES: !is_deferred(). Empty for null.
  [[nodiscard]] std::span<const std::byte> bytes() const {
    REQUIRES(!is_deferred());
    return bytes_;
  }

 private:
  enum class State : uint8_t { null, view, deferred };
  std::span<const std::byte> bytes_;
  size_t size_ = 0;
  State state_ = State::null;
};

}  // namespace tidemark::protocol
