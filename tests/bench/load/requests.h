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
// The same batch for each of the partitions.
[[nodiscard]] Frame produce_frame(const std::string& topic, int16_t acks, std::span<const int32_t> partitions,
                                  std::span<const std::byte> batch);
// The first error of a Produce answer, or NONE.
[[nodiscard]] ErrorCode produce_error(std::span<const std::byte> answer);

[[nodiscard]] Frame fetch_frame(const std::string& topic, int32_t partition, int64_t offset);
// Calls `seen` with the mark of each record; the offset to fetch next.
[[nodiscard]] int64_t read_fetch(std::span<const std::byte> answer, int64_t offset,
                                 const std::function<void(uint64_t)>& seen);

}  // namespace tidemark::bench
