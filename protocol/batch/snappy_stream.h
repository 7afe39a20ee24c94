// Reads snappy as record batches carry it, through a window: raw blocks (librdkafka) and the xerial framing
// (Java: a 16-byte header, then blocks with a length each). A decoder of ours, because snappy's own wants the
// whole output in memory, and a raw block may open to twenty times the batch.
//
// It takes copies from at most 64 KiB back. Snappy's format allows more, but encoders compress pieces of 64
// KiB on their own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "protocol/error.h"

namespace tidemark::protocol {

inline constexpr size_t kSnappyHistoryBytes = size_t{64} << 10;
inline constexpr size_t kSnappyPieceBytes = size_t{64} << 10;

class SnappyStream {
 public:
  void start(std::span<const std::byte> payload);
  // The next piece, valid until the next call; empty behind the last. CORRUPT_MESSAGE.
  Result<std::span<const std::byte>> next();

 private:
  Result<void> begin_block();
  const char* decode_block(size_t stop);
  void make_room();

  std::unique_ptr<std::byte[]> window_;
  std::span<const std::byte> rest_;  // behind the current block
  const std::byte* in_ = nullptr;    // the current block
  const std::byte* in_end_ = nullptr;
  size_t end_ = 0;              // in the window
  uint64_t block_left_ = 0;     // bytes that the block has yet to open to
  uint64_t block_written_ = 0;  // bytes that it has opened to: how far back copies may reach
  size_t literal_left_ = 0;     // bytes of a literal that the last piece had no room for
  bool xerial_ = false;
  bool in_block_ = false;
};

// The blocks' declared sizes summed up: what the stream opens to, or fails.
[[nodiscard]] uint64_t snappy_declared_bytes(std::span<const std::byte> payload);

}  // namespace tidemark::protocol
