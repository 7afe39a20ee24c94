#include "protocol/batch/codec.h"

#include <fmt/format.h>
#define ZSTD_STATIC_LINKING_ONLY  // ZSTD_getFrameHeader, ZSTD_decompressBound: exported, but young
#include <zstd.h>

#include <algorithm>

#include "protocol/batch/snappy_stream.h"

namespace tidemark::protocol {
namespace {

// RFC 1951: a match of 258 bytes takes two bits at least.
constexpr uint64_t kDeflateBestRatio = 1032;
constexpr uint64_t kMostBytes = UINT64_MAX;

uint32_t little_endian32(const std::byte* at) {
  uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

constexpr size_t kLz4SmallestHeader = 7;

// The largest block that a frame's header allows, from its BD byte.
uint64_t lz4_block_bytes(std::span<const std::byte> payload) {
  if (payload.size() < kLz4SmallestHeader) return 0;
  const auto code = (std::to_integer<unsigned>(payload[5]) >> 4) & 7;
  return code >= 4 ? uint64_t{1} << (2 * code + 8) : 0;
}

uint64_t lz4_bound(std::span<const std::byte> payload) {
  const uint64_t block = lz4_block_bytes(payload);
  if (block == 0) return 0;
  const auto flags = std::to_integer<unsigned>(payload[4]);
  const size_t checksum = (flags & 0x10) != 0 ? 4 : 0;
  size_t at = kLz4SmallestHeader + ((flags & 0x08) != 0 ? 8 : 0);
  uint64_t blocks = 0;
  while (payload.size() - std::min(at, payload.size()) >= 4) {
    const uint32_t size = little_endian32(payload.data() + at) & 0x7FFFFFFF;
    if (size == 0) break;
    ++blocks;
    at += 4 + size + checksum;
  }
  return blocks * block;
}

uint64_t zstd_window(std::span<const std::byte> payload) {
  uint64_t window = 0;
  while (!payload.empty()) {
    ZSTD_frameHeader header;
    if (ZSTD_getFrameHeader(&header, payload.data(), payload.size()) != 0) break;
    if (header.frameType != ZSTD_skippableFrame) {
      uint64_t needed = header.windowSize;
      if (header.frameContentSize != ZSTD_CONTENTSIZE_UNKNOWN)
        needed = std::min<uint64_t>(needed, header.frameContentSize);
      window = std::max(window, needed);
    }
    const size_t frame = ZSTD_findFrameCompressedSize(payload.data(), payload.size());
    if (ZSTD_isError(frame)) break;
    payload = payload.subspan(frame);
  }
  return window;
}

}  // namespace

std::string_view codec_name(CompressionType codec) {
  switch (codec) {
    case CompressionType::none: return "none";
    case CompressionType::gzip: return "gzip";
    case CompressionType::snappy: return "snappy";
    case CompressionType::lz4: return "lz4";
    case CompressionType::zstd: return "zstd";
  }
  return "unknown";
}

Result<CompressionType> codec_of(const BatchHeader& header) {
  if (header.codec_bits() > static_cast<uint8_t>(CompressionType::zstd))
    return fail(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
                fmt::format("there is no compression codec {}", header.codec_bits()));
  return header.codec();
}

std::optional<LevelRange> level_range(CompressionType codec) {
  switch (codec) {
    case CompressionType::gzip: return LevelRange{1, 9, -1};
    case CompressionType::lz4: return LevelRange{1, 17, 9};
    case CompressionType::zstd: return LevelRange{-131072, 22, 3};
    case CompressionType::none:
    case CompressionType::snappy: break;
  }
  return std::nullopt;
}

bool is_valid_level(CompressionType codec, int level) {
  const auto range = level_range(codec);
  return range && ((level >= range->lowest && level <= range->highest) || level == range->standard);
}

uint64_t decompressed_bound(CompressionType codec, std::span<const std::byte> payload) {
  switch (codec) {
    case CompressionType::none: return payload.size();
    case CompressionType::gzip: return payload.size() * kDeflateBestRatio;
    case CompressionType::snappy: return snappy_declared_bytes(payload);
    case CompressionType::lz4: return lz4_bound(payload);
    case CompressionType::zstd: {
      const unsigned long long bound = ZSTD_decompressBound(payload.data(), payload.size());
      return bound == ZSTD_CONTENTSIZE_ERROR ? kMostBytes : bound;
    }
  }
  return kMostBytes;
}

uint64_t decompression_memory(CompressionType codec, std::span<const std::byte> payload) {
  constexpr uint64_t kInflate = uint64_t{48} << 10;
  constexpr uint64_t kSnappy = uint64_t{192} << 10;
  constexpr uint64_t kZstd = uint64_t{256} << 10;
  switch (codec) {
    case CompressionType::none: return 0;
    case CompressionType::gzip: return kInflate;
    case CompressionType::snappy: return kSnappy;
    case CompressionType::lz4: return 2 * lz4_block_bytes(payload);
    case CompressionType::zstd: return kZstd + zstd_window(payload);
  }
  return kMostBytes;
}

}  // namespace tidemark::protocol
