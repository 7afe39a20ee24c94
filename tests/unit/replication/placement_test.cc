#include "replication/controller/placement.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

namespace tidemark::replication {

namespace {

struct Cluster {
  MetadataImage image;
  void add(int id, std::optional<std::string> rack = std::nullopt, bool fenced = false) {
    BrokerImage broker;
    broker.id = BrokerId(id);
    broker.rack = std::move(rack);
    broker.fenced = fenced;
    image.brokers.set(broker.id, std::make_shared<const BrokerImage>(broker));
  }
};

}  // namespace

TEST_CASE("partitions spread evenly: no broker leads or holds two more than another, whatever the draw") {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Cluster cluster;
    for (int id = 1; id <= 5; ++id) cluster.add(id);
    runtime::SeededRandom random(seed);
    ReplicaPlacer placer(cluster.image, random);
    REQUIRE(placer.check(3).has_value());
    std::map<BrokerId, int> leaders, replicas;
    for (int partition = 0; partition < 50; ++partition) {
      const auto placed = placer.place(3);
      CHECK(std::set<BrokerId>(placed.begin(), placed.end()).size() == 3);
      ++leaders[placed.front()];
      for (const BrokerId broker : placed) ++replicas[broker];
    }
    for (int id = 1; id <= 5; ++id) {
      CHECK(leaders[BrokerId(id)] == 10);
      CHECK(replicas[BrokerId(id)] == 30);
    }
  }
}

TEST_CASE("the partitions that a broker leads are followed by all others, not by one neighbour") {
  Cluster cluster;
  for (int id = 1; id <= 4; ++id) cluster.add(id);
  runtime::SeededRandom random(3);
  ReplicaPlacer placer(cluster.image, random);
  std::map<BrokerId, std::set<BrokerId>> followers;
  for (int partition = 0; partition < 100; ++partition) {
    const auto placed = placer.place(2);
    followers[placed[0]].insert(placed[1]);
  }
  for (const auto& [leader, of_it] : followers) CHECK(of_it.size() == 3);
}

TEST_CASE("each replica is on a rack of its own while there are racks") {
  Cluster cluster;
  for (int id = 1; id <= 9; ++id) cluster.add(id, std::string(1, static_cast<char>('a' + id % 3)));
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    runtime::SeededRandom random(seed);
    ReplicaPlacer placer(cluster.image, random);
    for (int partition = 0; partition < 30; ++partition) {
      std::set<std::string> racks;
      for (const BrokerId id : placer.place(3)) racks.insert(*cluster.image.broker(id)->rack);
      CHECK(racks.size() == 3);
    }
  }
}

TEST_CASE("with racks too, every broker leads and follows in its turn") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster;
    for (int id = 1; id <= 4; ++id) cluster.add(id, id <= 2 ? "a" : "b");
    runtime::SeededRandom random(seed);
    ReplicaPlacer placer(cluster.image, random);
    std::map<BrokerId, int> leaders, followers;
    for (int partition = 0; partition < 40; ++partition) {
      const auto placed = placer.place(2);
      ++leaders[placed[0]];
      ++followers[placed[1]];
    }
    for (int id = 1; id <= 4; ++id) {
      CHECK(leaders[BrokerId(id)] == 10);
      CHECK(followers[BrokerId(id)] == 10);
    }
  }
}

TEST_CASE("a fenced broker gets a replica only when all active ones have one, and never leads") {
  Cluster cluster;
  cluster.add(1, "a", true);
  cluster.add(2, "a");
  cluster.add(3, "b", true);
  cluster.add(4, "b");
  cluster.add(5, "c", true);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    runtime::SeededRandom random(seed);
    ReplicaPlacer placer(cluster.image, random);
    for (int partition = 0; partition < 10; ++partition) {
      const auto placed = placer.place(5);
      CHECK(std::set<BrokerId>(placed.begin(), placed.end()).size() == 5);
      CHECK_FALSE(cluster.image.broker(placed.front())->fenced);
    }
    const auto two = placer.place(2);
    CHECK_FALSE(cluster.image.broker(two.front())->fenced);
  }
}

TEST_CASE("placement is refused where replicas outnumber brokers or nobody may lead") {
  Cluster cluster;
  runtime::SeededRandom random(1);
  cluster.add(1, std::nullopt, true);
  CHECK(ReplicaPlacer(cluster.image, random).check(1).error().message() ==
        "All brokers are currently fenced.");
  CHECK(ReplicaPlacer(cluster.image, random).check(2).error().code() ==
        ErrorCode::INVALID_REPLICATION_FACTOR);
  cluster.add(1);
  CHECK(ReplicaPlacer(cluster.image, random).check(1).has_value());
  CHECK_FALSE(ReplicaPlacer(cluster.image, random).check(2).has_value());
}

}  // namespace tidemark::replication
