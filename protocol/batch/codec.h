// The four codecs of record batches, as streams: a payload is opened piece by piece through a small window,
// and written the same way, so that nobody holds a whole decompressed payload who does not want it. gzip,
// snappy (raw blocks and the xerial framing that Java writes; written as xerial), lz4 frames, zstd frames.
//
// A Decompressor or Compressor keeps its libraries' contexts for the next payload: own one per shard and per
// lane thread. Neither does I/O. Memory: a 64 KiB window, and what the codec itself needs: snappy 192 KiB,
// lz4 at most 8 MiB, zstd the frame's window (at most 128 MiB, a few MiB at ordinary levels; given back
// after).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "protocol/batch/header.h"
#include "protocol/error.h"

namespace tidemark::protocol {

// What one batch may open to, wherever nothing stricter is said: no honest producer comes near it, and
// opening that much takes a fraction of a second.
inline constexpr size_t kMaxDecompressedBytes = size_t{256} << 20;
inline constexpr size_t kDecompressWindowBytes = size_t{64} << 10;

// "none", "gzip", "snappy", "lz4", "zstd".
[[nodiscard]] std::string_view codec_name(CompressionType codec);
// UNSUPPORTED_COMPRESSION_TYPE: the bits 5 to 7.
Result<CompressionType> codec_of(const BatchHeader& header);

// The ranges of compression.gzip.level, compression.lz4.level and compression.zstd.level.
struct LevelRange {
  int lowest;
  int highest;
  int standard;  // what Kafka uses unless told; gzip's -1 lies outside the range and is valid too
};
// nullopt: the codec has no levels (none, snappy).
[[nodiscard]] std::optional<LevelRange> level_range(CompressionType codec);
[[nodiscard]] bool is_valid_level(CompressionType codec, int level);

// How many bytes `payload` can open to at most, without opening it: exact for snappy, from the count of
// blocks for lz4 and zstd, from deflate's best ratio for gzip. Reads a few bytes a block. Holds for damaged
// payloads too: no more is opened before the damage shows.
[[nodiscard]] uint64_t decompressed_bound(CompressionType codec, std::span<const std::byte> payload);
// The memory that a codec needs beyond our window to open `payload`.
[[nodiscard]] uint64_t decompression_memory(CompressionType codec, std::span<const std::byte> payload);

class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;

  // Begins a payload, which must outlive the reading; forgets any earlier one.
  void start(CompressionType codec, std::span<const std::byte> payload,
             size_t max_bytes = kMaxDecompressedBytes);
  // The next piece, valid until the next call; empty behind the last. At most kDecompressWindowBytes (and a
  // few; codec none: the payload itself in one piece). CORRUPT_MESSAGE: not what the codec writes, cut off, a
  // checksum that is wrong, bytes behind the end. MESSAGE_TOO_LARGE: more than `max_bytes`.
  Result<std::span<const std::byte>> next();
  // Lets go of the payload, and of memory that an unusual one took.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;

  // Begins a payload that is appended to `out` by the following calls. `level`: none for Kafka's standard.
  // `total_bytes`: what will be written, if that is known: zstd's frame then says so. REQUIRES: a valid
  // level.
  void start(CompressionType codec, std::optional<int> level, std::optional<uint64_t> total_bytes);
  void write(std::span<const std::byte> bytes, std::vector<std::byte>& out);
  // REQUIRES: `total_bytes` were written, if that was given.
  void finish(std::vector<std::byte>& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Whole payloads, for those who need them.
Result<std::vector<std::byte>> decompress(CompressionType codec, std::span<const std::byte> payload,
                                          Decompressor& decompressor,
                                          size_t max_bytes = kMaxDecompressedBytes);
std::vector<std::byte> compress(CompressionType codec, std::optional<int> level,
                                std::span<const std::byte> payload);

}  // namespace tidemark::protocol
