#include "protocol/batch/recompress.h"

#include <fmt/format.h>

#include "protocol/invariant.h"

namespace tidemark::protocol {
namespace {

Result<void> transcode(std::span<const std::byte> payload, CompressionType source, size_t max_batch_bytes,
                       Decompressor& decompressor, Compressor& compressor, std::vector<std::byte>& out) {
  decompressor.start(source, payload);
  while (true) {
    TRY_ASSIGN(const auto piece, decompressor.next());
    if (piece.empty()) break;
    compressor.write(piece, out);
    if (out.size() > max_batch_bytes) break;
  }
  if (out.size() <= max_batch_bytes) compressor.finish(out);
  if (out.size() <= max_batch_bytes) return {};
  return fail(ErrorCode::MESSAGE_TOO_LARGE,
              fmt::format("recompressed, the batch is larger than {} bytes", max_batch_bytes));
}

}  // namespace

Result<std::vector<std::byte>> recompress(std::span<const std::byte> batch, CompressionType target,
                                          std::optional<int> level, size_t max_batch_bytes,
                                          Decompressor& decompressor, Compressor& compressor,
                                          std::optional<uint64_t> payload_bytes) {
  REQUIRES(batch.size() >= kBatchHeaderBytes);
  BatchHeader header = read_batch_header(batch);
  REQUIRES(header.size_in_bytes() == batch.size());
  TRY_ASSIGN(const CompressionType source, codec_of(header));
  std::vector<std::byte> out(kBatchHeaderBytes);
  compressor.start(target, level, payload_bytes);
  const auto done = transcode(batch.subspan(kBatchHeaderBytes), source,
                              std::min<size_t>(max_batch_bytes, INT32_MAX), decompressor, compressor, out);
  decompressor.finish();
  TRY(done);
  header.attributes =
      static_cast<int16_t>((header.attributes & ~kBatchCodecBits) | static_cast<int16_t>(target));
  header.batch_length = static_cast<int32_t>(out.size() - kBatchLengthOverhead);
  write_batch_header(out, header);
  return out;
}

}  // namespace tidemark::protocol
