// What a client may be told, with Kafka's own names and defaults where Kafka has them. A value; times in
// milliseconds, sizes in bytes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/core/assignor.h"
#include "protocol/batch/header.h"
#include "protocol/runtime/stream.h"

namespace tidemark::client {

struct ConnectionOptions {
  std::string client_id = "tidemark";
  int32_t connect_timeout_ms = 10'000;  // socket.connection.setup.timeout.ms
  int32_t request_timeout_ms = 30'000;  // request.timeout.ms: counted from when a request is queued
  int32_t max_in_flight = 64;           // requests of one connection that wait for their answer
  size_t max_response_bytes = size_t{256} << 20;
};

struct ClusterOptions {
  std::vector<runtime::Endpoint> bootstrap;  // bootstrap.servers; at least one
  ConnectionOptions connection;
  int32_t retry_backoff_ms = 100;
  int32_t retry_backoff_max_ms = 1'000;
  int32_t metadata_max_age_ms = 300'000;  // metadata.max.age.ms: then asked for again unprompted
  // How long an operation may try again before its last error is the answer (default.api.timeout.ms).
  int32_t api_timeout_ms = 60'000;
};

enum class Acks : int16_t { all = -1, none = 0, leader = 1 };

struct ProducerOptions {
  Acks acks = Acks::all;
  bool idempotent = true;  // holds with acks=all only
  int32_t linger_ms = 5;
  int32_t batch_bytes = 16'384;           // batch.size: a batch is closed when it would grow beyond it
  int32_t max_request_bytes = 1'048'576;  // max.request.size, which also bounds a single record
  int64_t buffer_bytes = 33'554'432;      // buffer.memory: beyond it append() refuses
  int32_t max_in_flight_per_partition = 5;
  int32_t delivery_timeout_ms = 120'000;
  int32_t request_timeout_ms = 30'000;  // how long the broker may wait for its replicas
  int32_t retry_backoff_ms = 100;
  protocol::CompressionType codec = protocol::CompressionType::none;
};

// auto.offset.reset: where reading goes on when its offset is not in the log (any more).
enum class OffsetReset : uint8_t { none, earliest, latest };

enum class Isolation : int8_t { read_uncommitted = 0, read_committed = 1 };

struct ConsumerOptions {
  Isolation isolation = Isolation::read_uncommitted;
  OffsetReset offset_reset = OffsetReset::none;  // none: the reader gets OFFSET_OUT_OF_RANGE
  int32_t fetch_max_wait_ms = 500;
  int32_t fetch_min_bytes = 1;
  int32_t fetch_max_bytes = 52'428'800;
  int32_t max_partition_fetch_bytes = 1'048'576;
  // Fetched and not yet read, per partition; a partition with this many is not fetched further.
  int32_t max_buffered_fetches = 2;
  int32_t retry_backoff_ms = 100;
  bool check_crcs = true;
};

// A consumer as a member of a group.
struct GroupOptions {
  std::string id;                           // group.id
  std::optional<std::string> instance_id;   // group.instance.id: a static member (KIP-345)
  int32_t session_timeout_ms = 45'000;      // session.timeout.ms
  int32_t heartbeat_interval_ms = 3'000;    // heartbeat.interval.ms
  int32_t max_poll_interval_ms = 300'000;   // max.poll.interval.ms: the rebalance timeout too
  bool auto_commit = true;                  // enable.auto.commit
  int32_t auto_commit_interval_ms = 5'000;  // auto.commit.interval.ms
  // partition.assignment.strategy, the dearest first. All three meet every group of Kafka's clients.
  std::vector<Assignor> assignors = {Assignor::range, Assignor::round_robin, Assignor::cooperative_sticky};
};

struct ClientOptions {
  ClusterOptions cluster;
  ProducerOptions producer;
  ConsumerOptions consumer;
  GroupOptions group;
};

}  // namespace tidemark::client
