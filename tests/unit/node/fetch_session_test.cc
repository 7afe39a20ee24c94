// Incremental fetch sessions (KIP-227) on a whole broker with several shards.
#include <map>

#include "protocol/messages/alter_client_quotas_request.h"
#include "protocol/messages/alter_client_quotas_response.h"
#include "protocol/messages/delete_records_request.h"
#include "protocol/messages/delete_records_response.h"
#include "protocol/messages/delete_topics_request.h"
#include "protocol/messages/delete_topics_response.h"
#include "protocol/messages/fetch_request.h"
#include "protocol/messages/fetch_response.h"
#include "tests/unit/node/one_broker.h"

namespace tidemark::simulation {
namespace {

constexpr int32_t kPartitions = 40;

// A consumer of one topic that keeps a session.
struct Consumer {
  explicit Consumer(OneBroker& w) : world(w) {}

  // The partitions of the response, and how many bytes each has.
  using Told = std::map<int32_t, size_t>;
  Told fetch(std::vector<int32_t> partitions, int32_t max_wait_ms = 0, std::vector<int32_t> forget = {}) {
    protocol::FetchRequest request;
    request.max_bytes = max_bytes;
    request.max_wait_ms = max_wait_ms;
    request.min_bytes = 1;
    request.session_id = session;
    request.session_epoch = epoch;
    if (!partitions.empty()) {
      auto& wanted = request.topics.emplace_back();
      wanted.topic = "tide";
      for (const int32_t index : partitions) {
        auto& partition = wanted.partitions.emplace_back();
        partition.partition = index;
        partition.fetch_offset = offsets[index];
        partition.partition_max_bytes = 1 << 20;
      }
    }
    if (!forget.empty()) {
      auto& topic = request.forgotten_topics_data.emplace_back();
      topic.topic = "tide";
      topic.partitions = std::move(forget);
    }
    const auto reply = world.ask<protocol::FetchResponse>(request, 12);
    REQUIRE(reply.body.error_code == 0);
    session = reply.body.session_id;
    ++epoch;
    Told told;
    order.clear();
    errors.clear();
    for (const auto& topic : reply.body.responses) {
      for (const auto& partition : topic.partitions) {
        CHECK(told.emplace(partition.partition_index, partition.records.size()).second);
        order.push_back(partition.partition_index);
        if (partition.error_code != 0)
          errors[partition.partition_index] = static_cast<ErrorCode>(partition.error_code);
      }
    }
    return told;
  }
  Told begin() {
    std::vector<int32_t> all;
    for (int32_t i = 0; i < kPartitions; ++i) all.push_back(i);
    return fetch(all);
  }

  OneBroker& world;
  int32_t session = 0;
  int32_t epoch = 0;
  int32_t max_bytes = 1 << 20;
  std::map<int32_t, int64_t> offsets;
  std::vector<int32_t> order;
  std::map<int32_t, ErrorCode> errors;
};

struct World : OneBroker {
  explicit World(size_t shards = 3) {
    options.shards = shards;
    start();
    REQUIRE(create_topic("tide", kPartitions) == ErrorCode::NONE);
  }
};

}  // namespace

TEST_CASE("a session's first response names all of its partitions, the others only what is new") {
  World world;
  Consumer consumer(world);
  CHECK(consumer.begin().size() == kPartitions);
  CHECK(consumer.session != 0);
  CHECK(consumer.fetch({}).empty());
  REQUIRE(world.produce("tide", 7, 100) == ErrorCode::NONE);
  REQUIRE(world.produce("tide", 21, 100) == ErrorCode::NONE);
  for (int i = 0; i < 2; ++i) {  // the client has not moved on: they are told again
    const auto told = consumer.fetch({});
    CHECK(told.size() == 2);
    CHECK(told.count(7) + told.count(21) == 2);
    for (const auto& [partition, bytes] : told) CHECK(bytes > 0);
  }
  consumer.offsets[7] = consumer.offsets[21] = 1;
  CHECK(consumer.fetch({7, 21}).empty());
  REQUIRE(world.produce("tide", 7, 100) == ErrorCode::NONE);
  CHECK(consumer.fetch({}, 0, {7}).empty());
  CHECK(consumer.fetch({}).empty());
}

TEST_CASE("what a throttled fetch would have told is told by the next one, also where there are no records") {
  World world(1);
  Consumer consumer(world);
  REQUIRE(world.produce("tide", 21, 100) == ErrorCode::NONE);
  CHECK(consumer.begin().size() == kPartitions);
  consumer.offsets[21] = 1;
  CHECK(consumer.fetch({21}).empty());
  protocol::AlterClientQuotasRequest quotas;
  auto& quota = quotas.entries.emplace_back();
  quota.entity.emplace_back().entity_type = "client-id";
  quota.entity.back().entity_name = std::nullopt;
  auto& rate = quota.ops.emplace_back();
  rate.key = "consumer_byte_rate";
  rate.value = 100;
  const auto altered = world.ask<protocol::AlterClientQuotasResponse>(quotas, 1);
  REQUIRE(altered.body.entries.at(0).error_code == 0);

  REQUIRE(world.produce("tide", 7, 5'000) == ErrorCode::NONE);
  CHECK(consumer.fetch({}).size() == 1);  // who has had nothing gets a batch, whatever it costs
  world.connect();                        // the other one is paused
  protocol::DeleteRecordsRequest trim;
  trim.timeout_ms = 10'000;
  auto& topic = trim.topics.emplace_back();
  topic.name = "tide";
  auto& partition = topic.partitions.emplace_back();
  partition.partition_index = 21;
  partition.offset = 1;
  REQUIRE(world.ask<protocol::DeleteRecordsResponse>(trim, 2).body.topics.at(0).partitions.at(0).error_code ==
          0);
  CHECK(consumer.fetch({}).empty());  // over its quota
  world.time.run_until(world.time.mono() + std::chrono::minutes(5));
  const auto told = consumer.fetch({});
  CHECK(told.contains(7));
  CHECK(told.contains(21));
}

TEST_CASE("with little room in a response, each partition with data has its turn") {
  World world;
  Consumer consumer(world);
  CHECK(consumer.begin().size() == kPartitions);
  for (int32_t i = 0; i < kPartitions; ++i) REQUIRE(world.produce("tide", i, 1'000) == ErrorCode::NONE);
  consumer.max_bytes = static_cast<int32_t>(world.last_batch_bytes * 3);
  std::map<int32_t, int> turns;
  for (int i = 0; i < 2 * kPartitions / 3; ++i) {
    for (const auto& [partition, bytes] : consumer.fetch({})) turns[partition] += bytes > 0 ? 1 : 0;
  }
  CHECK(turns.size() == kPartitions);
  for (const auto& [partition, times] : turns) CHECK((times >= 1 && times <= 3));
}

TEST_CASE("a session waits for whichever of its partitions has something first") {
  World world;
  Consumer consumer(world);
  consumer.begin();
  const auto began = world.time.mono();
  CHECK(consumer.fetch({}, 500).empty());
  CHECK(world.time.mono() - began >= std::chrono::milliseconds(500));
}

TEST_CASE("a deleted topic is unknown to a session, and one of its name is found again") {
  World world;
  Consumer consumer(world);
  consumer.begin();
  protocol::DeleteTopicsRequest request;
  request.topic_names = {"tide"};
  request.timeout_ms = 1'000;
  const auto deleted = world.ask<protocol::DeleteTopicsResponse>(request, 5);
  REQUIRE(deleted.body.responses.at(0).error_code == 0);
  for (int i = 0; i < 2; ++i) {
    CHECK(consumer.fetch({}).size() == kPartitions);
    CHECK(consumer.errors.size() == kPartitions);
    for (const auto& [partition, error] : consumer.errors)
      CHECK((error == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION || error == ErrorCode::NOT_LEADER_OR_FOLLOWER));
  }
  REQUIRE(world.create_topic("tide", kPartitions) == ErrorCode::NONE);
  REQUIRE(world.produce("tide", 3, 100) == ErrorCode::NONE);
  const auto told = consumer.fetch({});
  CHECK(consumer.errors.empty());
  REQUIRE(told.contains(3));
  CHECK(told.at(3) > 0);
}

}  // namespace tidemark::simulation
