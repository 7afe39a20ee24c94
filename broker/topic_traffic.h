// What clients did with a topic: Kafka's BrokerTopicMetrics, by topic. Counted on the shard of the
// connection, in a table that only that shard touches; sampled once a second. Values.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "protocol/error.h"

namespace tidemark::broker {

struct TopicTraffic {
  uint64_t messages_in = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t bytes_rejected = 0;    // batches larger than max.message.bytes
  uint64_t produce_requests = 0;  // each partition's counts, as in Kafka
  uint64_t fetch_requests = 0;  // the same; a partition of a session only when there was something to look at
  uint64_t failed_produce_requests = 0;
  uint64_t failed_fetch_requests = 0;

  void count_produce(ErrorCode code, uint64_t bytes, uint64_t records);
  void count_fetch(ErrorCode code, uint64_t bytes);
  TopicTraffic& operator+=(const TopicTraffic& other);
  [[nodiscard]] uint64_t bytes() const { return bytes_in + bytes_out; }
  bool operator==(const TopicTraffic&) const = default;
};

// Which topics have series of their own: a bounded number, the busiest first. One that has a name keeps it
// while the topic exists: a counter that came and went would look as if it began anew. For the same reason
// the others' row never falls: what it has counted of a topic that is gone, or has a name now, it keeps. The
// owner's thread.
class NamedTopics {
 public:
  explicit NamedTopics(size_t most) : most_(most) {}

  // All topics' counts, as so many series at most, and the rest as one; its name is no topic's.
  [[nodiscard]] std::vector<std::pair<std::string, TopicTraffic>> series(
      const std::map<std::string, TopicTraffic>& all);

 private:
  const size_t most_;
  std::set<std::string> named_;
  TopicTraffic unnamed_;  // the sum of those without names, the last time
  TopicTraffic others_;   // by how much it has ever risen
};

inline constexpr std::string_view kOtherTopics = "(others)";

}  // namespace tidemark::broker
