#include "protocol/batch/builder.h"

#include <fmt/format.h>

#include "protocol/batch/varint.h"
#include "protocol/invariant.h"

namespace tidemark::protocol {
namespace {

size_t sized_bytes(NullableBytes bytes) {
  if (!bytes) return varint_size(-1);
  return varint_size(static_cast<int64_t>(bytes->size())) + bytes->size();
}

NullableBytes as_bytes(std::string_view text) {
  return std::span(reinterpret_cast<const std::byte*>(text.data()), text.size());
}

size_t body_bytes(int64_t timestamp_delta, int64_t offset_delta, NullableBytes key, NullableBytes value,
                  std::span<const RecordHeader> headers) {
  size_t size = 1 + varint_size(timestamp_delta) + varint_size(offset_delta) + sized_bytes(key) +
                sized_bytes(value) + varint_size(static_cast<int64_t>(headers.size()));
  for (const RecordHeader& header : headers)
    size += sized_bytes(as_bytes(header.key)) + sized_bytes(header.value);
  return size;
}

std::byte* put_sized(std::byte* at, NullableBytes bytes) {
  if (!bytes) return write_varint(at, -1);
  at = write_varint(at, static_cast<int64_t>(bytes->size()));
  if (!bytes->empty()) std::memcpy(at, bytes->data(), bytes->size());
  return at + bytes->size();
}

int16_t attributes_of(const BatchOptions& options) {
  int bits = static_cast<int>(options.codec);
  if (options.log_append_time) bits |= kBatchLogAppendTimeBit;
  if (options.transactional) bits |= kBatchTransactionalBit;
  if (options.control) bits |= kBatchControlBit;
  if (options.delete_horizon_ms) bits |= kBatchDeleteHorizonBit;
  return static_cast<int16_t>(bits);
}

}  // namespace

BatchBuilder::BatchBuilder(BatchOptions options) : options_(options) { clear(); }

void BatchBuilder::clear() {
  bytes_.assign(kBatchHeaderBytes, std::byte{});
  base_timestamp_ = options_.delete_horizon_ms.value_or(-1);
  max_timestamp_ = -1;
  next_offset_ = options_.base_offset;
  last_offset_ = options_.base_offset;
  count_ = 0;
}

size_t BatchBuilder::record_bytes(int64_t timestamp_ms, NullableBytes key, NullableBytes value,
                                  std::span<const RecordHeader> headers) const {
  const bool first = count_ == 0 && !options_.delete_horizon_ms;
  const int64_t delta = first ? 0 : wrapping_subtract(timestamp_ms, base_timestamp_);
  const size_t body = body_bytes(delta, next_offset_ - options_.base_offset, key, value, headers);
  return varint_size(static_cast<int64_t>(body)) + body;
}

void BatchBuilder::add(int64_t timestamp_ms, NullableBytes key, NullableBytes value,
                       std::span<const RecordHeader> headers) {
  add_at(next_offset_, timestamp_ms, key, value, headers);
}

void BatchBuilder::add_at(Offset offset, int64_t timestamp_ms, NullableBytes key, NullableBytes value,
                          std::span<const RecordHeader> headers) {
  REQUIRES(offset >= next_offset_ && offset - options_.base_offset <= INT32_MAX);
  if (count_ == 0 && !options_.delete_horizon_ms) base_timestamp_ = timestamp_ms;
  const int64_t timestamp_delta = wrapping_subtract(timestamp_ms, base_timestamp_);
  const int64_t offset_delta = offset - options_.base_offset;
  const size_t body = body_bytes(timestamp_delta, offset_delta, key, value, headers);
  const size_t before = bytes_.size();
  bytes_.resize(before + varint_size(static_cast<int64_t>(body)) + body);
  std::byte* at = write_varint(bytes_.data() + before, static_cast<int64_t>(body));
  *at++ = std::byte{0};  // attributes
  at = write_varint(at, timestamp_delta);
  at = write_varint(at, offset_delta);
  at = put_sized(at, key);
  at = put_sized(at, value);
  at = write_varint(at, static_cast<int64_t>(headers.size()));
  for (const RecordHeader& header : headers)
    at = put_sized(put_sized(at, as_bytes(header.key)), header.value);
  INVARIANT(at == bytes_.data() + bytes_.size(), "a record of {} bytes was counted wrong", body);
  max_timestamp_ = std::max(max_timestamp_, timestamp_ms);
  last_offset_ = offset;
  next_offset_ = offset + 1;
  ++count_;
}

void BatchBuilder::add_control(int64_t timestamp_ms, ControlKey key, std::span<const std::byte> value) {
  REQUIRES(options_.control);
  const auto bytes = encode_control_key(key);
  add(timestamp_ms, std::span<const std::byte>(bytes), value);
}

void BatchBuilder::add_end_txn_marker(int64_t timestamp_ms, bool commit, EndTxnMarker marker) {
  const auto value = encode_end_txn_marker(marker);
  add_control(timestamp_ms, {0, commit ? ControlType::commit : ControlType::abort}, value);
}

void BatchBuilder::set_producer(ProducerId id, ProducerEpoch epoch, int32_t base_sequence,
                                bool transactional) {
  options_.producer_id = id;
  options_.producer_epoch = epoch;
  options_.base_sequence = base_sequence;
  options_.transactional = transactional;
}

BatchHeader BatchBuilder::header(size_t batch_bytes) const {
  BatchHeader h;
  h.base_offset = options_.base_offset;
  h.batch_length = static_cast<int32_t>(batch_bytes - kBatchLengthOverhead);
  h.leader_epoch = options_.leader_epoch;
  h.attributes = attributes_of(options_);
  h.last_offset_delta = static_cast<int32_t>(last_offset_ - options_.base_offset);
  h.base_timestamp = base_timestamp_;
  h.max_timestamp = options_.log_append_time.value_or(max_timestamp_);
  h.producer_id = options_.producer_id;
  h.producer_epoch = options_.producer_epoch;
  h.base_sequence = options_.base_sequence;
  h.record_count = count_;
  return h;
}

Result<std::vector<std::byte>> BatchBuilder::build() {
  REQUIRES(count_ > 0);
  REQUIRES(last_offset_ + 1 >= next_offset_);
  REQUIRES(!options_.transactional || options_.producer_id.value >= 0);
  if (options_.codec != CompressionType::none) {
    const auto payload = std::span<const std::byte>(bytes_).subspan(kBatchHeaderBytes);
    Compressor compressor;
    std::vector<std::byte> out(kBatchHeaderBytes);
    compressor.start(options_.codec, options_.level, payload.size());
    compressor.write(payload, out);
    compressor.finish(out);
    bytes_ = std::move(out);
  }
  if (bytes_.size() > INT32_MAX) {
    clear();
    return fail(ErrorCode::MESSAGE_TOO_LARGE, "a record batch of more than 2 GiB");
  }
  write_batch_header(bytes_, header(bytes_.size()));
  std::vector<std::byte> batch = std::move(bytes_);
  clear();
  return batch;
}

std::vector<std::byte> build_emptied_batch(const BatchHeader& of) {
  std::vector<std::byte> batch(kBatchHeaderBytes);
  BatchHeader h = of;
  h.batch_length = static_cast<int32_t>(kBatchHeaderBytes - kBatchLengthOverhead);
  h.attributes = static_cast<int16_t>(of.attributes & ~(kBatchCodecBits | kBatchDeleteHorizonBit));
  h.base_timestamp = -1;
  h.record_count = 0;
  write_batch_header(batch, h);
  return batch;
}

}  // namespace tidemark::protocol
