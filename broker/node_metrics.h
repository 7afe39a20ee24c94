// What a node counts beyond its server: produce and fetch, in all and by topic, errors by code, and samples
// of its shards: logs, journals, caches, fetch sessions. Counters have a cell per shard; samples are taken on
// each shard's loop once a second, so that a scrape touches no shard and no request takes a lock. Names
// follow Prometheus' rules; broker/observe/METRICS.md lists them. Outlives the node.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/folder_info.h"
#include "broker/group_metrics.h"
#include "broker/observe/metrics.h"
#include "broker/partition_offsets.h"
#include "broker/server/named_apis.h"
#include "broker/topic_traffic.h"
#include "protocol/error.h"
#include "protocol/ids.h"
#include "protocol/runtime/buffer.h"
#include "protocol/runtime/time.h"

namespace tidemark::storage {
class LogStore;
}

namespace tidemark::broker {

class ClientSeries;
class FetchSessions;
class Usages;

class NodeMetrics {
 public:
  NodeMetrics(Metrics& metrics, size_t shards, size_t folders = 1);
  ~NodeMetrics();
  NodeMetrics(const NodeMetrics&) = delete;
  NodeMetrics& operator=(const NodeMetrics&) = delete;

  // On that shard's loop. NONE counts nothing.
  void count_error(size_t shard, protocol::ApiKey api, int16_t code) {
    const auto index = static_cast<size_t>(code + 1);
    if (code != 0 && index < errors_.size() && errors_[index][0] != nullptr)
      errors_[index][api_row(api)]->add(shard);
  }
  GroupMetrics groups;
  Counter& produce_bytes;
  Counter& produce_records;
  Counter& fetch_bytes;
  const std::unique_ptr<ClientSeries> client_series;  // what clients push; never null
  // The topic's counts on that shard, on its loop; the reference holds until the shard's next sample.
  // REQUIRES: the shard's view has, or had, the topic.
  TopicTraffic& traffic(size_t shard, const Uuid& topic) { return samples_[shard].traffic[topic]; }

  // On the shard's loop.
  void sample(Shard& shard, const FetchSessions& sessions);
  // On shard 0's. `unopened`: partitions of this node that are on no shard.
  void sample_metadata(storage::LogStore& store, size_t unopened, runtime::MonoTime now);
  void sample_quotas(const Usages& usages);
  void sample_memory(const runtime::ByteBudget& answers, const runtime::ByteBudget& elements,
                     const runtime::ByteBudget& sessions);
  // Once.
  static void watch_folders(Metrics& metrics, const FolderInfos& folders);
  static constexpr auto kSampleEvery = std::chrono::seconds(1);

 private:
  using Value = std::atomic<double>;
  struct Journal {
    Value live_bytes{0}, limit_bytes{0}, groups{0}, records{0}, bytes{0}, write_age{0}, starved{0},
        offline{0};
    Value checkpoints{0}, tail_bytes{0}, unwritten_bytes{0}, scrubbed_bytes{0}, scrub_errors{0};
  };
  struct Sample {
    Value partitions{0}, offline{0}, unnamed{0}, sessions{0}, session_partitions{0}, evictions{0};
    Value cleanings{0}, given_up{0}, cleaned_bytes{0}, kept_bytes{0}, uncleanable{0}, dirty_ratio{0},
        overdue{0};
    std::unordered_map<Uuid, TopicTraffic> traffic;  // its loop's
    mutable std::mutex mutex;  // guards what follows; neither side is on a request's path
    std::map<std::string, double> topic_bytes;
    std::map<std::string, TopicTraffic> topic_traffic;
    std::vector<PartitionOffsets> offsets;
  };
  void add_errors(Metrics& metrics);
  void add_traffic(Metrics& metrics);
  void add_offsets(Metrics& metrics);
  void add_cleaner(Metrics& metrics);
  void sample_traffic(Shard& shard);
  void sample_cleaner(Shard& shard);
  void add_journal(Metrics& metrics, Journal& journal, const std::string& name);
  void sample_store(storage::LogStore& store, Journal& journal, runtime::MonoTime now);
  [[nodiscard]] std::vector<std::pair<MetricLabels, double>> topic_bytes() const;
  [[nodiscard]] double sum(Value Sample::* member) const;
  [[nodiscard]] double greatest(Value Sample::* member) const;

  Value quota_clients_{0}, quota_overflows_{0};
  struct Memory {
    Value used{0}, limit{0};
    void sample(const runtime::ByteBudget& memory);
  };
  void add_memory(Metrics& metrics, Memory& memory, const std::string& name, const std::string& help);
  Memory answer_memory_, element_memory_, session_memory_;
  std::vector<std::array<Counter*, kApiRows>> errors_;  // by code + 1, by API
  std::vector<Sample> samples_;                         // by shard
  Value unopened_{0};
  std::vector<Journal> journals_;  // by folder, by shard; the metadata log's last
  NamedTopics named_;              // the scraping thread's, under the mutex of Metrics
};

// The error codes in a response, wherever a body of Kafka's has them.
template <class Body, class Add>
void for_each_error(const Body& body, const Add& add) {
  if constexpr (requires { body.error_code + 0; }) add(body.error_code);
  const auto descend = [&](const auto& parts) {
    for (const auto& part : parts) for_each_error(part, add);
  };
  if constexpr (requires { body.topics.begin(); }) descend(body.topics);
  if constexpr (requires { body.groups.begin(); }) descend(body.groups);
  if constexpr (requires { body.members.begin(); }) descend(body.members);
  if constexpr (requires { body.responses.begin(); }) descend(body.responses);
  if constexpr (requires { body.results.begin(); }) descend(body.results);
  if constexpr (requires { body.partitions.begin(); }) descend(body.partitions);
  if constexpr (requires { body.partition_responses.begin(); }) descend(body.partition_responses);
  if constexpr (requires { body.coordinators.begin(); }) descend(body.coordinators);
  if constexpr (requires { body.entries.begin(); }) descend(body.entries);
  if constexpr (requires { body.replica_election_results.begin(); }) descend(body.replica_election_results);
  if constexpr (requires { body.partition_result.begin(); }) descend(body.partition_result);
}

}  // namespace tidemark::broker
