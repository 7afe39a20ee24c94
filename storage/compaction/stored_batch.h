// A batch of a log, opened to be cleaned: its records, checked to stand at rising offsets within it, because
// what a cleaning removes goes by those. Decompressed into memory of its own, up to a bound; lives shorter
// than the batch's bytes. Errors are the log's: what cannot be opened or read is corruption.
#pragma once

#include <optional>

#include "protocol/batch/batch_iterator.h"

namespace tidemark::storage {

class StoredBatch {
 public:
  // Corruption: the payload is not what its codec wrote. MESSAGE_TOO_LARGE: it opens to more than
  // `max_bytes`. UNSUPPORTED_COMPRESSION_TYPE.
  static Result<StoredBatch> open(const protocol::BatchView& batch, protocol::Decompressor& decompressor,
                                  size_t max_bytes);

  // The next record; nullopt behind the last. Corruption: it cannot be read, or stands at no offset that may
  // be next.
  Result<std::optional<protocol::RecordView>> next();
  // To the first record.
  void rewind();

 private:
  StoredBatch(const protocol::BatchHeader& header, protocol::OpenBatch open);

  protocol::BatchHeader header_;
  protocol::OpenBatch open_;
  protocol::RecordIterator records_;
  int64_t last_delta_ = -1;  // Invariant: at most header_.last_offset_delta
};

// The error of a stored batch, with its place: CORRUPT_MESSAGE is corruption here.
[[nodiscard]] Unexpected stored_batch_error(const protocol::BatchHeader& header, const Error& error);

}  // namespace tidemark::storage
