// ProducerState as bytes, twice. Ours keeps all that the state knows, so that a retry of any of the last five
// batches is still recognised after a restart; it goes into the KeyValueStore, and says of which log it is,
// up to which offset, and the epoch there (durability.md, rule 12). Kafka's `.snapshot` file (version 1)
// keeps each producer's last batch alone; it is read and written for what works with Kafka's files. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/derived_from.h"
#include "storage/producer_state.h"

namespace tidemark::storage {

struct ProducerSnapshot {
  DerivedFrom from;
  ProducerState state;
};
[[nodiscard]] std::string encode_producer_snapshot(const DerivedFrom& from, const ProducerState& state);
// `now`: expiry counts anew. Error: format (a newer version) or corruption; then replay the log instead.
Result<ProducerSnapshot> decode_producer_snapshot(std::string_view bytes, runtime::WallTime now,
                                                  size_t max_producers = kMaxProducersPerLog);
// Reads the head alone, to find the snapshot at or below an offset.
Result<DerivedFrom> decode_producer_snapshot_origin(std::string_view bytes);

// Kafka's `.snapshot` file; its name says the end offset.
[[nodiscard]] std::vector<std::byte> encode_kafka_producer_snapshot(const ProducerState& state);
Result<ProducerState> decode_kafka_producer_snapshot(std::span<const std::byte> bytes, Offset end_offset,
                                                     runtime::WallTime now);

}  // namespace tidemark::storage
