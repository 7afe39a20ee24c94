// Record batches for tests of what looks at headers alone: a real header and checksum around any payload.
#pragma once

#include <cstring>
#include <vector>

#include "protocol/batch/crc32c.h"
#include "protocol/batch/header.h"

namespace tidemark::storage {

struct RawBatch {
  int64_t base_offset = 0;
  int32_t records = 1;
  int32_t epoch = 0;
  int64_t timestamp = 1000;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
  int16_t attributes = 0;
  size_t payload_bytes = 20;

  [[nodiscard]] std::vector<std::byte> encode() const {
    std::vector<std::byte> out(protocol::kBatchHeaderBytes + payload_bytes);
    auto put = [&](size_t at, int64_t value, size_t bytes) {
      for (size_t i = 0; i < bytes; ++i) out[at + i] = static_cast<std::byte>(value >> (8 * (bytes - 1 - i)));
    };
    for (size_t i = protocol::kBatchHeaderBytes; i < out.size(); ++i)
      out[i] = static_cast<std::byte>(i * 7 + static_cast<size_t>(base_offset));
    put(protocol::kBatchBaseOffsetAt, base_offset, 8);
    put(protocol::kBatchLengthAt, static_cast<int64_t>(out.size()) - 12, 4);
    put(protocol::kBatchLeaderEpochAt, epoch, 4);
    put(protocol::kBatchMagicAt, 2, 1);
    put(protocol::kBatchAttributesAt, attributes, 2);
    put(protocol::kBatchLastOffsetDeltaAt, records - 1, 4);
    put(protocol::kBatchBaseTimestampAt, timestamp, 8);
    put(protocol::kBatchMaxTimestampAt, timestamp, 8);
    put(protocol::kBatchProducerIdAt, producer_id, 8);
    put(protocol::kBatchProducerEpochAt, producer_epoch, 2);
    put(protocol::kBatchBaseSequenceAt, base_sequence, 4);
    put(protocol::kBatchRecordCountAt, records, 4);
    put(protocol::kBatchCrcAt, protocol::crc32c(std::span(out).subspan(protocol::kBatchAttributesAt)), 4);
    return out;
  }
  [[nodiscard]] protocol::BatchHeader header() const { return *protocol::parse_batch_header(encode()); }
};

inline void append_to(std::vector<std::byte>& log, const std::vector<std::byte>& batch) {
  log.insert(log.end(), batch.begin(), batch.end());
}

}  // namespace tidemark::storage
