// The 61 bytes before the records of a batch, format 2 (KIP-98): where each field lies, reading them, and the
// changes that a broker makes in place. Base offset, length, leader epoch and magic lie outside the CRC;
// everything else is inside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/error.h"
#include "protocol/ids.h"

namespace tidemark::protocol {

inline constexpr size_t kBatchBaseOffsetAt = 0;
inline constexpr size_t kBatchLengthAt = 8;
inline constexpr size_t kBatchLeaderEpochAt = 12;
inline constexpr size_t kBatchMagicAt = 16;
inline constexpr size_t kBatchCrcAt = 17;
inline constexpr size_t kBatchAttributesAt = 21;
inline constexpr size_t kBatchLastOffsetDeltaAt = 23;
inline constexpr size_t kBatchBaseTimestampAt = 27;
inline constexpr size_t kBatchMaxTimestampAt = 35;
inline constexpr size_t kBatchProducerIdAt = 43;
inline constexpr size_t kBatchProducerEpochAt = 51;
inline constexpr size_t kBatchBaseSequenceAt = 53;
inline constexpr size_t kBatchRecordCountAt = 57;
inline constexpr size_t kBatchHeaderBytes = 61;
// The length field counts from behind itself.
inline constexpr size_t kBatchLengthOverhead = 12;
inline constexpr int8_t kBatchMagic = 2;

// Attributes: three bits of codec, then one bit each.
inline constexpr int16_t kBatchCodecBits = 7;
inline constexpr int16_t kBatchLogAppendTimeBit = 8;
inline constexpr int16_t kBatchTransactionalBit = 16;
inline constexpr int16_t kBatchControlBit = 32;
inline constexpr int16_t kBatchDeleteHorizonBit = 64;

enum class CompressionType : uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };
enum class TimestampType : uint8_t { create_time = 0, log_append_time = 1 };

struct BatchHeader {
  Offset base_offset;
  int32_t batch_length = 0;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  uint32_t crc = 0;
  int16_t attributes = 0;
  int32_t last_offset_delta = 0;
  int64_t base_timestamp = -1;  // ms since the epoch; with has_delete_horizon(): the horizon
  int64_t max_timestamp = -1;
  ProducerId producer_id = kNoProducerId;
  ProducerEpoch producer_epoch = kNoProducerEpoch;
  int32_t base_sequence = -1;
  int32_t record_count = 0;

  [[nodiscard]] size_t size_in_bytes() const {
    return static_cast<size_t>(batch_length) + kBatchLengthOverhead;
  }
  [[nodiscard]] Offset last_offset() const { return base_offset + last_offset_delta; }
  [[nodiscard]] Offset next_offset() const { return base_offset + last_offset_delta + 1; }
  // The raw three bits; 5 to 7 name no codec.
  [[nodiscard]] uint8_t codec_bits() const { return static_cast<uint8_t>(attributes & kBatchCodecBits); }
  [[nodiscard]] CompressionType codec() const {
    return static_cast<CompressionType>(attributes & kBatchCodecBits);
  }
  [[nodiscard]] TimestampType timestamp_type() const {
    return (attributes & kBatchLogAppendTimeBit) != 0 ? TimestampType::log_append_time
                                                      : TimestampType::create_time;
  }
  [[nodiscard]] bool is_transactional() const { return (attributes & kBatchTransactionalBit) != 0; }
  [[nodiscard]] bool is_control() const { return (attributes & kBatchControlBit) != 0; }
  [[nodiscard]] bool has_delete_horizon() const { return (attributes & kBatchDeleteHorizonBit) != 0; }
  [[nodiscard]] bool is_idempotent() const { return producer_id.value >= 0; }
  // Sequences wrap to 0 after 2^31-1.
  [[nodiscard]] int32_t last_sequence() const {
    if (base_sequence < 0) return -1;
    return static_cast<int32_t>((static_cast<int64_t>(base_sequence) + last_offset_delta) & 0x7FFFFFFF);
  }
};

// Reads the header at the start of `bytes`. CORRUPT_MESSAGE: fewer than 61 bytes, a length below the
// header's, a negative offset delta. UNSUPPORTED_FOR_MESSAGE_FORMAT: magic 0 or 1. The batch's end may lie
// beyond `bytes`; the CRC is not checked.
Result<BatchHeader> parse_batch_header(std::span<const std::byte> bytes);

// The fields at the start of `bytes` as they stand, nothing checked, magic not even read. REQUIRES: 61 bytes.
BatchHeader read_batch_header(std::span<const std::byte> bytes);

// Whether the CRC of a whole batch holds. REQUIRES: batch.size() == header.size_in_bytes().
[[nodiscard]] bool batch_crc_holds(std::span<const std::byte> batch);

// In place, outside the CRC.
void set_base_offset(std::span<std::byte> batch, Offset offset);
void set_leader_epoch(std::span<std::byte> batch, LeaderEpoch epoch);
// LogAppendTime: sets the maximum timestamp and the attribute bit, and recomputes the CRC. REQUIRES: a whole
// batch.
void set_log_append_time(std::span<std::byte> batch, int64_t timestamp_ms);
// CreateTime: the same with the attribute bit cleared. REQUIRES: a whole batch.
void set_max_timestamp(std::span<std::byte> batch, int64_t timestamp_ms);

// Writes every field but `h.crc`, which is computed. REQUIRES: a whole batch, of h.size_in_bytes().
void write_batch_header(std::span<std::byte> batch, const BatchHeader& h);

}  // namespace tidemark::protocol
