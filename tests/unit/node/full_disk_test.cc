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

}  // namespace tidemark::simulation
