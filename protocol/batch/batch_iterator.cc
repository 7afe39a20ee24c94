#include "protocol/batch/batch_iterator.h"

#include <fmt/format.h>

namespace tidemark::protocol {

Result<std::optional<BatchView>> BatchIterator::next() {
  if (rest_.size() < kBatchHeaderBytes) return std::optional<BatchView>();
  TRY_ASSIGN(const BatchHeader header, parse_batch_header(rest_));
  const size_t size = header.size_in_bytes();
  if (size > rest_.size()) return std::optional<BatchView>();
  const BatchView view{header, rest_.first(size)};
  rest_ = rest_.subspan(size);
  whole_ += size;
  return std::optional(view);
}

Result<OpenBatch> OpenBatch::open(const BatchView& batch, size_t max_bytes) {
  Decompressor decompressor;
  return open(batch, decompressor, max_bytes);
}

Result<OpenBatch> OpenBatch::open(const BatchView& batch, Decompressor& decompressor, size_t max_bytes) {
  OpenBatch open;
  open.header_ = batch.header;
  if (batch.header.codec_bits() == 0) {
    open.payload_ = batch.payload();
    return open;
  }
  TRY_ASSIGN(const CompressionType codec, codec_of(batch.header));
  TRY_ASSIGN(open.owned_, decompress(codec, batch.payload(), decompressor, max_bytes));
  open.payload_ = open.owned_;
  return open;
}

}  // namespace tidemark::protocol
