#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>

#include "protocol/batch/big_endian.h"
#include "protocol/batch/codec.h"
#include "protocol/batch/xerial.h"
#include "protocol/invariant.h"

namespace tidemark::protocol {
namespace {

constexpr size_t kPieceBytes = size_t{64} << 10;
constexpr size_t kKeptContextBytes = size_t{16} << 20;
constexpr int kGzipFraming = 15 + 16;
constexpr int kDeflateMemory = 8;

struct FreeDeflate {
  void operator()(z_stream* stream) const {
    deflateEnd(stream);
    delete stream;
  }
};
struct FreeLz4 {
  void operator()(LZ4F_cctx* context) const { LZ4F_freeCompressionContext(context); }
};
struct FreeZstd {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

// As Kafka: the standard level is the fast compressor, every other one the thorough one, whose levels end at
// 12 here and whose lowest is 3.
int lz4_library_level(int level) {
  return level == 9 ? 0 : std::clamp(level, 3, LZ4F_compressionLevel_max());
}

void append(std::vector<std::byte>& out, const std::byte* bytes, size_t size) {
  out.insert(out.end(), bytes, bytes + size);
}

}  // namespace

struct Compressor::State {
  CompressionType codec = CompressionType::none;
  bool began = false;
  std::optional<uint64_t> total;
  std::vector<std::byte> window;
  std::vector<std::byte> block;  // snappy: input of the block that is being filled
  std::unique_ptr<z_stream, FreeDeflate> gzip;
  int gzip_level = 0;
  std::unique_ptr<LZ4F_cctx, FreeLz4> lz4;
  LZ4F_preferences_t lz4_preferences{};
  std::unique_ptr<ZSTD_CCtx, FreeZstd> zstd;

  void start_gzip(int level);
  void start_lz4(int level);
  void start_zstd(int level);
  void begin(std::vector<std::byte>& out);
  void write_gzip(std::span<const std::byte> bytes, int flush, std::vector<std::byte>& out);
  void write_snappy(std::span<const std::byte> bytes, std::vector<std::byte>& out);
  void write_snappy_block(std::vector<std::byte>& out);
  void write_lz4(std::span<const std::byte> bytes, std::vector<std::byte>& out);
  void finish_lz4(std::vector<std::byte>& out);
  void write_zstd(std::span<const std::byte> bytes, ZSTD_EndDirective end, std::vector<std::byte>& out);
};

void Compressor::State::start_gzip(int level) {
  if (gzip && gzip_level == level) {
    deflateReset(gzip.get());
    return;
  }
  auto fresh = std::make_unique<z_stream>();
  const int rc =
      deflateInit2(fresh.get(), level, Z_DEFLATED, kGzipFraming, kDeflateMemory, Z_DEFAULT_STRATEGY);
  INVARIANT(rc == Z_OK, "deflateInit2 at level {}: {}", level, rc);
  gzip.reset(fresh.release());
  gzip_level = level;
}

void Compressor::State::start_lz4(int level) {
  if (!lz4) {
    LZ4F_cctx* raw = nullptr;
    INVARIANT(!LZ4F_isError(LZ4F_createCompressionContext(&raw, LZ4F_VERSION)), "no memory for lz4");
    lz4.reset(raw);
  }
  // The frame that Kafka's own writer makes: independent blocks of 64 KiB, no checksums (the batch has one).
  lz4_preferences = {};
  lz4_preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  lz4_preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  lz4_preferences.compressionLevel = lz4_library_level(level);
}

void Compressor::State::start_zstd(int level) {
  if (!zstd) zstd.reset(ZSTD_createCCtx());
  INVARIANT(zstd != nullptr, "no memory for zstd");
  ZSTD_CCtx_reset(zstd.get(), ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(zstd.get(), ZSTD_c_compressionLevel, level);
  if (total) ZSTD_CCtx_setPledgedSrcSize(zstd.get(), *total);
}

// What stands before the first byte of input.
void Compressor::State::begin(std::vector<std::byte>& out) {
  if (began) return;
  began = true;
  if (codec == CompressionType::snappy) {
    std::byte header[kXerialHeaderBytes];
    std::memcpy(header, kXerialMagic.data(), kXerialMagic.size());
    store_big_endian<int32_t>(header + 8, 1);   // version
    store_big_endian<int32_t>(header + 12, 1);  // the lowest that can read it
    append(out, header, sizeof header);
  } else if (codec == CompressionType::lz4) {
    const size_t size = LZ4F_compressBegin(lz4.get(), window.data(), window.size(), &lz4_preferences);
    INVARIANT(!LZ4F_isError(size), "lz4: {}", LZ4F_getErrorName(size));
    append(out, window.data(), size);
  }
}

void Compressor::State::write_gzip(std::span<const std::byte> bytes, int flush, std::vector<std::byte>& out) {
  gzip->next_in = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data()));  // only read
  gzip->avail_in = static_cast<unsigned>(bytes.size());
  int rc = Z_OK;
  do {
    gzip->next_out = reinterpret_cast<unsigned char*>(window.data());
    gzip->avail_out = static_cast<unsigned>(window.size());
    rc = deflate(gzip.get(), flush);
    INVARIANT(rc != Z_STREAM_ERROR, "deflate: {}", rc);
    append(out, window.data(), window.size() - gzip->avail_out);
  } while (flush == Z_FINISH ? rc != Z_STREAM_END : gzip->avail_out == 0);
}

void Compressor::State::write_snappy_block(std::vector<std::byte>& out) {
  size_t size = 0;
  snappy::RawCompress(reinterpret_cast<const char*>(block.data()), block.size(),
                      reinterpret_cast<char*>(window.data()), &size);
  std::byte length[4];
  store_big_endian<int32_t>(length, static_cast<int32_t>(size));
  append(out, length, sizeof length);
  append(out, window.data(), size);
  block.clear();
}

void Compressor::State::write_snappy(std::span<const std::byte> bytes, std::vector<std::byte>& out) {
  while (!bytes.empty()) {
    const size_t now = std::min(bytes.size(), kXerialBlockBytes - block.size());
    append(block, bytes.data(), now);
    bytes = bytes.subspan(now);
    if (block.size() == kXerialBlockBytes) write_snappy_block(out);
  }
}

void Compressor::State::write_lz4(std::span<const std::byte> bytes, std::vector<std::byte>& out) {
  while (!bytes.empty()) {
    const auto now = bytes.first(std::min(bytes.size(), kPieceBytes));
    const size_t size =
        LZ4F_compressUpdate(lz4.get(), window.data(), window.size(), now.data(), now.size(), nullptr);
    INVARIANT(!LZ4F_isError(size), "lz4: {}", LZ4F_getErrorName(size));
    append(out, window.data(), size);
    bytes = bytes.subspan(now.size());
  }
}

void Compressor::State::finish_lz4(std::vector<std::byte>& out) {
  const size_t size = LZ4F_compressEnd(lz4.get(), window.data(), window.size(), nullptr);
  INVARIANT(!LZ4F_isError(size), "lz4: {}", LZ4F_getErrorName(size));
  append(out, window.data(), size);
}

void Compressor::State::write_zstd(std::span<const std::byte> bytes, ZSTD_EndDirective end,
                                   std::vector<std::byte>& out) {
  ZSTD_inBuffer source{bytes.data(), bytes.size(), 0};
  size_t left = 0;
  do {
    ZSTD_outBuffer target{window.data(), window.size(), 0};
    left = ZSTD_compressStream2(zstd.get(), &target, &source, end);
    INVARIANT(!ZSTD_isError(left), "zstd: {}", ZSTD_getErrorName(left));
    append(out, window.data(), target.pos);
  } while (end == ZSTD_e_end ? left != 0 : source.pos < source.size);
}

Compressor::Compressor() : state_(std::make_unique<State>()) {}
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;

void Compressor::start(CompressionType codec, std::optional<int> level, std::optional<uint64_t> total_bytes) {
  REQUIRES(!level || !level_range(codec) || is_valid_level(codec, *level));
  State& s = *state_;
  s.codec = codec;
  s.began = false;
  s.total = total_bytes;
  s.block.clear();
  const auto range = level_range(codec);
  const int chosen = level.value_or(range ? range->standard : 0);
  LZ4F_preferences_t worst{};
  worst.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  const size_t window = std::max(LZ4F_compressBound(kPieceBytes, &worst) + LZ4F_HEADER_SIZE_MAX,
                                 snappy::MaxCompressedLength(kXerialBlockBytes));
  if (codec != CompressionType::none) s.window.resize(window);
  switch (codec) {
    case CompressionType::none:
    case CompressionType::snappy: return;
    case CompressionType::gzip: return s.start_gzip(chosen);
    case CompressionType::lz4: return s.start_lz4(chosen);
    case CompressionType::zstd: return s.start_zstd(chosen);
  }
  INVARIANT(false, "no codec {}", static_cast<int>(codec));
}

void Compressor::write(std::span<const std::byte> bytes, std::vector<std::byte>& out) {
  State& s = *state_;
  s.begin(out);
  switch (s.codec) {
    case CompressionType::none: return append(out, bytes.data(), bytes.size());
    case CompressionType::gzip: return s.write_gzip(bytes, Z_NO_FLUSH, out);
    case CompressionType::snappy: return s.write_snappy(bytes, out);
    case CompressionType::lz4: return s.write_lz4(bytes, out);
    case CompressionType::zstd: return s.write_zstd(bytes, ZSTD_e_continue, out);
  }
}

void Compressor::finish(std::vector<std::byte>& out) {
  State& s = *state_;
  s.begin(out);
  switch (s.codec) {
    case CompressionType::none: return;
    case CompressionType::gzip: return s.write_gzip({}, Z_FINISH, out);
    case CompressionType::snappy:
      if (!s.block.empty()) s.write_snappy_block(out);
      return;
    case CompressionType::lz4: return s.finish_lz4(out);
    case CompressionType::zstd:
      s.write_zstd({}, ZSTD_e_end, out);
      if (ZSTD_sizeof_CCtx(s.zstd.get()) > kKeptContextBytes) s.zstd.reset();
      return;
  }
}

std::vector<std::byte> compress(CompressionType codec, std::optional<int> level,
                                std::span<const std::byte> payload) {
  Compressor compressor;
  std::vector<std::byte> out;
  compressor.start(codec, level, payload.size());
  compressor.write(payload, out);
  compressor.finish(out);
  return out;
}

}  // namespace tidemark::protocol
