// Record batches as a producer sends them. The first byte says what is done to the rest, a batch: bit 0:
// taken as it stands; else length, magic, base offset and CRC are put right first, so that mutations get past
// them. Bit 1: the payload is plain and is compressed by the codec that the header names. Bits 2 to 4: the
// codec to recompress to. Bit 5: a compacted topic. What the check passes must be readable to its end,
// recompress, and pass again.
#include "protocol/batch/batch_iterator.h"
#include "protocol/batch/produce_check.h"
#include "protocol/batch/recompress.h"
#include "protocol/invariant.h"

using namespace tidemark;
using namespace tidemark::protocol;

namespace {

constexpr size_t kMostOpened = size_t{1} << 20;
using Bytes = std::vector<std::byte>;

Bytes repaired(Bytes batch, bool compress_payload) {
  BatchHeader header = read_batch_header(batch);
  const auto codec = codec_of(header);
  if (compress_payload && codec) {
    const Bytes payload = compress(*codec, std::nullopt, std::span(batch).subspan(kBatchHeaderBytes));
    batch.resize(kBatchHeaderBytes);
    batch.insert(batch.end(), payload.begin(), payload.end());
  }
  header.base_offset = Offset(0);
  header.batch_length = static_cast<int32_t>(batch.size() - kBatchLengthOverhead);
  write_batch_header(batch, header);
  return batch;
}

void read_to_the_end(std::span<const std::byte> batch, const ProduceCheck& check) {
  BatchIterator batches(batch);
  const auto view = batches.next();
  INVARIANT(view && *view, "a batch that passed is not whole");
  const auto open = OpenBatch::open(**view, kMostOpened);
  INVARIANT(open, "a batch that passed does not open: {}", open.error().message());
  INVARIANT(open->payload().size() == check.payload_bytes, "the check opened {} bytes and not {}",
            check.payload_bytes, open->payload().size());
  RecordIterator records = open->records();
  size_t headers = 0;
  for (int32_t i = 0; i < check.header.record_count; ++i) {
    const auto record = records.next();
    INVARIANT(record && *record && (*record)->offset_delta == i, "record {} of a batch that passed", i);
    for (const RecordHeader& header : (*record)->headers) headers += header.key.size() + 1;
  }
  INVARIANT(headers <= open->payload().size(), "headers of {} bytes", headers);
  const auto end = records.next();
  INVARIANT(end && !*end, "records behind the last");
}

void recompress_and_check(std::span<const std::byte> batch, CompressionType target, const ProduceCheck& check,
                          const ProduceLimits& limits) {
  Decompressor decompressor;
  Compressor compressor;
  const auto again =
      recompress(batch, target, std::nullopt, INT32_MAX, decompressor, compressor, check.payload_bytes);
  INVARIANT(again, "a batch that passed does not recompress: {}", again.error().message());
  const auto second = check_produce_batches(*again, limits);
  INVARIANT(second, "recompressed, it does not pass: {}", second.error().message());
  INVARIANT(second->max_timestamp == check.max_timestamp && second->payload_bytes == check.payload_bytes,
            "recompressed, it has other figures");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 + kBatchHeaderBytes) return -1;
  const unsigned what = data[0];
  Bytes records(reinterpret_cast<const std::byte*>(data) + 1,
                reinterpret_cast<const std::byte*>(data) + size);
  if ((what & 1) == 0) records = repaired(std::move(records), (what & 2) != 0);
  ProduceLimits limits;
  limits.max_message_bytes = INT32_MAX;
  limits.max_decompressed_bytes = kMostOpened;
  limits.timestamp_after_max_ms = INT64_MAX;
  limits.compacted = (what & 32) != 0;
  const CheckCost cost = estimated_cost(records);
  const auto check = check_produce_batches(records, limits);
  if (!check) return 0;
  INVARIANT(check->payload_bytes <= cost.opened_bytes, "opened to {}, estimated {}", check->payload_bytes,
            cost.opened_bytes);
  const auto batch = std::span<const std::byte>(records).first(check->batch_bytes);
  read_to_the_end(batch, *check);
  recompress_and_check(batch, static_cast<CompressionType>(((what >> 2) & 7) % 5), *check, limits);
  return 0;
}
