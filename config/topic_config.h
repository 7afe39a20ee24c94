// The settings of one topic as typed values: what storage and the broker's APIs read. A plain value, made by
// resolve_topic_config() (resolver.h) and copied freely; nothing here looks at text. Field names are Kafka's
// with dots made underscores; times are milliseconds, sizes bytes; the defaults are Kafka 4.3's.
#pragma once

#include <cstdint>
#include <limits>

#include "protocol/batch/header.h"

namespace tidemark::config {

inline constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
inline constexpr int64_t kUnlimited = -1;

// `compression.type`: `producer` keeps the codec that a batch came with.
enum class Compression : uint8_t { producer, uncompressed, gzip, snappy, lz4, zstd };

struct TopicConfig {
  // `cleanup.policy` is a set of two.
  bool cleanup_delete = true;
  bool cleanup_compact = false;

  Compression compression_type = Compression::producer;
  int32_t compression_gzip_level = -1;  // -1: the library's own
  int32_t compression_lz4_level = 9;
  int32_t compression_zstd_level = 3;

  int64_t retention_ms = 604'800'000;    // kUnlimited: no limit
  int64_t retention_bytes = kUnlimited;  // per partition
  int64_t delete_retention_ms = 86'400'000;
  int64_t file_delete_delay_ms = 60'000;

  int32_t segment_bytes = 1 << 30;
  int64_t segment_ms = 604'800'000;
  int64_t segment_jitter_ms = 0;
  int32_t segment_index_bytes = 10 << 20;
  int32_t index_interval_bytes = 4096;
  bool preallocate = false;

  int32_t max_message_bytes = 1'048'588;
  protocol::TimestampType message_timestamp_type = protocol::TimestampType::create_time;
  int64_t message_timestamp_before_max_ms = kForever;
  int64_t message_timestamp_after_max_ms = 3'600'000;

  double min_cleanable_dirty_ratio = 0.5;
  int64_t min_compaction_lag_ms = 0;
  int64_t max_compaction_lag_ms = kForever;

  int32_t min_insync_replicas = 1;  // capped by the number of replicas where it is used, as Kafka 4.3 does
  bool unclean_leader_election_enable = false;

  // Ours: page-cache durability instead of the journal's. The two flush settings count only then.
  bool write_caching = false;
  int64_t flush_messages = kForever;
  int64_t flush_ms = kForever;

  bool operator==(const TopicConfig&) const = default;
};

}  // namespace tidemark::config
