// Which partitions' offsets are shown, and what they say.
#include "broker/partition_offsets.h"

#include "tests/unit/node/one_broker.h"

namespace tidemark::simulation {

TEST_CASE("offsets are told of the largest logs, and of none that is offline") {
  OneBroker world;
  world.start();
  REQUIRE(world.create_topic("tide", 4) == ErrorCode::NONE);
  REQUIRE(world.produce("tide", 1, 1000) == ErrorCode::NONE);
  REQUIRE(world.produce("tide", 3, 2000) == ErrorCode::NONE);
  REQUIRE(world.produce("tide", 3, 10) == ErrorCode::NONE);
  REQUIRE(world.produce("tide", 2, 10) == ErrorCode::NONE);
  broker::Shard& shard = *world.broker->node().shards().at(0);

  CHECK(broker::largest_offsets(shard, 100).size() == 4);
  const auto two = broker::largest_offsets(shard, 2);
  REQUIRE(two.size() == 2);
  for (const auto& of : two) {
    CHECK(of.topic == "tide");
    const Offset end(of.partition == PartitionId(3) ? 2 : 1);
    CHECK((of.partition == PartitionId(1) || of.partition == PartitionId(3)));
    CHECK(of.log_start == Offset(0));
    CHECK(of.durable == end);
    CHECK(of.high_watermark == end);
    CHECK(of.log_end == end);
  }

  world.disk.faults.sync_fails = 1;
  CHECK(world.produce("tide", 1, 10) == ErrorCode::KAFKA_STORAGE_ERROR);
  CHECK(broker::largest_offsets(shard, 100).empty());
}

}  // namespace tidemark::simulation
