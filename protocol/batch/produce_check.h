// What a broker checks of the records that a client sends for one partition, before anything is appended: the
// rules are Kafka's LogValidator's, and its errors. Uncompressed batches are checked where they lie, in a few
// nanoseconds a record; compressed ones are opened through a window of 64 KiB, never whole.
//
// A ProduceChecker is owned by one shard or lane thread (it keeps codec contexts). It does no I/O and changes
// nothing; who appends calls settle_timestamps() and perhaps recompress() on the batch that passed.
//
// A batch that opens to more than `max_decompressed_bytes` is refused with MESSAGE_TOO_LARGE: the work and
// the memory that one request can cost are bounded, and an honest producer answers by splitting the batch.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "protocol/batch/codec.h"
#include "protocol/batch/header.h"

namespace tidemark::protocol {

// More refused records of a batch than these are not listed one by one.
inline constexpr size_t kMaxRecordErrors = 1000;
// A batch that may open to more than this is for a lane to check, not for a shard.
inline constexpr uint64_t kMaxInlineDecompressedBytes = uint64_t{256} << 10;
// A plain one of more than this too: it takes half a millisecond.
inline constexpr uint64_t kMaxInlinePlainBytes = uint64_t{4} << 20;

// Of a record that has none.
inline constexpr int64_t kNoTimestamp = -1;

struct ProduceLimits {
  int16_t produce_version = 9;  // below 7 zstd is refused (KIP-110)
  int32_t max_message_bytes = 1'048'588;
  TimestampType timestamp_type = TimestampType::create_time;  // the topic's
  int64_t timestamp_before_max_ms = INT64_MAX;
  int64_t timestamp_after_max_ms = 3'600'000;
  int64_t now_ms = 0;      // wall clock
  bool compacted = false;  // cleanup.policy has `compact`: every record needs a key
  size_t max_decompressed_bytes = kMaxDecompressedBytes;
};

struct ProduceCheck {
  BatchHeader header;  // as sent
  size_t batch_bytes =
      0;  // the batch stands at the start of the records; what follows is not one, and not kept
  uint64_t payload_bytes = 0;  // decompressed
  int32_t first_sequence = -1;
  int32_t last_sequence = -1;
  int64_t max_timestamp = -1;       // of the records, by their own timestamps
  int32_t max_timestamp_delta = 0;  // the offset delta of the first record that has it
  // The header's maximum is not the records', or its type not CreateTime: settle_timestamps() will write to
  // the batch.
  bool max_timestamp_differs = false;
};

// A record that is the reason of a refusal: Produce's BatchIndexAndErrorMessage.
struct RecordError {
  int32_t batch_index = 0;  // of the record in its batch
  std::string message;
};

class ProduceChecker {
 public:
  // `records`: the partition's bytes in the request. Errors:
  //   INVALID_RECORD: no whole batch or more than one; a message format before 2; a base offset other than 0;
  //     a count that is below 1, not that of the offsets, or not that of the records; offset deltas other
  //     than 0, 1, 2...; a control batch; producer id, epoch and sequence that do not go together; a payload
  //     that cannot be opened or read; a record without key on a compacted topic.
  //   CORRUPT_MESSAGE: lengths that cannot be, an unknown magic, a wrong CRC (clients retry on it).
  //   MESSAGE_TOO_LARGE: the batch, or what it opens to.
  //   UNSUPPORTED_COMPRESSION_TYPE: zstd before version 7, or no codec at all.
  //   INVALID_TIMESTAMP: a record outside the topic's bounds; a batch that claims LogAppendTime on a topic of
  //     that type, or without times.
  Result<ProduceCheck> check(std::span<const std::byte> records, const ProduceLimits& limits);

  // Of the last check, where single records were the reason; at most kMaxRecordErrors.
  [[nodiscard]] const std::vector<RecordError>& record_errors() const { return record_errors_; }
  Decompressor& decompressor() { return decompressor_; }

 private:
  Decompressor decompressor_;
  std::vector<RecordError> record_errors_;
};

// With a checker of its own, for tests and tools.
Result<ProduceCheck> check_produce_batches(std::span<const std::byte> records, const ProduceLimits& limits,
                                           std::vector<RecordError>* record_errors = nullptr);

// What a check of `records` may cost at worst, from the header and a few bytes a block; trusts nothing that
// the check will not enforce.
struct CheckCost {
  uint64_t opened_bytes = 0;  // how much payload there can be
  uint64_t memory_bytes = 0;  // what the codec needs meanwhile
  bool compressed = false;
  [[nodiscard]] bool wants_lane() const {
    return opened_bytes > (compressed ? kMaxInlineDecompressedBytes : kMaxInlinePlainBytes);
  }
};
[[nodiscard]] CheckCost estimated_cost(std::span<const std::byte> records);

// Gives a batch that passed the timestamps that the topic stores: the records' true maximum (and CreateTime,
// whatever the batch says), or, in LogAppendTime, `now_ms` for all of them. Recomputes the CRC if that
// changes anything.
void settle_timestamps(std::span<std::byte> batch, const ProduceCheck& check, const ProduceLimits& limits);

}  // namespace tidemark::protocol
