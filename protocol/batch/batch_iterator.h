// Walks the batches in a piece of a log or of a fetch response, and opens one for reading. Views into the
// bytes; a compressed batch is decompressed into memory of its own, bounded by the caller.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "protocol/batch/codec.h"
#include "protocol/batch/header.h"
#include "protocol/batch/record_iterator.h"

namespace tidemark::protocol {

struct BatchView {
  BatchHeader header;
  std::span<const std::byte> bytes;  // header and payload
  [[nodiscard]] std::span<const std::byte> payload() const { return bytes.subspan(kBatchHeaderBytes); }
};

class BatchIterator {
 public:
  explicit BatchIterator(std::span<const std::byte> bytes) : rest_(bytes) {}

  // The next whole batch; nullopt where less than one is left (a fetch response may end inside a batch). The
  // CRC is not checked. Errors: parse_batch_header's; the iterator then stays where it is.
  Result<std::optional<BatchView>> next();
  // The bytes of the batches that next() has returned.
  [[nodiscard]] size_t whole_bytes() const { return whole_; }
  // What is left: less than a batch once next() has returned nullopt.
  [[nodiscard]] std::span<const std::byte> rest() const { return rest_; }

 private:
  std::span<const std::byte> rest_;
  size_t whole_ = 0;
};

// A batch's records, decompressed if need be. Views that it gives die with it (and with the batch's bytes).
class OpenBatch {
 public:
  // CORRUPT_MESSAGE: the payload is not what its codec wrote. MESSAGE_TOO_LARGE: it opens to more than
  // `max_bytes`. UNSUPPORTED_COMPRESSION_TYPE: no codec of ours.
  static Result<OpenBatch> open(const BatchView& batch, size_t max_bytes = kMaxDecompressedBytes);
  static Result<OpenBatch> open(const BatchView& batch, Decompressor& decompressor,
                                size_t max_bytes = kMaxDecompressedBytes);
  [[nodiscard]] RecordIterator records() const { return {header_, payload_}; }
  [[nodiscard]] std::span<const std::byte> payload() const { return payload_; }

  OpenBatch(OpenBatch&&) = default;
  OpenBatch& operator=(OpenBatch&&) = default;

 private:
  OpenBatch() = default;
  BatchHeader header_;
  std::vector<std::byte> owned_;
  std::span<const std::byte> payload_;  // into owned_ (whose moves keep its bytes in place) or the batch
};

}  // namespace tidemark::protocol
