#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#include "protocol/batch/codec.h"
#include "protocol/batch/snappy_stream.h"
#include "protocol/invariant.h"

namespace tidemark::protocol {
namespace {

// A zstd context that has grown beyond this is not kept for the next payload.
constexpr size_t kKeptContextBytes = size_t{16} << 20;

Unexpected corrupt(CompressionType codec, std::string_view what) {
  return fail(ErrorCode::CORRUPT_MESSAGE, fmt::format("{}: {}", codec_name(codec), what));
}

struct FreeLz4 {
  void operator()(LZ4F_dctx* context) const { LZ4F_freeDecompressionContext(context); }
};
struct FreeZstd {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};
struct FreeInflate {
  void operator()(z_stream* stream) const {
    inflateEnd(stream);
    delete stream;
  }
};

constexpr int kGzipOnly = 15 + 16;

std::unique_ptr<z_stream, FreeInflate> new_inflate() {
  auto raw = std::make_unique<z_stream>();
  INVARIANT(inflateInit2(raw.get(), kGzipOnly) == Z_OK, "no memory for inflate");
  return std::unique_ptr<z_stream, FreeInflate>(raw.release());
}
std::unique_ptr<LZ4F_dctx, FreeLz4> new_lz4() {
  LZ4F_dctx* raw = nullptr;
  INVARIANT(!LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION)), "no memory for lz4");
  return std::unique_ptr<LZ4F_dctx, FreeLz4>(raw);
}
std::unique_ptr<ZSTD_DCtx, FreeZstd> new_zstd() {
  ZSTD_DCtx* raw = ZSTD_createDCtx();
  INVARIANT(raw != nullptr, "no memory for zstd");
  return std::unique_ptr<ZSTD_DCtx, FreeZstd>(raw);
}

}  // namespace

struct Decompressor::State {
  CompressionType codec = CompressionType::none;
  std::span<const std::byte> in;
  uint64_t opened = 0;
  size_t max_bytes = 0;
  bool done = true;
  std::unique_ptr<std::byte[]> window;
  std::unique_ptr<z_stream, FreeInflate> gzip;
  std::unique_ptr<LZ4F_dctx, FreeLz4> lz4;
  std::unique_ptr<ZSTD_DCtx, FreeZstd> zstd;
  SnappyStream snappy;

  using Piece = Result<std::span<const std::byte>>;

  void start_codec();
  Result<void> begin_lz4();
  Piece next_none();
  Piece next_gzip();
  Piece next_lz4();
  Piece next_zstd();
  Piece next_piece();
  Piece filled(size_t bytes) const { return std::span<const std::byte>(window.get(), bytes); }
  bool fresh = false;  // lz4: the frame's header has not been read
};

void Decompressor::State::start_codec() {
  if (codec != CompressionType::none && codec != CompressionType::snappy && !window)
    window = std::make_unique_for_overwrite<std::byte[]>(kDecompressWindowBytes);
  switch (codec) {
    case CompressionType::none: return;
    case CompressionType::gzip:
      if (!gzip) gzip = new_inflate();
      inflateReset(gzip.get());
      return;
    case CompressionType::snappy: return snappy.start(in);
    case CompressionType::lz4:
      if (!lz4) lz4 = new_lz4();
      LZ4F_resetDecompressionContext(lz4.get());
      return;
    case CompressionType::zstd:
      if (!zstd) zstd = new_zstd();
      ZSTD_DCtx_reset(zstd.get(), ZSTD_reset_session_only);
      return;
  }
  INVARIANT(false, "no codec {}", static_cast<int>(codec));
}

Decompressor::State::Piece Decompressor::State::next_none() {
  done = true;
  return in;
}

Decompressor::State::Piece Decompressor::State::next_gzip() {
  gzip->next_out = reinterpret_cast<unsigned char*>(window.get());
  gzip->avail_out = kDecompressWindowBytes;
  while (gzip->avail_out != 0 && !done) {
    gzip->next_in = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(in.data()));  // only read
    gzip->avail_in = static_cast<unsigned>(in.size());
    const int rc = inflate(gzip.get(), Z_NO_FLUSH);
    in = in.last(gzip->avail_in);
    if (rc == Z_STREAM_END) {
      // RFC 1952: members may follow each other.
      done = in.empty();
      if (!done) inflateReset(gzip.get());
    } else if (rc == Z_BUF_ERROR && gzip->avail_out != 0) {
      return corrupt(codec, "cut off");
    } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
      return corrupt(codec, gzip->msg != nullptr ? gzip->msg : "no gzip stream");
    }
  }
  return filled(kDecompressWindowBytes - gzip->avail_out);
}

Result<void> Decompressor::State::begin_lz4() {
  LZ4F_frameInfo_t info{};
  size_t read = in.size();
  const size_t rc = LZ4F_getFrameInfo(lz4.get(), &info, in.data(), &read);
  if (LZ4F_isError(rc)) return corrupt(codec, LZ4F_getErrorName(rc));
  // What Kafka's own reader refuses would make the partition unreadable to Java's consumers.
  if (info.frameType != LZ4F_frame) return corrupt(codec, "a skippable frame");
  if (info.blockMode != LZ4F_blockIndependent) return corrupt(codec, "blocks that depend on each other");
  if (info.dictID != 0) return corrupt(codec, "a frame that needs a dictionary");
  in = in.subspan(read);
  return {};
}

Decompressor::State::Piece Decompressor::State::next_lz4() {
  if (fresh) TRY(begin_lz4());
  fresh = false;
  size_t filled_bytes = 0;
  while (filled_bytes < kDecompressWindowBytes) {
    size_t wrote = kDecompressWindowBytes - filled_bytes;
    size_t read = in.size();
    const size_t rc =
        LZ4F_decompress(lz4.get(), window.get() + filled_bytes, &wrote, in.data(), &read, nullptr);
    if (LZ4F_isError(rc)) return corrupt(codec, LZ4F_getErrorName(rc));
    in = in.subspan(read);
    filled_bytes += wrote;
    if (rc == 0) {
      if (!in.empty()) return corrupt(codec, "bytes behind the frame");
      done = true;
      break;
    }
    if (read == 0 && wrote == 0) return corrupt(codec, "cut off");
  }
  return filled(filled_bytes);
}

Decompressor::State::Piece Decompressor::State::next_zstd() {
  ZSTD_inBuffer source{in.data(), in.size(), 0};
  ZSTD_outBuffer target{window.get(), kDecompressWindowBytes, 0};
  while (target.pos < target.size && !done) {
    const size_t read = source.pos;
    const size_t wrote = target.pos;
    const size_t rc = ZSTD_decompressStream(zstd.get(), &target, &source);
    if (ZSTD_isError(rc)) return corrupt(codec, ZSTD_getErrorName(rc));
    // 0: a frame has ended and all of it was handed out. Frames may follow each other.
    if (rc == 0) {
      done = source.pos == source.size;
    } else if (source.pos == read && target.pos == wrote) {
      return corrupt(codec, "cut off");
    }
  }
  in = in.subspan(source.pos);
  return filled(target.pos);
}

Decompressor::State::Piece Decompressor::State::next_piece() {
  switch (codec) {
    case CompressionType::none: return next_none();
    case CompressionType::gzip: return next_gzip();
    case CompressionType::snappy: return snappy.next();
    case CompressionType::lz4: return next_lz4();
    case CompressionType::zstd: return next_zstd();
  }
  INVARIANT(false, "no codec {}", static_cast<int>(codec));
}

Decompressor::Decompressor() : state_(std::make_unique<State>()) {}
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

void Decompressor::start(CompressionType codec, std::span<const std::byte> payload, size_t max_bytes) {
  state_->codec = codec;
  state_->in = payload;
  state_->opened = 0;
  state_->max_bytes = max_bytes;
  state_->done = false;
  state_->fresh = true;
  state_->start_codec();
}

Result<std::span<const std::byte>> Decompressor::next() {
  State& s = *state_;
  if (s.done) return std::span<const std::byte>();
  auto piece = s.next_piece();
  if (!piece || piece->empty()) {
    s.done = true;
    return piece;
  }
  s.opened += piece->size();
  if (s.opened > s.max_bytes) {
    s.done = true;
    return fail(ErrorCode::MESSAGE_TOO_LARGE,
                fmt::format("{}: the payload opens to more than {} bytes", codec_name(s.codec), s.max_bytes));
  }
  return piece;
}

void Decompressor::finish() {
  State& s = *state_;
  s.done = true;
  s.in = {};
  if (s.zstd && ZSTD_sizeof_DCtx(s.zstd.get()) > kKeptContextBytes) s.zstd.reset();
}

Result<std::vector<std::byte>> decompress(CompressionType codec, std::span<const std::byte> payload,
                                          Decompressor& decompressor, size_t max_bytes) {
  std::vector<std::byte> out;
  decompressor.start(codec, payload, max_bytes);
  while (true) {
    auto piece = decompressor.next();
    if (!piece || piece->empty()) {
      decompressor.finish();
      if (!piece) return fail(std::move(piece).error());
      return out;
    }
    out.insert(out.end(), piece->begin(), piece->end());
  }
}

}  // namespace tidemark::protocol
