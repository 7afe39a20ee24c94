#include "protocol/batch/header.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "protocol/batch/crc32c.h"
#include "protocol/invariant.h"

namespace tidemark::protocol {
namespace {

template <class T>
T big_endian(T value) {
  if constexpr (sizeof(T) == 1) return value;
  if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(static_cast<uint16_t>(value)));
  if constexpr (sizeof(T) == 4) return static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(value)));
  if constexpr (sizeof(T) == 8) return static_cast<T>(__builtin_bswap64(static_cast<uint64_t>(value)));
}
template <class T>
T load(std::span<const std::byte> bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return big_endian(value);
}
template <class T>
void store(std::span<std::byte> bytes, size_t at, T value) {
  value = big_endian(value);
  std::memcpy(bytes.data() + at, &value, sizeof value);
}
static_assert(std::endian::native == std::endian::little);

}  // namespace

Result<BatchHeader> parse_batch_header(std::span<const std::byte> bytes) {
  if (bytes.size() < kBatchHeaderBytes)
    return fail(ErrorCode::CORRUPT_MESSAGE,
                fmt::format("a record batch of {} bytes is too short", bytes.size()));
  const auto magic = load<int8_t>(bytes, kBatchMagicAt);
  if (magic == 0 || magic == 1)
    return fail(ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT,
                fmt::format("message format {} is not supported", magic));
  if (magic != kBatchMagic) return fail(ErrorCode::CORRUPT_MESSAGE, fmt::format("unknown magic {}", magic));
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
  store(batch, kBatchMaxTimestampAt, timestamp_ms);
  store(batch, kBatchAttributesAt, static_cast<int16_t>(load<int16_t>(batch, kBatchAttributesAt) | 8));
  store(batch, kBatchCrcAt, crc32c(batch.subspan(kBatchAttributesAt)));
}

}  // namespace tidemark::protocol
