#include "storage/compaction/stored_batch.h"

#include <fmt/format.h>

#include <utility>

namespace tidemark::storage {

Unexpected stored_batch_error(const protocol::BatchHeader& header, const Error& error) {
  std::string message = fmt::format("the batch at offset {}: {}", header.base_offset, error.message());
  if (error.code() == ErrorCode::CORRUPT_MESSAGE) return fail(Error::corruption(std::move(message)));
  return fail(Error(error.kind(), error.code(), std::move(message)));
}

StoredBatch::StoredBatch(const protocol::BatchHeader& header, protocol::OpenBatch open)
    : header_(header), open_(std::move(open)), records_(open_.records()) {}

Result<StoredBatch> StoredBatch::open(const protocol::BatchView& batch, protocol::Decompressor& decompressor,
                                      size_t max_bytes) {
  auto open = protocol::OpenBatch::open(batch, decompressor, max_bytes);
  if (!open) return stored_batch_error(batch.header, open.error());
  return StoredBatch(batch.header, std::move(*open));
}

Result<std::optional<protocol::RecordView>> StoredBatch::next() {
  auto record = records_.next();
  if (!record) return stored_batch_error(header_, record.error());
  if (!*record) return record;
  const int32_t delta = (*record)->offset_delta;
  if (delta <= last_delta_ || delta > header_.last_offset_delta)
    return stored_batch_error(header_, Error(ErrorCode::CORRUPT_MESSAGE,
                                             fmt::format("a record at offset delta {} behind {}, of {}",
                                                         delta, last_delta_, header_.last_offset_delta)));
  last_delta_ = delta;
  return record;
}

void StoredBatch::rewind() {
  records_ = open_.records();
  last_delta_ = -1;
}

}  // namespace tidemark::storage
