#include "replication/partition/refused_producers.h"

#include <catch2/catch.hpp>

namespace tidemark::replication {
namespace {

const TopicIdPartition kHere{Uuid::from_halves(1, 1), PartitionId(0)};
const TopicIdPartition kThere{Uuid::from_halves(1, 1), PartitionId(1)};

const runtime::MonoTime kNow{std::chrono::hours(1)};

protocol::BatchHeader batch(int32_t sequence, int16_t epoch = 0, int64_t producer = 7) {
  protocol::BatchHeader header;
  header.producer_id = ProducerId(producer);
  header.producer_epoch = ProducerEpoch(epoch);
  header.base_sequence = sequence;
  return header;
}

TEST_CASE("what follows a refused batch waits until that one comes again") {
  RefusedProducers refused;
  CHECK_FALSE(refused.holds_back(kHere, batch(5), kNow));
  refused.add(kHere, batch(0), kNow);
  refused.add(kHere, batch(5), kNow);
  CHECK(refused.holds_back(kHere, batch(5), kNow));
  CHECK(refused.holds_back(kHere, batch(9), kNow));
  CHECK_FALSE(refused.holds_back(kThere, batch(5), kNow));
  CHECK_FALSE(refused.holds_back(kHere, batch(5, 0, 8), kNow));
  CHECK_FALSE(refused.holds_back(kHere, batch(0), kNow));
  CHECK_FALSE(refused.holds_back(kHere, batch(5), kNow));
}

TEST_CASE("an earlier batch, whose answer was lost, passes and ends nothing") {
  RefusedProducers refused;
  refused.add(kHere, batch(10), kNow);
  CHECK_FALSE(refused.holds_back(kHere, batch(5), kNow));
  CHECK(refused.holds_back(kHere, batch(15), kNow));
  refused.add(kHere, batch(5), kNow);
  CHECK(refused.holds_back(kHere, batch(10), kNow));
}

TEST_CASE("a producer that starts a new epoch has given its refused batches up") {
  RefusedProducers refused;
  refused.add(kHere, batch(3, 1), kNow);
  CHECK_FALSE(refused.holds_back(kHere, batch(8, 0), kNow));
  CHECK(refused.holds_back(kHere, batch(8, 1), kNow));
  CHECK_FALSE(refused.holds_back(kHere, batch(0, 2), kNow));
  CHECK_FALSE(refused.holds_back(kHere, batch(8, 1), kNow));
}

TEST_CASE("a batch that does not come again within minutes was given up") {
  RefusedProducers refused;
  refused.add(kHere, batch(0), kNow);
  CHECK(refused.holds_back(kHere, batch(5), kNow + std::chrono::minutes(4)));
  CHECK_FALSE(refused.holds_back(kHere, batch(5), kNow + std::chrono::minutes(6)));
  CHECK_FALSE(refused.holds_back(kHere, batch(5), kNow));
}

TEST_CASE("batches without a producer are nobody's successors") {
  RefusedProducers refused;
  refused.add(kHere, batch(0, 0, -1), kNow);
  CHECK_FALSE(refused.holds_back(kHere, batch(5, 0, -1), kNow));
}

TEST_CASE("of too many refused producers the oldest is forgotten") {
  RefusedProducers refused;
  for (int64_t producer = 0; producer <= 1000; ++producer) refused.add(kHere, batch(0, 0, producer), kNow);
  CHECK_FALSE(refused.holds_back(kHere, batch(5, 0, 0), kNow));
  CHECK(refused.holds_back(kHere, batch(5, 0, 1), kNow));
  CHECK(refused.holds_back(kHere, batch(5, 0, 1000), kNow));
}

}  // namespace
}  // namespace tidemark::replication
