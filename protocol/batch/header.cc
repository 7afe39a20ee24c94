#include "protocol/batch/header.h"

#include <fmt/format.h>

#include "protocol/batch/big_endian.h"
#include "protocol/batch/crc32c.h"
#include "protocol/invariant.h"

namespace tidemark::protocol {
namespace {

template <class T>
T load(std::span<const std::byte> bytes, size_t at) {
  return load_big_endian<T>(bytes.data() + at);
}
template <class T>
void store(std::span<std::byte> bytes, size_t at, T value) {
  store_big_endian<T>(bytes.data() + at, value);
}

void set_timestamp(std::span<std::byte> batch, TimestampType type, int64_t timestamp_ms) {
  auto attributes = load<int16_t>(batch, kBatchAttributesAt);
  attributes = static_cast<int16_t>(attributes & ~kBatchLogAppendTimeBit);
  if (type == TimestampType::log_append_time)
    attributes = static_cast<int16_t>(attributes | kBatchLogAppendTimeBit);
  store(batch, kBatchMaxTimestampAt, timestamp_ms);
  store(batch, kBatchAttributesAt, attributes);
  store(batch, kBatchCrcAt, crc32c(batch.subspan(kBatchAttributesAt)));
}

}  // namespace

BatchHeader read_batch_header(std::span<const std::byte> bytes) {
  REQUIRES(bytes.size() >= kBatchHeaderBytes);
  BatchHeader h;
  h.base_offset = Offset(load<int64_t>(bytes, kBatchBaseOffsetAt));
  h.batch_length = load<int32_t>(bytes, kBatchLengthAt);
  h.leader_epoch = LeaderEpoch(load<int32_t>(bytes, kBatchLeaderEpochAt));
  h.crc = load<uint32_t>(bytes, kBatchCrcAt);
  h.attributes = load<int16_t>(bytes, kBatchAttributesAt);
  h.last_offset_delta = load<int32_t>(bytes, kBatchLastOffsetDeltaAt);
  h.base_timestamp = load<int64_t>(bytes, kBatchBaseTimestampAt);
  h.max_timestamp = load<int64_t>(bytes, kBatchMaxTimestampAt);
  h.producer_id = ProducerId(load<int64_t>(bytes, kBatchProducerIdAt));
  h.producer_epoch = ProducerEpoch(load<int16_t>(bytes, kBatchProducerEpochAt));
  h.base_sequence = load<int32_t>(bytes, kBatchBaseSequenceAt);
  h.record_count = load<int32_t>(bytes, kBatchRecordCountAt);
  return h;
}

Result<BatchHeader> parse_batch_header(std::span<const std::byte> bytes) {
  if (bytes.size() < kBatchHeaderBytes)
    return fail(ErrorCode::CORRUPT_MESSAGE,
                fmt::format("a record batch of {} bytes is too short", bytes.size()));
  const auto magic = load<int8_t>(bytes, kBatchMagicAt);
  if (magic == 0 || magic == 1)
    return fail(ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT,
                fmt::format("message format {} is not supported", magic));
  if (magic != kBatchMagic) return fail(ErrorCode::CORRUPT_MESSAGE, fmt::format("unknown magic {}", magic));
  const BatchHeader h = read_batch_header(bytes);
  if (h.batch_length < static_cast<int32_t>(kBatchHeaderBytes - kBatchLengthOverhead) ||
      h.batch_length > INT32_MAX - static_cast<int32_t>(kBatchLengthOverhead))
    return fail(ErrorCode::CORRUPT_MESSAGE, fmt::format("a record batch of length {}", h.batch_length));
  if (h.last_offset_delta < 0)
    return fail(ErrorCode::CORRUPT_MESSAGE, fmt::format("last offset delta {}", h.last_offset_delta));
  return h;
}

bool batch_crc_holds(std::span<const std::byte> batch) {
  return batch.size() >= kBatchHeaderBytes &&
         load<uint32_t>(batch, kBatchCrcAt) == crc32c(batch.subspan(kBatchAttributesAt));
}

void set_base_offset(std::span<std::byte> batch, Offset offset) {
  store(batch, kBatchBaseOffsetAt, offset.value);
}
void set_leader_epoch(std::span<std::byte> batch, LeaderEpoch epoch) {
  store(batch, kBatchLeaderEpochAt, epoch.value);
}
void set_log_append_time(std::span<std::byte> batch, int64_t timestamp_ms) {
  REQUIRES(batch.size() >= kBatchHeaderBytes);
  set_timestamp(batch, TimestampType::log_append_time, timestamp_ms);
}
void set_max_timestamp(std::span<std::byte> batch, int64_t timestamp_ms) {
  REQUIRES(batch.size() >= kBatchHeaderBytes);
  set_timestamp(batch, TimestampType::create_time, timestamp_ms);
}

void write_batch_header(std::span<std::byte> batch, const BatchHeader& h) {
  REQUIRES(batch.size() >= kBatchHeaderBytes && batch.size() == h.size_in_bytes());
  store(batch, kBatchBaseOffsetAt, h.base_offset.value);
  store(batch, kBatchLengthAt, h.batch_length);
  store(batch, kBatchLeaderEpochAt, h.leader_epoch.value);
  store(batch, kBatchMagicAt, kBatchMagic);
  store(batch, kBatchAttributesAt, h.attributes);
  store(batch, kBatchLastOffsetDeltaAt, h.last_offset_delta);
  store(batch, kBatchBaseTimestampAt, h.base_timestamp);
  store(batch, kBatchMaxTimestampAt, h.max_timestamp);
  store(batch, kBatchProducerIdAt, h.producer_id.value);
  store(batch, kBatchProducerEpochAt, h.producer_epoch.value);
  store(batch, kBatchBaseSequenceAt, h.base_sequence);
  store(batch, kBatchRecordCountAt, h.record_count);
  store(batch, kBatchCrcAt, crc32c(batch.subspan(kBatchAttributesAt)));
}

}  // namespace tidemark::protocol
