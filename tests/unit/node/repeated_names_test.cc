// Requests that name the same thing more than once, on a whole broker.
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

TEST_CASE("a missing topic that metadata are asked for again and again is made") {
  OneBroker world;
  world.start();
  protocol::MetadataRequest request;
  request.allow_auto_topic_creation = true;
  request.topics.emplace();
  for (size_t i = 0; i < kTimes; ++i) request.topics->emplace_back().name = "twice";

  const auto reply = world.ask<protocol::MetadataResponse>(request, 9);
  REQUIRE_FALSE(reply.body.topics.empty());
  for (const auto& topic : reply.body.topics) {
    CHECK(topic.name.value_or("") == "twice");
    CHECK(topic.error_code == 0);
    CHECK(topic.partitions.size() == 1);
  }
}

}  // namespace tidemark::simulation
