#include "replication/controller/directories.h"

#include "tests/unit/replication/world.h"

namespace tidemark::replication::testing {
namespace {

const Uuid kFirst = Uuid::from_halves(5, 1);
const Uuid kSecond = Uuid::from_halves(5, 2);
const Uuid kThird = Uuid::from_halves(5, 3);

Uuid directory(const World& world, int32_t partition) {
  return world.image().topic("tide")->partition(PartitionId(partition))->directories.at(0);
}

}  // namespace

TEST_CASE("a broker of several folders says itself where it has made a replica (KIP-858)") {
  World world;
  world.start_term();
  BrokerRegistration registration;
  registration.log_dirs = {kFirst, kSecond};
  world.start_broker(BrokerId(1), registration);
  REQUIRE(world.create({"tide", 2, 1, {}, {}}).error.ok());
  CHECK(directory(world, 0) == kUnassignedDirectory);
  const Uuid topic = world.image().topic("tide")->id;
  const auto epoch_before = world.image().topic("tide")->partition(PartitionId(0))->leader_epoch;

  const std::vector<DirectoryAssignment> both{{{topic, PartitionId(0)}, kFirst},
                                              {{topic, PartitionId(1)}, kSecond}};
  CHECK(world.commit(world.controller().assign_directories(BrokerId(1), both)).ok());
  CHECK(directory(world, 0) == kFirst);
  CHECK(directory(world, 1) == kSecond);
  // No new leadership, and what is said already gets no record.
  CHECK(world.image().topic("tide")->partition(PartitionId(0))->leader_epoch == epoch_before);
  CHECK(world.controller().assign_directories(BrokerId(1), both).records.empty());
  CHECK(*world.replay() == world.image());

  CHECK(world.controller().assign_directories(BrokerId(9), both).records.empty());
  const std::vector<DirectoryAssignment> unknown{{{topic, PartitionId(1)}, kFirst},
                                                 {{topic, PartitionId(2)}, kFirst}};
  const auto refused = world.controller().assign_directories(BrokerId(1), unknown);
  CHECK(refused.response.code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
  CHECK(refused.records.empty());
}

TEST_CASE("where no folder was told, a start without one of them says that the replica is lost") {
  World world;
  world.start_term();
  BrokerRegistration registration;
  registration.log_dirs = {kFirst, kSecond};
  world.start_broker(BrokerId(1), registration);
  REQUIRE(world.create({"tide", 2, 1, {}, {}}).error.ok());
  const Uuid topic = world.image().topic("tide")->id;
  const std::vector<DirectoryAssignment> one{{{topic, PartitionId(0)}, kFirst}};
  REQUIRE(world.commit(world.controller().assign_directories(BrokerId(1), one)).ok());

  world.start_broker(BrokerId(1), registration);
  CHECK(directory(world, 1) == kUnassignedDirectory);
  registration.log_dirs = {kFirst};
  world.start_broker(BrokerId(1), registration);
  CHECK(directory(world, 0) == kFirst);
  CHECK(directory(world, 1) == kLostDirectory);
  // Also when the next start comes without it again, or with it.
  world.start_broker(BrokerId(1), registration);
  CHECK(directory(world, 1) == kLostDirectory);
  registration.log_dirs = {kFirst, kThird};
  world.start_broker(BrokerId(1), registration);
  CHECK(directory(world, 1) == kLostDirectory);
  CHECK(world.image().broker(BrokerId(1))->left_out.size() == 1);
  CHECK(*world.replay() == world.image());
  // All are here: it is in one of them, or was never made.
  registration.log_dirs = {kFirst, kSecond, kThird};
  world.start_broker(BrokerId(1), registration);
  CHECK(directory(world, 0) == kFirst);
  CHECK(directory(world, 1) == kUnassignedDirectory);
  CHECK(*world.replay() == world.image());
}

}  // namespace tidemark::replication::testing
