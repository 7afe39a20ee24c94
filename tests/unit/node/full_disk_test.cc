// A whole broker on a disk that fills up.
#include "tests/unit/node/one_broker.h"

namespace tidemark::simulation {

TEST_CASE("a partition that found no room on the disk is opened once there is some") {
  OneBroker world;
  world.options.shards = 2;
  world.start();
  REQUIRE(world.create_topic("before", 1) == ErrorCode::NONE);
  constexpr int32_t kPartitions = 100;
  world.disk.quota_bytes = world.disk.used_bytes() + (20 << 10);
  REQUIRE(world.create_topic("tide", kPartitions) == ErrorCode::NONE);
  int refused = 0;
  for (int32_t p = 0; p < kPartitions; ++p) {
    const ErrorCode code = world.produce("tide", p, 10);
    CHECK((code == ErrorCode::NONE || code == ErrorCode::KAFKA_STORAGE_ERROR));
    refused += code == ErrorCode::NONE ? 0 : 1;
  }
  CHECK(refused > 0);

  world.disk.quota_bytes = uint64_t{1} << 40;
  world.time.run_until(world.time.mono() + std::chrono::seconds(3));
  for (int32_t p = 0; p < kPartitions; ++p) CHECK(world.produce("tide", p, 10) == ErrorCode::NONE);
}

namespace {

SimBatch of_producer(int32_t sequence, size_t bytes) {
  SimBatch batch;
  batch.producer = ProducerId(7);
  batch.producer_epoch = ProducerEpoch(0);
  batch.base_sequence = sequence;
  batch.value_bytes = bytes;
  return batch;
}

}  // namespace

// Seeds 685 and 808 of the node world.
TEST_CASE("on a full disk a small batch does not take the place of the large one before it") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 1) == ErrorCode::NONE);
  REQUIRE(world.produce("tide", 0, 10) == ErrorCode::NONE);
  world.disk.quota_bytes = world.disk.used_bytes() + (2 << 10);
  REQUIRE(world.produce("tide", 0, of_producer(0, 200 << 10)) == ErrorCode::KAFKA_STORAGE_ERROR);
  CHECK(world.produce("tide", 0, of_producer(1, 10)) == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
  CHECK(world.produce("tide", 0, 10) == ErrorCode::NONE);
  world.disk.heal();
  CHECK(world.produce("tide", 0, of_producer(0, 200 << 10)) == ErrorCode::NONE);
  CHECK(world.produce("tide", 0, of_producer(1, 10)) == ErrorCode::NONE);
}

TEST_CASE("a partition that could not be opened does not begin with a producer's second batch") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("before", 1) == ErrorCode::NONE);
  world.disk.quota_bytes = world.disk.used_bytes() + (1 << 10);
  REQUIRE(world.create_topic("tide", 4) == ErrorCode::NONE);
  REQUIRE(world.produce("tide", 3, of_producer(0, 10)) == ErrorCode::KAFKA_STORAGE_ERROR);
  world.disk.heal();
  world.time.run_until(world.time.mono() + std::chrono::seconds(3));
  CHECK(world.produce("tide", 3, of_producer(1, 10)) == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
  CHECK(world.produce("tide", 3, of_producer(0, 10)) == ErrorCode::NONE);
  CHECK(world.produce("tide", 3, of_producer(1, 10)) == ErrorCode::NONE);
}

// Seed 808 of the node world: the shard that had refused the batch did not see it come again on another.
TEST_CASE("a producer whose refused batch came again over another connection goes on over the first") {
  OneBroker world;
  world.options.shards = 2;
  world.start();
  REQUIRE(world.create_topic("before", 1) == ErrorCode::NONE);
  world.disk.quota_bytes = world.disk.used_bytes() + (1 << 10);
  REQUIRE(world.create_topic("tide", 8) == ErrorCode::NONE);
  REQUIRE(world.produce("tide", 7, of_producer(0, 10)) == ErrorCode::KAFKA_STORAGE_ERROR);
  world.disk.heal();
  world.time.run_until(world.time.mono() + std::chrono::seconds(3));
  const auto first = world.connection;
  world.connect();
  REQUIRE(world.produce("tide", 7, of_producer(0, 10)) == ErrorCode::NONE);
  world.connection = first;
  CHECK(world.produce("tide", 7, of_producer(1, 10)) == ErrorCode::NONE);
}

}  // namespace tidemark::simulation
