#include "tests/simulation/sim_batch.h"

#include <algorithm>
#include <vector>

#include "protocol/batch/crc32c.h"
#include "protocol/batch/header.h"

namespace tidemark::simulation {
namespace {

using namespace tidemark::protocol;

void put(std::vector<std::byte>& out, size_t at, int64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out[at + i] = static_cast<std::byte>(value >> (8 * (bytes - 1 - i)));
}

void put_varint(std::vector<std::byte>& out, int64_t value) {
  uint64_t zigzag = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  for (; zigzag >= 0x80; zigzag >>= 7) out.push_back(static_cast<std::byte>(zigzag | 0x80));
  out.push_back(static_cast<std::byte>(zigzag));
}

}  // namespace

runtime::BufferSlice SimBatch::encode() const {
  std::vector<std::byte> out(kBatchHeaderBytes);
  std::vector<std::byte> record;
  for (int32_t i = 0; i < records; ++i) {
    record.assign(1, std::byte{0});  // attributes
    put_varint(record, 0);           // timestamp delta
    put_varint(record, i);
    const auto index = static_cast<size_t>(i);
    if (!keys.empty()) {
      put_varint(record, 4);
      record.resize(record.size() + 4);
      put(record, record.size() - 4, keys[index], 4);
    } else {
      put_varint(record, keyed ? 12 : -1);
    }
    if (keys.empty() && keyed) {
      const size_t key = record.size();
      record.resize(key + 12);
      put(record, key, static_cast<int64_t>(identity), 8);
      put(record, key + 8, i, 4);
    }
    if (!keys.empty() && tombstones[index]) {
      put_varint(record, -1);
    } else {
      const size_t bytes = std::max<size_t>(value_bytes, 8);
      put_varint(record, static_cast<int64_t>(bytes));
      const size_t value = record.size();
      record.resize(value + bytes, static_cast<std::byte>(identity * 31 + static_cast<uint64_t>(i)));
      put(record, value, static_cast<int64_t>(identity), 8);
    }
    put_varint(record, keys.empty() ? 0 : 1);  // headers
    if (!keys.empty()) {
      put_varint(record, 1);
      record.push_back(std::byte{'i'});
      put_varint(record, 8);
      record.resize(record.size() + 8);
      put(record, record.size() - 8, static_cast<int64_t>(identity), 8);
    }
    put_varint(out, static_cast<int64_t>(record.size()));
    out.insert(out.end(), record.begin(), record.end());
  }
  put(out, kBatchBaseOffsetAt, 0, 8);
  put(out, kBatchLengthAt, static_cast<int64_t>(out.size() - kBatchLengthOverhead), 4);
  put(out, kBatchLeaderEpochAt, -1, 4);
  put(out, kBatchMagicAt, kBatchMagic, 1);
  put(out, kBatchAttributesAt, 0, 2);
  put(out, kBatchLastOffsetDeltaAt, records - 1, 4);
  put(out, kBatchBaseTimestampAt, timestamp_ms, 8);
  put(out, kBatchMaxTimestampAt, timestamp_ms, 8);
  put(out, kBatchProducerIdAt, producer.value, 8);
  put(out, kBatchProducerEpochAt, producer_epoch.value, 2);
  put(out, kBatchBaseSequenceAt, base_sequence, 4);
  put(out, kBatchRecordCountAt, records, 4);
  put(out, kBatchCrcAt, crc32c(std::span<const std::byte>(out).subspan(kBatchAttributesAt)), 4);
  auto buffer = runtime::Buffer::allocate(out.size());
  std::copy(out.begin(), out.end(), buffer->bytes().begin());
  return runtime::BufferSlice::whole(std::move(buffer));
}

}  // namespace tidemark::simulation
