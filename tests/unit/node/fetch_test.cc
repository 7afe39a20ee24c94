// Fetch on a whole broker.
#include "protocol/batch/batch_iterator.h"
#include "protocol/messages/fetch_request.h"
#include "protocol/messages/fetch_response.h"
#include "tests/unit/node/one_broker.h"

namespace tidemark::simulation {
namespace {

protocol::FetchRequest fetch_of_two(std::string_view topic, int32_t max_bytes) {
  protocol::FetchRequest request;
  request.max_bytes = max_bytes;
  auto& wanted = request.topics.emplace_back();
  wanted.topic = topic;
  for (const int32_t index : {0, 1}) {
    auto& partition = wanted.partitions.emplace_back();
    partition.partition = index;
    partition.partition_max_bytes = 1 << 20;
  }
  return request;
}

}  // namespace

TEST_CASE("what a fetch has no room for is cut between batches, never inside a partition's first") {
  OneBroker world;
  world.options.shards = 2;
  world.start();
  REQUIRE(world.create_topic("tide", 2) == ErrorCode::NONE);
  REQUIRE(world.produce("tide", 0, 1'000) == ErrorCode::NONE);
  const size_t first = world.last_batch_bytes;
  for (int i = 0; i < 4; ++i) REQUIRE(world.produce("tide", 1, 300) == ErrorCode::NONE);
  const size_t small = world.last_batch_bytes;

  const auto sizes_with = [&](size_t room) {
    const auto request = fetch_of_two("tide", static_cast<int32_t>(room));
    const auto reply = world.ask<protocol::FetchResponse>(request, 12);
    std::vector<size_t> sizes;
    for (const auto& topic : reply.body.responses)
      for (const auto& partition : topic.partitions) sizes.push_back(partition.records.size());
    return sizes;
  };
  CHECK(sizes_with(first + small / 2) == std::vector<size_t>{first, 0});
  CHECK(sizes_with(first + small + small / 2) == std::vector<size_t>{first, small});
  CHECK(sizes_with(first + 2 * small) == std::vector<size_t>{first, 2 * small});
  CHECK(sizes_with(10) == std::vector<size_t>{first, 0});
}

TEST_CASE(
    "a fetch of very many partitions waits for a moment, and none waits where there is no memory for it") {
  OneBroker world;
  world.options.config.properties["memory.limit"] = "33554432";
  world.options.config.broker =
      config::resolve_broker_config({nullptr, nullptr, &world.options.config.properties});
  world.start();
  REQUIRE(world.create_topic("tide", 2) == ErrorCode::NONE);
  protocol::FetchRequest request;
  request.min_bytes = 1;
  request.max_wait_ms = 60'000;
  auto& wanted = request.topics.emplace_back();
  wanted.topic = "tide";
  wanted.partitions.resize(3'000);  // of one: there is no session to pay for them
  const auto took = [&](auto&& call) {
    const runtime::MonoTime before = world.time.mono();
    call();
    return world.time.mono() - before;
  };
  std::optional<int32_t> throttle;
  const auto fetch = [&] { throttle = world.ask<protocol::FetchResponse>(request, 4).body.throttle_time_ms; };
  CHECK(took(fetch) < std::chrono::seconds(2));
  CHECK(took(fetch) > std::chrono::milliseconds(900));
  CHECK(throttle == 0);

  // Those that wait have at most half of the memory for elements.
  for (int i = 0; i < 2; ++i) world.begin<protocol::FetchResponse>(request, 4);
  world.connect();  // answers leave in order
  CHECK(took(fetch) < std::chrono::milliseconds(100));
  CHECK(throttle == 1'000);
  CHECK(world.create_topic("other", 1) == ErrorCode::NONE);
  CHECK(took(fetch) > std::chrono::milliseconds(900));  // and it has come back
  CHECK(throttle == 0);
}

TEST_CASE("a failed disk is NOT_LEADER_OR_FOLLOWER to clients that are older than its error") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 2) == ErrorCode::NONE);
  world.disk.faults.sync_fails = 1;
  REQUIRE(world.produce("tide", 0, 100) == ErrorCode::KAFKA_STORAGE_ERROR);
  const auto request = fetch_of_two("tide", 1 << 20);
  for (const int16_t version : {4, 5, 6, 12}) {
    const auto reply = world.ask<protocol::FetchResponse>(request, version);
    const auto expected = version < 6 ? ErrorCode::NOT_LEADER_OR_FOLLOWER : ErrorCode::KAFKA_STORAGE_ERROR;
    for (const auto& partition : reply.body.responses.at(0).partitions)
      CHECK(static_cast<ErrorCode>(partition.error_code) == expected);
  }
}

}  // namespace tidemark::simulation
