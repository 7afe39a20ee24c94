#include "protocol/batch/produce_check.h"

#include <fmt/format.h>

#include "protocol/batch/big_endian.h"
#include "protocol/batch/record_iterator.h"
#include "protocol/batch/record_rules.h"
#include "protocol/batch/record_stream.h"
#include "protocol/invariant.h"

namespace tidemark::protocol {
namespace {

// Formats 0 and 1 have at least this behind their length.
constexpr int32_t kSmallestMessageBytes = 14;
constexpr size_t kUpToMagic = kBatchMagicAt + 1;
constexpr int16_t kFirstVersionWithZstd = 7;

Unexpected invalid(std::string message) { return fail(ErrorCode::INVALID_RECORD, std::move(message)); }

// The size of the batch that starts here; nullopt if it is not all here, which ends the records.
Result<std::optional<size_t>> whole_batch_size(std::span<const std::byte> bytes) {
  if (bytes.size() < kBatchLengthOverhead) return std::optional<size_t>();
  const auto length = load_big_endian<int32_t>(bytes.data() + kBatchLengthAt);
  if (length < kSmallestMessageBytes)
    return fail(ErrorCode::CORRUPT_MESSAGE, fmt::format("a record batch of length {}", length));
  if (bytes.size() < kUpToMagic) return std::optional<size_t>();
  const auto magic = load_big_endian<int8_t>(bytes.data() + kBatchMagicAt);
  if (magic < 0 || magic > kBatchMagic)
    return fail(ErrorCode::CORRUPT_MESSAGE, fmt::format("unknown magic {}", magic));
  const size_t size = kBatchLengthOverhead + static_cast<size_t>(length);
  if (size > bytes.size()) return std::optional<size_t>();
  return std::optional(size);
}

// Since Produce v3: exactly one batch, of format 2. What is left behind it must be less than a batch.
Result<std::span<const std::byte>> only_batch(std::span<const std::byte> records, int16_t version) {
  TRY_ASSIGN(const auto size, whole_batch_size(records));
  if (!size) return invalid("there is no whole record batch");
  const auto batch = records.first(*size);
  const auto magic = load_big_endian<int8_t>(batch.data() + kBatchMagicAt);
  if (magic != kBatchMagic)
    return invalid(fmt::format("message format {} is no longer supported, only 2", magic));
  if (batch.size() < kBatchHeaderBytes)
    return fail(ErrorCode::CORRUPT_MESSAGE, fmt::format("a record batch of {} bytes", batch.size()));
  if (version < kFirstVersionWithZstd && read_batch_header(batch).codec() == CompressionType::zstd)
    return fail(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
                fmt::format("zstd needs version 7 of Produce, not {}", version));
  TRY_ASSIGN(const auto second, whole_batch_size(records.subspan(*size)));
  if (second) return invalid("more than one record batch for a partition");
  return batch;
}

Result<void> check_producer(const BatchHeader& header) {
  if (header.is_transactional() && !header.is_idempotent())
    return invalid("a transactional batch without a producer id");
  if (!header.is_idempotent()) return {};
  if (header.base_sequence < 0)
    return invalid(fmt::format("sequence {} of producer {}", header.base_sequence, header.producer_id));
  if (header.producer_epoch.value < 0)
    return invalid(fmt::format("epoch {} of producer {}", header.producer_epoch, header.producer_id));
  return {};
}

Result<void> check_header(std::span<const std::byte> batch, const BatchHeader& header,
                          const ProduceLimits& limits) {
  if (header.base_offset.value != 0)
    return invalid(fmt::format("a producer's batch starts at offset 0, not {}", header.base_offset));
  if (batch.size() > static_cast<size_t>(std::max(limits.max_message_bytes, 0)))
    return fail(ErrorCode::MESSAGE_TOO_LARGE, fmt::format("the batch has {} bytes, the topic allows {}",
                                                          batch.size(), limits.max_message_bytes));
  if (!batch_crc_holds(batch))
    return fail(ErrorCode::CORRUPT_MESSAGE,
                fmt::format("the batch does not have the CRC {:#x} that it carries", header.crc));
  TRY(codec_of(header));
  if (header.record_count <= 0 || header.record_count - 1 != header.last_offset_delta)
    return invalid(fmt::format("a batch of {} records whose last offset delta is {}", header.record_count,
                               header.last_offset_delta));
  if (header.is_control()) return invalid("clients do not write control records");
  return check_producer(header);
}

Result<uint64_t> check_plain_records(const BatchHeader& header, std::span<const std::byte> payload,
                                     RecordRules& rules) {
  const std::byte* at = payload.data();
  const std::byte* const end = at + payload.size();
  RecordFields fields;
  for (int32_t i = 0; i < header.record_count; ++i) {
    if (const char* wrong = read_record(at, end, fields))
      return invalid(fmt::format("record {}: a record {}", i, wrong));
    if (!rules.see(i, fields.timestamp_delta, fields.offset_delta, fields.key_size >= 0)) break;
  }
  if (!rules.stopped() && at != end) return invalid("more records than the batch says");
  return payload.size();
}

Result<uint64_t> check_compressed_records(const BatchHeader& header, std::span<const std::byte> payload,
                                          size_t max_bytes, RecordRules& rules, Decompressor& decompressor) {
  decompressor.start(header.codec(), payload, max_bytes);
  RecordStream stream(decompressor);
  RecordShape shape;
  for (int32_t i = 0; i < header.record_count; ++i) {
    if (!stream.next(shape)) break;
    if (!rules.see(i, shape.timestamp_delta, shape.offset_delta, shape.has_key)) break;
  }
  const bool complete = rules.stopped() || (!stream.error() && stream.at_end());
  decompressor.finish();
  if (complete) return stream.bytes_read();
  if (!stream.error()) return invalid("more records than the batch says");
  // Not CORRUPT_MESSAGE, on which clients retry: the CRC holds, so the sender's own bytes are at fault.
  const bool too_large = stream.error()->code() == ErrorCode::MESSAGE_TOO_LARGE;
  return fail(too_large ? ErrorCode::MESSAGE_TOO_LARGE : ErrorCode::INVALID_RECORD,
              stream.error()->message());
}

// Only the broker may say LogAppendTime. Where the topic keeps the producer's times Kafka takes such a batch
// all the same, if it has times, and stores it as CreateTime: settle_timestamps().
Result<void> check_timestamp_type(const BatchHeader& header, TimestampType of_topic,
                                  std::vector<RecordError>& errors) {
  if (header.timestamp_type() == TimestampType::create_time) return {};
  if (of_topic == TimestampType::create_time && header.max_timestamp != kNoTimestamp) return {};
  const auto listed = std::min(static_cast<size_t>(header.record_count), kMaxRecordErrors);
  for (size_t i = 0; i < listed; ++i)
    errors.push_back({static_cast<int32_t>(i), "a producer must not set the timestamp type LogAppendTime"});
  return fail(ErrorCode::INVALID_TIMESTAMP, "a producer's batch of timestamp type LogAppendTime");
}

}  // namespace

Result<ProduceCheck> ProduceChecker::check(std::span<const std::byte> records, const ProduceLimits& limits) {
  record_errors_.clear();
  TRY_ASSIGN(const auto batch, only_batch(records, limits.produce_version));
  ProduceCheck check;
  check.header = read_batch_header(batch);
  check.batch_bytes = batch.size();
  const BatchHeader& header = check.header;
  TRY(check_header(batch, header, limits));
  TRY(check_timestamp_type(header, limits.timestamp_type, record_errors_));

  RecordRules rules(header, limits, record_errors_);
  const auto payload = batch.subspan(kBatchHeaderBytes);
  auto opened =
      header.codec() == CompressionType::none
          ? check_plain_records(header, payload, rules)
          : check_compressed_records(header, payload, limits.max_decompressed_bytes, rules, decompressor_);
  if (!opened) {
    record_errors_.clear();
    return fail(std::move(opened).error());
  }
  TRY(rules.verdict());
  check.payload_bytes = *opened;
  check.first_sequence = header.base_sequence < 0 ? -1 : header.base_sequence;
  check.last_sequence = header.last_sequence();
  check.max_timestamp = rules.max_timestamp();
  check.max_timestamp_delta = rules.max_timestamp_index();
  check.max_timestamp_differs =
      check.max_timestamp != header.max_timestamp || header.timestamp_type() != TimestampType::create_time;
  return check;
}

Result<ProduceCheck> check_produce_batches(std::span<const std::byte> records, const ProduceLimits& limits,
                                           std::vector<RecordError>* record_errors) {
  ProduceChecker checker;
  auto result = checker.check(records, limits);
  if (record_errors != nullptr) *record_errors = checker.record_errors();
  return result;
}

CheckCost estimated_cost(std::span<const std::byte> records) {
  CheckCost cost;
  cost.opened_bytes = records.size();
  if (records.size() < kBatchHeaderBytes) return cost;
  const BatchHeader header = read_batch_header(records);
  const auto codec = codec_of(header);
  if (!codec || *codec == CompressionType::none) return cost;
  const auto payload = records.subspan(kBatchHeaderBytes);
  cost.compressed = true;
  cost.opened_bytes = decompressed_bound(*codec, payload);
  cost.memory_bytes = kDecompressWindowBytes + decompression_memory(*codec, payload);
  return cost;
}

void settle_timestamps(std::span<std::byte> batch, const ProduceCheck& check, const ProduceLimits& limits) {
  REQUIRES(batch.size() >= kBatchHeaderBytes);
  if (limits.timestamp_type == TimestampType::log_append_time) {
    set_log_append_time(batch, limits.now_ms);
  } else if (check.max_timestamp_differs) {
    set_max_timestamp(batch, check.max_timestamp);
  }
}

}  // namespace tidemark::protocol
