#include "protocol/batch/snappy_stream.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "protocol/batch/big_endian.h"
#include "protocol/batch/xerial.h"

namespace tidemark::protocol {
namespace {

// Elements overshoot a piece by less than this, and fast copies write up to 16 bytes behind their end.
constexpr size_t kSlack = 96;
constexpr size_t kWindow = kSnappyHistoryBytes + kSnappyPieceBytes + kSlack;
constexpr size_t kMaxCopy = 64;

Unexpected corrupt(const char* what) {
  return fail(ErrorCode::CORRUPT_MESSAGE, std::string("snappy: ") + what);
}

// A block starts with the size that it opens to: a varint of 32 bits.
bool read_preamble(const std::byte*& p, const std::byte* end, uint32_t& size) {
  size = 0;
  for (unsigned shift = 0; shift < 35 && p != end; shift += 7) {
    const auto byte = std::to_integer<uint32_t>(*p++);
    size |= (byte & 0x7F) << shift;
    if (byte < 0x80) return shift < 28 || byte <= 0x0F;
  }
  return false;
}

uint32_t little_endian(const std::byte* at, size_t bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value |= std::to_integer<uint32_t>(at[i]) << (8 * i);
  return value;
}

// Copies `length` (at most 64) bytes from `offset` back, which may overlap what is written.
void copy_back(std::byte* to, size_t offset, size_t length) {
  const std::byte* from = to - offset;
  if (offset >= 16) {
    for (size_t i = 0; i < length; i += 16) std::memcpy(to + i, from + i, 16);
    return;
  }
  for (size_t i = 0; i < length; ++i) to[i] = from[i];
}

// Takes the next block of a xerial stream off `rest`; concatenated streams repeat their header. nullopt: it
// is cut off.
std::optional<std::span<const std::byte>> take_xerial_block(std::span<const std::byte>& rest) {
  while (is_xerial(rest)) rest = rest.subspan(kXerialHeaderBytes);
  if (rest.empty()) return rest;
  if (rest.size() < 4) return std::nullopt;
  const auto size = load_big_endian<int32_t>(rest.data());
  if (size < 0 || static_cast<size_t>(size) > rest.size() - 4) return std::nullopt;
  const auto block = rest.subspan(4, static_cast<size_t>(size));
  rest = rest.subspan(4 + block.size());
  return block;
}

}  // namespace

void SnappyStream::start(std::span<const std::byte> payload) {
  if (!window_) window_ = std::make_unique_for_overwrite<std::byte[]>(kWindow);
  rest_ = payload;
  xerial_ = is_xerial(payload);
  in_block_ = false;
  end_ = 0;
}

Result<void> SnappyStream::begin_block() {
  std::span<const std::byte> block = rest_;
  if (xerial_) {
    const auto next = take_xerial_block(rest_);
    if (!next) return corrupt("a block is cut off");
    block = *next;
    if (block.empty()) return {};
  } else {
    rest_ = {};
  }
  in_ = block.data();
  in_end_ = in_ + block.size();
  uint32_t size = 0;
  if (!read_preamble(in_, in_end_, size)) return corrupt("a block without its size");
  block_left_ = size;
  block_written_ = 0;
  literal_left_ = 0;
  in_block_ = true;
  return {};
}

void SnappyStream::make_room() {
  const uint64_t reachable = in_block_ ? block_written_ : 0;
  const size_t keep = std::min({end_, kSnappyHistoryBytes, static_cast<size_t>(reachable)});
  if (end_ + kSnappyPieceBytes + kSlack <= kWindow) return;
  std::memmove(window_.get(), window_.get() + end_ - keep, keep);
  end_ = keep;
}

Result<std::span<const std::byte>> SnappyStream::next() {
  make_room();
  const size_t start = end_;
  const size_t stop = start + kSnappyPieceBytes;
  while (end_ < stop) {
    if (!in_block_) {
      if (rest_.empty()) break;
      TRY(begin_block());
      continue;
    }
    if (const char* wrong = decode_block(stop)) return corrupt(wrong);
    if (in_ == in_end_ && literal_left_ == 0) {
      if (block_left_ != 0) return corrupt("a block that opens to less than it says");
      in_block_ = false;
    }
  }
  return std::span<const std::byte>(window_.get() + start, end_ - start);
}

// Until the block or the piece ends. nullptr, or what is wrong.
const char* SnappyStream::decode_block(size_t stop) {
  const std::byte* in = in_;
  const std::byte* const in_end = in_end_;
  std::byte* out = window_.get() + end_;
  std::byte* const out_stop = window_.get() + stop;
  std::byte* const block_start = out - std::min(block_written_, static_cast<uint64_t>(end_));
  uint64_t left = block_left_;
  size_t literal = literal_left_;
  const char* wrong = nullptr;
  while (out < out_stop) {
    if (literal != 0) {
      const size_t now = std::min(literal, static_cast<size_t>(out_stop - out));
      if (now > static_cast<size_t>(in_end - in)) {
        wrong = "a literal is cut off";
        break;
      }
      std::memcpy(out, in, now);
      in += now, out += now, literal -= now, left -= now;
      continue;
    }
    if (in == in_end) break;
    const auto tag = std::to_integer<uint32_t>(*in++);
    const auto have = static_cast<size_t>(in_end - in);
    if ((tag & 3) == 0) {
      size_t length = (tag >> 2) + 1;
      if (length <= 16 && have >= 16 && left >= length) {
        std::memcpy(out, in, 16);
        in += length, out += length, left -= length;
        continue;
      }
      if (length > 60) {
        const size_t bytes = length - 60;
        if (have < bytes) {
          wrong = "a literal's length is cut off";
          break;
        }
        length = size_t{little_endian(in, bytes)} + 1;
        in += bytes;
      }
      if (length > left) {
        wrong = "a block that opens to more than it says";
        break;
      }
      literal = length;
      continue;
    }
    size_t length = (tag >> 2) + 1;
    size_t offset = 0;
    const size_t bytes = (tag & 3) == 3 ? 4 : (tag & 3);
    if (have < bytes) {
      wrong = "a copy is cut off";
      break;
    }
    if (bytes == 1) {
      length = ((tag >> 2) & 7) + 4;
      offset = ((tag >> 5) << 8) | std::to_integer<uint32_t>(*in);
    } else {
      offset = little_endian(in, bytes);
    }
    in += bytes;
    if (offset == 0 || offset > static_cast<size_t>(out - block_start) || offset > kSnappyHistoryBytes) {
      wrong = "a copy from before its block";
      break;
    }
    if (length > left) {
      wrong = "a block that opens to more than it says";
      break;
    }
    copy_back(out, offset, length);
    out += length, left -= length;
  }
  static_assert(kSlack >= kMaxCopy + 16);
  in_ = in;
  block_written_ += block_left_ - left;
  block_left_ = left;
  literal_left_ = literal;
  end_ = static_cast<size_t>(out - window_.get());
  return wrong;
}

uint64_t snappy_declared_bytes(std::span<const std::byte> payload) {
  uint64_t sum = 0;
  uint32_t size = 0;
  if (!is_xerial(payload)) {
    const std::byte* p = payload.data();
    return read_preamble(p, p + payload.size(), size) ? size : 0;
  }
  while (!payload.empty()) {
    const auto block = take_xerial_block(payload);
    if (!block) break;
    if (block->empty()) continue;  // as begin_block()
    const std::byte* p = block->data();
    if (!read_preamble(p, p + block->size(), size)) break;
    sum += size;
  }
  return sum;
}

}  // namespace tidemark::protocol
