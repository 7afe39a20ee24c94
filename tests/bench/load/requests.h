// The requests that the load generator sends, as whole frames, and what their answers say. Made once, before
// anything is measured. Versions that name topics by name, which Tidemark and Kafka 3 and 4 all serve.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "protocol/batch/header.h"
#include "protocol/error.h"
#include "tests/bench/load/wire.h"

namespace tidemark::bench {

using Settings = std::map<std::string, std::string>;

struct BatchShape {
  size_t record_bytes = 100;  // of a record's value
  size_t records = 1;
  protocol::CompressionType codec = protocol::CompressionType::none;
};

// A topic with a name of its own; waits until all of its partitions take a record.
void create_topic(const std::string& bootstrap, const std::string& topic, int32_t partitions,
                  const Settings& settings);
// Until every partition has answered a produce without an error.
void wait_for_partitions(Wire& wire, const std::string& topic, int32_t partitions);
// Until somebody answers there at all.
void wait_for_answer(const std::string& bootstrap, Nanos until);
void delete_topic(const std::string& bootstrap, const std::string& topic);

// A batch whose values are like log lines and differ from record to record; `mark` stands in the first 8
// bytes of each.
[[nodiscard]] std::vector<std::byte> build_batch(const BatchShape& shape, uint64_t mark);
// The same batch, uncompressed, with another mark in its first record.
void mark_batch(std::span<std::byte> batch, uint64_t mark);
// The same batch for each of the partitions.
[[nodiscard]] Frame produce_frame(const std::string& topic, int16_t acks, std::span<const int32_t> partitions,
                                  std::span<const std::byte> batch);
// The first error of a Produce answer, or NONE.
[[nodiscard]] ErrorCode produce_error(std::span<const std::byte> answer);

// Of all partitions of the topic, each from its offset; waits half a second for the first byte.
[[nodiscard]] Frame fetch_frame(const std::string& topic, std::span<const int64_t> offsets);
struct ReadBatch {
  uint64_t mark = 0;  // of its first record; 0 of a compressed one
  size_t records = 0;
  size_t bytes = 0;
};
// Hands over each whole batch, and sets `offsets` to what is to be fetched next.
void read_fetch(std::span<const std::byte> answer, std::span<int64_t> offsets,
                const std::function<void(const ReadBatch&)>& seen);

}  // namespace tidemark::bench
