// What genuine Kafka (4.3) answers where it is easy to answer something else, on a whole broker.
#include "protocol/messages/delete_records_request.h"
#include "protocol/messages/delete_records_response.h"
#include "protocol/messages/describe_cluster_request.h"
#include "protocol/messages/describe_cluster_response.h"
#include "protocol/messages/describe_topic_partitions_request.h"
#include "protocol/messages/describe_topic_partitions_response.h"
#include "protocol/messages/find_coordinator_request.h"
#include "protocol/messages/find_coordinator_response.h"
#include "protocol/messages/incremental_alter_configs_request.h"
#include "protocol/messages/incremental_alter_configs_response.h"
#include "protocol/messages/init_producer_id_request.h"
#include "protocol/messages/init_producer_id_response.h"
#include "protocol/messages/list_offsets_request.h"
#include "protocol/messages/list_offsets_response.h"
#include "protocol/messages/offset_for_leader_epoch_request.h"
#include "protocol/messages/offset_for_leader_epoch_response.h"
#include "tests/unit/node/one_broker.h"

namespace tidemark::simulation {
namespace {

constexpr int32_t kNotAsked = INT32_MIN;
constexpr int32_t kTopicOperations = 3576;
constexpr int32_t kClusterOperations = 8096;

ErrorCode code_of(int16_t number) { return static_cast<ErrorCode>(number); }

ErrorCode alter(OneBroker& world, int8_t type, std::string_view name, std::string_view key,
                std::string_view value) {
  protocol::IncrementalAlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = type;
  resource.resource_name = name;
  auto& config = resource.configs.emplace_back();
  config.name = key;
  config.value = value;
  const auto reply = world.ask<protocol::IncrementalAlterConfigsResponse>(request, 1);
  const auto& row = reply.body.responses.at(0);
  CHECK(row.error_message.has_value() == (row.error_code != 0));
  return code_of(row.error_code);
}

// (epoch, end offset)
std::pair<int32_t, int64_t> end_of_epoch(OneBroker& world, int32_t epoch) {
  protocol::OffsetForLeaderEpochRequest request;
  auto& topic = request.topics.emplace_back();
  topic.topic = "tide";
  topic.partitions.emplace_back().leader_epoch = epoch;
  const auto reply = world.ask<protocol::OffsetForLeaderEpochResponse>(request, 4);
  const auto& row = reply.body.topics.at(0).partitions.at(0);
  CHECK(code_of(row.error_code) == ErrorCode::NONE);
  return {row.leader_epoch, row.end_offset};
}

int32_t epoch_of_earliest(OneBroker& world) {
  protocol::ListOffsetsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "tide";
  topic.partitions.emplace_back().timestamp = -2;
  const auto reply = world.ask<protocol::ListOffsetsResponse>(request, 7);
  return reply.body.topics.at(0).partitions.at(0).leader_epoch;
}

int32_t leader_epoch(OneBroker& world) {
  protocol::MetadataRequest request;
  request.topics.emplace();
  request.topics->emplace_back().name = "tide";
  return world.ask<protocol::MetadataResponse>(request, 9).body.topics.at(0).partitions.at(0).leader_epoch;
}

}  // namespace

TEST_CASE("without access control a client may do everything, where it asks") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 1) == ErrorCode::NONE);

  protocol::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  request.topics.emplace();
  request.topics->emplace_back().name = "tide";
  request.topics->emplace_back().name = "missing";
  auto reply = world.ask<protocol::MetadataResponse>(request, 10);
  CHECK(reply.body.cluster_authorized_operations == kNotAsked);
  CHECK(reply.body.topics.at(0).topic_authorized_operations == kNotAsked);
  request.include_cluster_authorized_operations = true;
  request.include_topic_authorized_operations = true;
  reply = world.ask<protocol::MetadataResponse>(request, 10);
  CHECK(reply.body.cluster_authorized_operations == kClusterOperations);
  for (const auto& topic : reply.body.topics) CHECK(topic.topic_authorized_operations == kTopicOperations);
  request.topics = std::nullopt;
  reply = world.ask<protocol::MetadataResponse>(request, 10);
  CHECK(reply.body.topics.at(0).topic_authorized_operations == kTopicOperations);

  protocol::DescribeClusterRequest cluster;
  CHECK(world.ask<protocol::DescribeClusterResponse>(cluster, 1).body.cluster_authorized_operations ==
        kNotAsked);
  cluster.include_cluster_authorized_operations = true;
  CHECK(world.ask<protocol::DescribeClusterResponse>(cluster, 1).body.cluster_authorized_operations ==
        kClusterOperations);

  protocol::DescribeTopicPartitionsRequest topics;
  topics.topics.emplace_back().name = "tide";
  const auto described = world.ask<protocol::DescribeTopicPartitionsResponse>(topics, 0);
  CHECK(described.body.topics.at(0).topic_authorized_operations == kTopicOperations);
}

TEST_CASE("a leader's epoch is known before anything is appended in it") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 1) == ErrorCode::NONE);
  const int32_t first = leader_epoch(world);
  CHECK(end_of_epoch(world, first) == std::pair(first, int64_t{0}));
  CHECK(epoch_of_earliest(world) == first);
  CHECK(end_of_epoch(world, first + 1) == std::pair(-1, int64_t{-1}));

  REQUIRE(world.produce("tide", 0, 10) == ErrorCode::NONE);
  world.crash(CrashKind::kill);
  world.start();
  const int32_t second = leader_epoch(world);
  REQUIRE(second > first);
  CHECK(end_of_epoch(world, second) == std::pair(second, int64_t{1}));
  CHECK(end_of_epoch(world, first) == std::pair(first, int64_t{1}));
  CHECK(epoch_of_earliest(world) == first);
  REQUIRE(world.produce("tide", 0, 10) == ErrorCode::NONE);
  CHECK(end_of_epoch(world, second) == std::pair(second, int64_t{2}));
  CHECK(end_of_epoch(world, first) == std::pair(first, int64_t{1}));
}

TEST_CASE("a duplicate has the original's append time, where the broker's clock sets it") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 1) == ErrorCode::NONE);
  SimBatch batch;
  batch.producer = ProducerId(7);
  batch.producer_epoch = ProducerEpoch(0);
  batch.base_sequence = 0;
  const auto append_time = [&] {
    const auto reply = world.produce_reply("tide", 0, batch);
    const auto& row = reply.body.responses.at(0).partition_responses.at(0);
    REQUIRE(code_of(row.error_code) == ErrorCode::NONE);
    CHECK(row.base_offset == batch.base_sequence);
    world.time.run_until(world.time.mono() + std::chrono::seconds(1));
    return row.log_append_time_ms;
  };
  CHECK(append_time() == -1);
  CHECK(append_time() == -1);
  REQUIRE(alter(world, 2, "tide", "message.timestamp.type", "LogAppendTime") == ErrorCode::NONE);
  batch.base_sequence = 1;
  const int64_t first = append_time();
  CHECK(first > 0);
  CHECK(append_time() == first);
}

TEST_CASE("a topic that neither deletes nor compacts can be cut from its front") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 1) == ErrorCode::NONE);
  REQUIRE(world.produce("tide", 0, 10) == ErrorCode::NONE);
  const auto cut = [&] {
    protocol::DeleteRecordsRequest request;
    request.timeout_ms = 1'000;
    auto& topic = request.topics.emplace_back();
    topic.name = "tide";
    topic.partitions.emplace_back().offset = 0;
    const auto reply = world.ask<protocol::DeleteRecordsResponse>(request, 2);
    return code_of(reply.body.topics.at(0).partitions.at(0).error_code);
  };
  CHECK(cut() == ErrorCode::NONE);
  REQUIRE(alter(world, 2, "tide", "cleanup.policy", "") == ErrorCode::NONE);
  CHECK(cut() == ErrorCode::NONE);
}

TEST_CASE("a page of topic partitions begins at a partition of a topic that is asked for") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 2) == ErrorCode::NONE);
  const auto page = [&](std::string_view from, int32_t partition) {
    protocol::DescribeTopicPartitionsRequest request;
    request.topics.emplace_back().name = "tide";
    auto& cursor = request.cursor.emplace();
    cursor.topic_name = from;
    cursor.partition_index = partition;
    return world.ask<protocol::DescribeTopicPartitionsResponse>(request, 0);
  };
  const auto good = page("tide", 1);
  CHECK(code_of(good.body.topics.at(0).error_code) == ErrorCode::NONE);
  CHECK(good.body.topics.at(0).partitions.size() == 1);
  for (const auto& [from, partition] :
       std::vector<std::pair<std::string_view, int32_t>>{{"tide", -1}, {"zone", 0}, {"a", 0}}) {
    INFO(from << " " << partition);
    const auto refused = page(from, partition);
    REQUIRE(refused.body.topics.size() == 1);
    CHECK(code_of(refused.body.topics[0].error_code) == ErrorCode::INVALID_REQUEST);
    CHECK(refused.body.topics[0].partitions.empty());
  }
}

TEST_CASE("a producer names both its id and its epoch, or neither") {
  OneBroker world;
  world.start();
  const auto ask = [&](int64_t id, int16_t epoch) {
    protocol::InitProducerIdRequest request;
    request.transactional_id = std::nullopt;
    request.transaction_timeout_ms = 1'000;
    request.producer_id = id;
    request.producer_epoch = epoch;
    const auto reply = world.ask<protocol::InitProducerIdResponse>(request, 4);
    CHECK((reply.body.producer_id >= 0) == (reply.body.error_code == 0));
    CHECK(reply.body.producer_epoch == (reply.body.error_code == 0 ? 0 : -1));
    return code_of(reply.body.error_code);
  };
  CHECK(ask(-1, -1) == ErrorCode::NONE);
  CHECK(ask(5, 0) == ErrorCode::NONE);
  CHECK(ask(5, -1) == ErrorCode::INVALID_REQUEST);
  CHECK(ask(-1, 0) == ErrorCode::INVALID_REQUEST);
}

TEST_CASE("metadata take topic ids from version 12 on") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 1) == ErrorCode::NONE);
  protocol::MetadataRequest request;
  request.topics.emplace();
  request.topics->emplace_back().name = "tide";
  const Uuid id = world.ask<protocol::MetadataResponse>(request, 12).body.topics.at(0).topic_id;
  request.topics->at(0).topic_id = id;
  for (const int16_t version : {10, 11, 12}) {
    INFO(version);
    const auto reply = world.ask<protocol::MetadataResponse>(request, version);
    REQUIRE(reply.body.topics.size() == 1);
    CHECK(reply.body.topics[0].topic_id == id);
    CHECK(code_of(reply.body.topics[0].error_code) ==
          (version < 12 ? ErrorCode::INVALID_REQUEST : ErrorCode::NONE));
  }
}

TEST_CASE("there is no coordinator for keys of an unknown type") {
  OneBroker world;
  world.start();
  const auto ask = [&](int8_t type, int16_t version) {
    protocol::FindCoordinatorRequest request;
    request.key_type = type;
    if (version < 4) {
      request.key = "k";
    } else {
      request.coordinator_keys.push_back("k");
    }
    const auto reply = world.ask<protocol::FindCoordinatorResponse>(request, version);
    return code_of(version < 4 ? reply.body.error_code : reply.body.coordinators.at(0).error_code);
  };
  for (const int16_t version : {3, 4, 6}) {
    CHECK(ask(0, version) == ErrorCode::NONE);
    CHECK(ask(1, version) == ErrorCode::COORDINATOR_NOT_AVAILABLE);
    CHECK(ask(7, version) == ErrorCode::INVALID_REQUEST);
  }
  CHECK(ask(2, 5) == ErrorCode::INVALID_REQUEST);
}

TEST_CASE("a created topic has no error message, not an empty one") {
  OneBroker world;
  world.start();
  protocol::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "tide";
  topic.num_partitions = 1;
  topic.replication_factor = 1;
  const auto reply = world.ask<protocol::CreateTopicsResponse>(request, 7);
  CHECK(reply.body.topics.at(0).error_code == 0);
  CHECK_FALSE(reply.body.topics.at(0).error_message.has_value());
}

TEST_CASE("a setting that means nothing here is taken with one warning") {
  OneBroker world;
  world.start();
  const auto warnings = [&](std::string_view setting) {
    return std::ranges::count_if(world.log, [&](const std::string& line) {
      return line.starts_with("setting is ignored") && line.find(setting) != std::string::npos;
    });
  };
  CHECK(alter(world, 4, "", "num.io.threads", "9") == ErrorCode::NONE);
  CHECK(warnings("num.io.threads") == 1);
  CHECK(alter(world, 4, "", "num.io.threads", "9") == ErrorCode::NONE);
  CHECK(alter(world, 4, "", "log.retention.ms", "9000") == ErrorCode::NONE);
  CHECK(warnings("") == 1);
}

}  // namespace tidemark::simulation
