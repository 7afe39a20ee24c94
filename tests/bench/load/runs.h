// The runs: each loads a topic that is there already, for a warm-up and a measured stretch, and reports. One
// thread each; everything that is sent was built before, except in end_to_end.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tests/bench/load/measure.h"
#include "tests/bench/load/requests.h"

namespace tidemark::bench {

struct Load {
  std::string bootstrap;
  std::string topic;
  pid_t broker = 0;
  int32_t partitions = 16;
  int16_t acks = -1;
  size_t connections = 4;
  size_t in_flight = 5;  // of a connection
  size_t record_bytes = 100;
  size_t batch_bytes = 16384;  // no batch is larger, uncompressed; one record at least
  protocol::CompressionType codec = protocol::CompressionType::none;
  size_t batches = 16;      // in a request, each for another partition
  double rate = 1000;       // records a second, where a run is paced
  double linger_s = 0.001;  // of a stream: what is due in that time travels together
  double warmup_s = 2;
  double seconds = 8;
  uint64_t max_bytes = uint64_t{3} << 29;  // acknowledged record bytes, after which a run ends early
};

// As much as it takes: `in_flight` requests of full batches on every connection, always.
[[nodiscard]] nlohmann::json run_max(const Load& load);
// `rate` single records a second, round the partitions, whatever the broker does: those that it is late for
// wait in line, and the wait counts. A partition belongs to one connection.
[[nodiscard]] nlohmann::json run_paced(const Load& load);
// `rate` single records a second into partition 0, read back by a consumer with a long poll: from before the
// record is sent until it is in the consumer's hands.
[[nodiscard]] nlohmann::json run_end_to_end(const Load& load);
// Records into all partitions, read back by the one member of a group, who commits once a second: at `rate`
// in batches of what is due in `linger`, or, with a rate of 0, full batches with `in_flight` requests a
// connection.
[[nodiscard]] nlohmann::json run_stream(const Load& load);
// Reads what stands in the topic, from its beginning to its end, within `seconds`.
[[nodiscard]] nlohmann::json run_catch_up(const Load& load);

}  // namespace tidemark::bench
