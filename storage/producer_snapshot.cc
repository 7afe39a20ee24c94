#include "storage/producer_snapshot.h"

#include <fmt/format.h>

#include <concepts>
#include <cstring>

#include "protocol/batch/crc32c.h"

namespace tidemark::storage {
namespace {

// Ours: magic, version, crc of what follows; then the origin, a count, the entries. Little-endian.
constexpr uint32_t kMagic = 0x53504454;  // "TDPS"
constexpr uint16_t kVersion = 1;
constexpr size_t kCrcAt = 8;
constexpr size_t kPrologueBytes = 12;
constexpr size_t kOriginBytes = 8 + 8 + 4;
constexpr size_t kEntryBytes = 8 + 2 + 4 + 8 + 8 + 1;
constexpr size_t kBatchBytes = 4 + 4 + 8 + 8;

// Kafka's: version int16, crc uint32, an array of fixed-size entries. Big-endian.
constexpr int16_t kKafkaVersion = 1;
constexpr size_t kKafkaPrologueBytes = 6;
constexpr size_t kKafkaEntryBytes = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;

enum class Endian : uint8_t { little, big };

template <Endian endian>
struct Writer {
  std::string out;
  template <std::integral T>
  void put(T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    if constexpr (endian == Endian::big) std::reverse(bytes, bytes + sizeof(T));
    out.append(bytes, sizeof(T));
  }
};

// Bounds are the caller's: it checks left() against what it will take.
template <Endian endian>
struct Reader {
  std::span<const std::byte> bytes;
  template <std::integral T>
  T take() {
    std::byte raw[sizeof(T)];
    std::memcpy(raw, bytes.data(), sizeof(T));
    if constexpr (endian == Endian::big) std::reverse(raw, raw + sizeof(T));
    bytes = bytes.subspan(sizeof(T));
    T value;
    std::memcpy(&value, raw, sizeof(T));
    return value;
  }
  [[nodiscard]] size_t left() const { return bytes.size(); }
};

Unexpected damaged(std::string_view what) {
  return fail(Error::corruption(fmt::format("the producer snapshot {}", what)));
}

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Checks everything outside of the entries.
Result<Reader<Endian::little>> open_snapshot(std::string_view text) {
  Reader<Endian::little> in{as_bytes(text)};
  if (in.left() < kPrologueBytes + kOriginBytes + 4) return damaged("is too short");
  if (in.take<uint32_t>() != kMagic) return damaged("is none");
  const auto version = in.take<uint16_t>();
  if (version > kVersion)
    return fail(Error::format(fmt::format(
        "a producer snapshot has format version {}, and this release reads up to {}", version, kVersion)));
  in.take<uint16_t>();
  const auto crc = in.take<uint32_t>();
  if (crc != protocol::crc32c(in.bytes)) return damaged("has a wrong checksum");
  return in;
}

DerivedFrom take_origin(Reader<Endian::little>& in) {
  DerivedFrom from;
  from.log = LogId(in.take<uint64_t>());
  from.offset = Offset(in.take<int64_t>());
  from.epoch = LeaderEpoch(in.take<int32_t>());
  return from;
}

}  // namespace

std::string encode_producer_snapshot(const DerivedFrom& from, const ProducerState& state) {
  Writer<Endian::little> out;
  out.put(kMagic);
  out.put(kVersion);
  out.put(uint16_t{0});
  out.put(uint32_t{0});  // the crc's place
  out.put(from.log.value);
  out.put(from.offset.value);
  out.put(from.epoch.value);
  out.put(static_cast<uint32_t>(state.size()));
  for (const auto& [id, entry] : state.producers()) {
    out.put(id.value);
    out.put(entry.epoch.value);
    out.put(entry.coordinator_epoch);
    out.put(entry.current_txn_first_offset.value_or(kNoOffset).value);
    out.put(entry.last_timestamp_ms);
    out.put(entry.recent_count);
    for (const ProducerBatch& batch : entry.batches()) {
      out.put(batch.last_sequence);
      out.put(batch.offset_delta);
      out.put(batch.last_offset.value);
      out.put(batch.timestamp_ms);
    }
  }
  const uint32_t crc = protocol::crc32c(as_bytes(out.out).subspan(kPrologueBytes));
  std::memcpy(out.out.data() + kCrcAt, &crc, sizeof crc);
  return std::move(out.out);
}

Result<DerivedFrom> decode_producer_snapshot_origin(std::string_view bytes) {
  TRY_ASSIGN(auto in, open_snapshot(bytes));
  return take_origin(in);
}

Result<ProducerSnapshot> decode_producer_snapshot(std::string_view bytes, runtime::WallTime now,
                                                  size_t max_producers) {
  TRY_ASSIGN(auto in, open_snapshot(bytes));
  ProducerSnapshot snapshot{take_origin(in), ProducerState(max_producers)};
  const auto count = in.take<uint32_t>();
  for (uint32_t i = 0; i < count; ++i) {
    if (in.left() < kEntryBytes) return damaged("ends inside of an entry");
    const ProducerId id(in.take<int64_t>());
    ProducerEntry entry;
    entry.epoch = ProducerEpoch(in.take<int16_t>());
    entry.coordinator_epoch = in.take<int32_t>();
    const Offset txn(in.take<int64_t>());
    if (txn != kNoOffset) entry.current_txn_first_offset = txn;
    entry.last_timestamp_ms = in.take<int64_t>();
    entry.last_active = now;
    const auto batches = in.take<uint8_t>();
    if (batches > kProducerBatches || in.left() < batches * kBatchBytes)
      return damaged("has an entry with too many batches");
    for (uint8_t b = 0; b < batches; ++b) {
      ProducerBatch batch;
      batch.last_sequence = in.take<int32_t>();
      batch.offset_delta = in.take<int32_t>();
      batch.last_offset = Offset(in.take<int64_t>());
      batch.timestamp_ms = in.take<int64_t>();
      entry.add(batch);
    }
    snapshot.state.load(id, entry);
  }
  if (in.left() != 0) return damaged("goes on behind its entries");
  snapshot.state.advance_to(snapshot.from.offset);
  return snapshot;
}

std::vector<std::byte> encode_kafka_producer_snapshot(const ProducerState& state) {
  Writer<Endian::big> out;
  out.put(kKafkaVersion);
  out.put(uint32_t{0});
  out.put(static_cast<int32_t>(state.size()));
  for (const auto& [id, entry] : state.producers()) {
    const ProducerBatch last = entry.recent_count == 0 ? ProducerBatch{} : entry.batches().back();
    out.put(id.value);
    out.put(entry.epoch.value);
    out.put(last.last_sequence);
    out.put(last.last_offset.value);
    out.put(last.offset_delta);
    out.put(entry.last_timestamp_ms);
    out.put(entry.coordinator_epoch);
    out.put(entry.current_txn_first_offset.value_or(kNoOffset).value);
  }
  const auto body = as_bytes(out.out).subspan(kKafkaPrologueBytes);
  Writer<Endian::big> crc;
  crc.put(protocol::crc32c(body));
  out.out.replace(2, 4, crc.out);
  const auto bytes = as_bytes(out.out);
  return {bytes.begin(), bytes.end()};
}

Result<ProducerState> decode_kafka_producer_snapshot(std::span<const std::byte> bytes, Offset end_offset,
                                                     runtime::WallTime now) {
  Reader<Endian::big> in{bytes};
  if (in.left() < kKafkaPrologueBytes + 4) return damaged("is too short");
  const auto version = in.take<int16_t>();
  if (version != kKafkaVersion) return damaged(fmt::format("has version {}", version));
  const auto crc = in.take<uint32_t>();
  if (crc != protocol::crc32c(in.bytes)) return damaged("has a wrong checksum");
  const auto count = in.take<int32_t>();
  if (count < 0 || in.left() != static_cast<size_t>(count) * kKafkaEntryBytes)
    return damaged(fmt::format("has {} bytes for {} entries", in.left(), count));
  ProducerState state;
  for (int32_t i = 0; i < count; ++i) {
    const ProducerId id(in.take<int64_t>());
    ProducerEntry entry;
    ProducerBatch last;
    entry.epoch = ProducerEpoch(in.take<int16_t>());
    last.last_sequence = in.take<int32_t>();
    last.last_offset = Offset(in.take<int64_t>());
    last.offset_delta = in.take<int32_t>();
    last.timestamp_ms = entry.last_timestamp_ms = in.take<int64_t>();
    entry.coordinator_epoch = in.take<int32_t>();
    const Offset txn(in.take<int64_t>());
    if (txn >= Offset(0)) entry.current_txn_first_offset = txn;
    entry.last_active = now;
    if (last.last_offset >= Offset(0)) entry.add(last);
    state.load(id, entry);
  }
  state.advance_to(end_offset);
  return state;
}

}  // namespace tidemark::storage
