// The broker's own settings as typed values, and the defaults it gives to topics that set nothing. A plain
// value, made by resolve_broker_config() (resolver.h) at start and again after each dynamic change; who needs
// a field copies it. What cannot change while the node runs and is structure (id, listeners, folders) is in
// node_config.h.
#pragma once

#include <cstdint>
#include <limits>

#include "config/topic_config.h"

namespace tidemark::config {

// Event loops: each has journals of its own.
inline constexpr int32_t kMostShards = 64;

inline constexpr int32_t kNoConnectionLimit = std::numeric_limits<int32_t>::max();

struct BrokerConfig {
  // Topics.
  int32_t num_partitions = 1;
  int32_t default_replication_factor = 1;
  bool auto_create_topics_enable = true;
  bool delete_topic_enable = true;
  int64_t log_retention_check_interval_ms = 300'000;

  // The log cleaner.
  bool log_cleaner_enable = true;
  int64_t log_cleaner_backoff_ms = 15'000;
  int64_t log_cleaner_dedupe_buffer_size = 128 << 20;
  double log_cleaner_io_max_bytes_per_second = std::numeric_limits<double>::max();

  // Connections and requests.
  int32_t max_connections = kNoConnectionLimit;
  int32_t max_connections_per_ip = kNoConnectionLimit;
  int64_t connections_max_idle_ms = 600'000;  // negative: never closed for idleness
  int32_t socket_request_max_bytes = 104'857'600;
  int32_t queued_max_requests = 500;
  int64_t queued_max_request_bytes = kUnlimited;  // kUnlimited: memory_limit alone bounds them
  int32_t fetch_max_bytes = 57'671'680;
  int32_t max_incremental_fetch_session_cache_slots = 1000;
  int32_t max_request_partition_size_limit = 2000;  // DescribeTopicPartitions

  // Client quotas.
  int32_t quota_window_num = 11;
  int32_t quota_window_size_seconds = 1;
  int32_t controller_quota_window_num = 11;
  int32_t controller_quota_window_size_seconds = 1;

  // The metadata log.
  int64_t metadata_log_max_record_bytes_between_snapshots = 20'971'520;
  int64_t metadata_log_max_snapshot_interval_ms = 3'600'000;  // 0: by bytes alone
  int64_t metadata_log_segment_ms = 604'800'000;

  // Producers.
  int32_t producer_id_expiration_ms = 86'400'000;

  // Client metrics: the largest push.
  int32_t telemetry_max_bytes = 1'048'576;

  // Groups, and the topic of their offsets.
  int32_t group_min_session_timeout_ms = 6'000;
  int32_t group_max_session_timeout_ms = 1'800'000;
  int32_t group_initial_rebalance_delay_ms = 3'000;
  int32_t group_max_size = INT32_MAX;
  int32_t offset_metadata_max_bytes = 4'096;
  int32_t offsets_retention_minutes = 10'080;
  int64_t offsets_retention_check_interval_ms = 600'000;
  int32_t offsets_topic_num_partitions = 50;
  int32_t offsets_topic_segment_bytes = 104'857'600;

  // Ours.
  int64_t memory_limit = 0;  // bytes; 0: a quarter of the cgroup's or machine's, at most 1 GiB
  int64_t journal_size = 128 << 20;
  int64_t log_scrub_bytes_per_second = 4 << 20;
  int32_t shards = 0;                          // 0: one per core; kMostShards at most
  int32_t connection_max_in_flight = 64;       // then reading from that connection stops
  int64_t request_queue_time_max_ms = 30'000;  // a request that waited longer is dropped

  TopicConfig topic_defaults;

  bool operator==(const BrokerConfig&) const = default;
};

}  // namespace tidemark::config
