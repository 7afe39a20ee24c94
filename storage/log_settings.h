// What a log needs of its topic's settings. Names and defaults are Kafka's.
#pragma once

#include <cstdint>

namespace tidemark::storage {

struct LogSettings {
  uint64_t segment_bytes = 1ULL << 30;
  int64_t segment_ms = 604'800'000;
  int64_t segment_jitter_ms = 0;
  uint64_t segment_index_bytes = 10 << 20;
  uint64_t index_interval_bytes = 4096;
  bool delete_policy = true;    // cleanup.policy holds `delete`
  bool compact_policy = false;  // cleanup.policy holds `compact`
  double min_cleanable_dirty_ratio = 0.5;
  int64_t min_compaction_lag_ms = 0;
  int64_t max_compaction_lag_ms = INT64_MAX;
  int64_t delete_retention_ms = 86'400'000;
  int64_t retention_ms = 604'800'000;  // -1: no limit
  int64_t retention_bytes = -1;        // -1: no limit
  int64_t file_delete_delay_ms = 60'000;
  bool write_caching = false;
  int64_t flush_messages = INT64_MAX;  // write.caching only
  int64_t flush_ms = INT64_MAX;        // write.caching only
  bool keeps_headroom = false;         // LogStoreOptions::headroom_bytes
  bool operator==(const LogSettings&) const = default;
};

}  // namespace tidemark::storage
