// The small files around a segment: the first byte says which one the rest is: offset index, time index,
// leader epoch checkpoint, producer snapshot (ours, Kafka's). What is accepted is the same after a round
// trip, and lookups in memory and in the file agree. Snapshots get their checksum put right, so that what
// lies behind it is reached.
#include <cstring>

#include "protocol/batch/crc32c.h"
#include "storage/format/offset_index.h"
#include "storage/format/time_index.h"
#include "storage/leader_epoch_cache.h"
#include "storage/producer_snapshot.h"
#include "tests/unit/storage/memory_file.h"

using namespace tidemark;
using namespace tidemark::storage;

namespace {

constexpr Offset kBase{1000};
constexpr runtime::WallTime kNow{std::chrono::milliseconds(1)};

template <class IndexType>
void check_index(std::span<const std::byte> bytes) {
  MemoryFile file({bytes.begin(), bytes.end()});
  auto parsed = IndexType::parse(kBase, bytes);
  const auto tail = IndexType::load(file, kBase, 3);
  INVARIANT(!parsed || tail, "a good index with a bad tail");
  if (!parsed) {
    // Whatever the order of its entries, a search ends and stays inside of the file.
    (void)IndexType::lookup_in_file(file, kBase, bytes.size() / 8 + 1, typename IndexType::Key{5});
    return;
  }
  INVARIANT(tail->last() == parsed->last() && tail->size() == parsed->size(), "another tail");
  for (auto key : {typename IndexType::Key{0}, parsed->last().key()}) {
    const auto here = parsed->lookup(key);
    const auto there = IndexType::lookup_in_file(file, kBase, parsed->size(), key);
    INVARIANT(here && there && *here == *there, "memory and file disagree");
  }
  INVARIANT(parsed->unwritten_bytes().empty() && parsed->file_bytes() == bytes.size(), "sizes disagree");
  INVARIANT(parsed->truncate_to(parsed->last().offset), "a truncation in memory");
  INVARIANT(parsed->file_bytes() <= bytes.size(), "a truncation made it longer");
}

void check_checkpoint(std::string_view text) {
  const auto parsed = parse_leader_epoch_checkpoint(text);
  if (!parsed) return;
  const auto again = parse_leader_epoch_checkpoint(encode_leader_epoch_checkpoint(*parsed));
  INVARIANT(again && *again == *parsed, "another checkpoint after a round trip");
}

void check_ours(std::string text) {
  if (text.size() > 12) {
    const uint32_t crc = protocol::crc32c(std::as_bytes(std::span(text)).subspan(12));
    std::memcpy(text.data() + 8, &crc, sizeof crc);
  }
  const auto parsed = decode_producer_snapshot(text, kNow);
  if (!parsed) return;
  const auto again = decode_producer_snapshot(encode_producer_snapshot(parsed->from, parsed->state), kNow);
  INVARIANT(again && again->from == parsed->from && again->state.producers() == parsed->state.producers(),
            "another snapshot after a round trip");
}

void check_kafkas(std::vector<std::byte> bytes) {
  if (bytes.size() > 6) {
    const uint32_t crc = __builtin_bswap32(protocol::crc32c(std::span(bytes).subspan(6)));
    std::memcpy(bytes.data() + 2, &crc, sizeof crc);
  }
  const auto parsed = decode_kafka_producer_snapshot(bytes, Offset(5), kNow);
  if (!parsed) return;
  const auto again = decode_kafka_producer_snapshot(encode_kafka_producer_snapshot(*parsed), Offset(5), kNow);
  INVARIANT(again && again->producers() == parsed->producers(), "another snapshot after a round trip");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return -1;
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 0: check_index<OffsetIndex>(bytes); return 0;
    case 1: check_index<TimeIndex>(bytes); return 0;
    case 2: check_checkpoint(text); return 0;
    case 3: check_ours(std::string(text)); return 0;
    case 4: check_kafkas({bytes.begin(), bytes.end()}); return 0;
    default: return -1;
  }
}
