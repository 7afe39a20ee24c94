// Requests that name the same thing more than once, on a whole broker.
#include "protocol/messages/describe_configs_request.h"
#include "protocol/messages/describe_configs_response.h"
#include "protocol/messages/list_offsets_request.h"
#include "protocol/messages/list_offsets_response.h"
#include "tests/unit/node/one_broker.h"

namespace tidemark::simulation {
namespace {
constexpr size_t kTimes = 1'000;
}

TEST_CASE("creating a topic that is named again and again is refused in one row") {
  OneBroker world;
  world.start();
  protocol::CreateTopicsRequest request;
  const auto add = [&](std::string_view name) {
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = 1;
    topic.replication_factor = 1;
  };
  add("before");
  for (size_t i = 0; i < kTimes; ++i) add("twice");
  add("behind");

  const auto reply = world.ask<protocol::CreateTopicsResponse>(request, 7);
  std::vector<std::pair<std::string, ErrorCode>> rows;
  for (const auto& topic : reply.body.topics)
    rows.emplace_back(topic.name, static_cast<ErrorCode>(topic.error_code));
  CHECK(rows == std::vector<std::pair<std::string, ErrorCode>>{{"before", ErrorCode::NONE},
                                                               {"twice", ErrorCode::INVALID_REQUEST},
                                                               {"behind", ErrorCode::NONE}});
  CHECK(reply.body.topics.at(1).error_message.value_or("") == "Duplicate topic name.");
  CHECK(reply.body.topics.at(1).num_partitions == -1);
}

TEST_CASE("a missing topic that metadata are asked for again and again is made, and described once") {
  OneBroker world;
  world.start();
  protocol::MetadataRequest request;
  request.allow_auto_topic_creation = true;
  request.topics.emplace();
  for (size_t i = 0; i < kTimes; ++i) request.topics->emplace_back().name = "twice";

  const auto reply = world.ask<protocol::MetadataResponse>(request, 9);
  REQUIRE(reply.body.topics.size() == 1);
  CHECK(reply.body.topics[0].name.value_or("") == "twice");
  CHECK(reply.body.topics[0].error_code == 0);
  CHECK(reply.body.topics[0].partitions.size() == 1);
}

TEST_CASE("a topic that is named by its id again and again is described once, and names beside it are not") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 3) == ErrorCode::NONE);
  protocol::MetadataRequest request;
  request.topics.emplace();
  request.topics->emplace_back().name = "tide";
  const Uuid id = world.ask<protocol::MetadataResponse>(request, 12).body.topics.at(0).topic_id;
  for (int i = 0; i < 2; ++i) {
    auto& topic = request.topics->emplace_back();
    topic.name = std::nullopt;
    topic.topic_id = id;
  }
  const auto reply = world.ask<protocol::MetadataResponse>(request, 12);
  REQUIRE(reply.body.topics.size() == 1);
  CHECK(reply.body.topics[0].topic_id == id);
  CHECK(reply.body.topics[0].partitions.size() == 3);
}

TEST_CASE("a partition that ListOffsets names twice is refused once") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 2) == ErrorCode::NONE);
  protocol::ListOffsetsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "tide";
  for (const int32_t index : {0, 1, 0}) {
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = index;
    partition.timestamp = -1;
  }
  const auto reply = world.ask<protocol::ListOffsetsResponse>(request, 7);
  std::vector<std::pair<int32_t, ErrorCode>> rows;
  for (const auto& partition : reply.body.topics.at(0).partitions)
    rows.emplace_back(partition.partition_index, static_cast<ErrorCode>(partition.error_code));
  CHECK(rows ==
        std::vector<std::pair<int32_t, ErrorCode>>{{0, ErrorCode::INVALID_REQUEST}, {1, ErrorCode::NONE}});
}

TEST_CASE("a resource whose settings are asked for again in the same words is described once") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 1) == ErrorCode::NONE);
  protocol::DescribeConfigsRequest request;
  const auto add = [&](std::optional<std::vector<std::string_view>> keys) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = 2;
    resource.resource_name = "tide";
    resource.configuration_keys = std::move(keys);
  };
  for (size_t i = 0; i < kTimes; ++i) add(std::nullopt);
  add(std::vector<std::string_view>{"retention.ms"});
  const auto reply = world.ask<protocol::DescribeConfigsResponse>(request, 4);
  REQUIRE(reply.body.results.size() == 2);
  CHECK(reply.body.results[0].configs.size() > 20);
  CHECK(reply.body.results[1].configs.size() == 1);
}

TEST_CASE("what an answer about settings has no memory for is refused, and the memory comes back") {
  OneBroker world;
  world.options.config.broker.memory_limit = 32 << 20;
  world.start();
  protocol::MetadataRequest who;
  who.topics.emplace();
  const int32_t node = world.ask<protocol::MetadataResponse>(who, 9).body.brokers.at(0).node_id;
  std::vector<std::string> names;
  for (size_t i = 0; i < 300; ++i) names.push_back(std::string(i, '0') + std::to_string(node));
  protocol::DescribeConfigsRequest request;
  request.include_documentation = true;
  request.include_synonyms = true;
  for (const std::string& name : names) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = 4;
    resource.resource_name = name;
    resource.configuration_keys = std::nullopt;
  }
  size_t served_first = 0;
  for (int round = 0; round < 2; ++round) {
    const auto reply = world.ask<protocol::DescribeConfigsResponse>(request, 4);
    REQUIRE(reply.body.results.size() == names.size());
    size_t served = 0;
    while (served < names.size() && reply.body.results[served].error_code == 0) {
      CHECK_FALSE(reply.body.results[served].configs.empty());
      ++served;
    }
    CHECK(served > 10);
    CHECK(served < names.size());
    for (size_t i = served; i < names.size(); ++i) {
      const auto& row = reply.body.results[i];
      CHECK(static_cast<ErrorCode>(row.error_code) == ErrorCode::POLICY_VIOLATION);
      CHECK(row.configs.empty());
    }
    if (round == 1) CHECK(served == served_first);
    served_first = served;
  }
}

}  // namespace tidemark::simulation
