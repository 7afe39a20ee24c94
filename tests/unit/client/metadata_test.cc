// What the client believes of the cluster, and which versions it speaks.
#include <catch2/catch.hpp>

#include "client/core/metadata.h"
#include "client/core/partitioner.h"
#include "client/core/versions.h"

using namespace tidemark;
using namespace tidemark::client;

namespace {

const TopicPartition kPartition{"tide", PartitionId(0)};
const Uuid kId = Uuid::from_halves(1, 2);

protocol::MetadataResponse answer(int32_t leader, int32_t epoch, Uuid id = kId) {
  protocol::MetadataResponse response;
  for (const int32_t broker : {1, 2}) {
    auto& node = response.brokers.emplace_back();
    node.node_id = broker;
    node.host = "h";
    node.port = 9092;
  }
  auto& topic = response.topics.emplace_back();
  topic.name = "tide";
  topic.topic_id = id;
  auto& partition = topic.partitions.emplace_back();
  partition.leader_id = leader;
  partition.leader_epoch = epoch;
  return response;
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

TEST_CASE("an older answer does not bring back an older leader") {
  Metadata metadata;
  metadata.apply(answer(1, 5), false);
  metadata.apply(answer(2, 4), false);
  CHECK(metadata.leader(kPartition) == BrokerId(1));
  metadata.apply(answer(2, 6), false);
  CHECK(metadata.leader(kPartition) == BrokerId(2));
}

TEST_CASE("a recreated topic begins with a new history") {
  Metadata metadata;
  metadata.apply(answer(1, 5), false);
  metadata.apply(answer(2, 0, Uuid::from_halves(3, 4)), false);
  CHECK(metadata.leader(kPartition) == BrokerId(2));
}

TEST_CASE("an answer without the topic does not bring back an older leader either") {
  Metadata metadata;
  metadata.apply(answer(1, 5), false);
  protocol::MetadataResponse failed = answer(-1, -1, Uuid());
  failed.topics[0].error_code = static_cast<int16_t>(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
  failed.topics[0].partitions.clear();
  metadata.apply(failed, false);
  metadata.apply(answer(2, 4), false);
  CHECK(metadata.leader(kPartition) == kNoBroker);
  metadata.apply(answer(2, 5), false);
  CHECK(metadata.leader_at(kPartition) == PartitionLeader{BrokerId(2), LeaderEpoch(5)});
  // Without ids the next topic of the name counts its epochs from the start.
  Metadata old;
  old.apply(answer(1, 5, Uuid()), false);
  old.apply(failed, false);
  old.apply(answer(2, 0, Uuid()), false);
  CHECK(old.leader(kPartition) == BrokerId(2));
}

TEST_CASE("a leader that an answer to a request named is not taken back by older metadata") {
  Metadata metadata;
  metadata.apply(answer(1, 5), false);
  metadata.learn_leader(kPartition, BrokerId(2), LeaderEpoch(6));
  metadata.apply(answer(1, 5), false);
  CHECK(metadata.leader(kPartition) == BrokerId(2));
}

TEST_CASE("leader epochs of brokers that may not keep them up are not counted on") {
  Metadata metadata;
  metadata.apply(answer(1, 5), false, 8);
  CHECK(metadata.leader_at(kPartition) == PartitionLeader{BrokerId(1), kNoLeaderEpoch});
  metadata.apply(answer(2, 4), false, 8);
  CHECK(metadata.leader(kPartition) == BrokerId(2));
}

TEST_CASE("whoever follows the leaders is told that they may have changed") {
  Metadata metadata;
  uint64_t seen = metadata.leaders_version();
  const auto changed = [&] {
    return std::exchange(seen, metadata.leaders_version()) != metadata.leaders_version();
  };
  metadata.apply(answer(1, 5), false);
  CHECK(changed());
  metadata.learn_leader(kPartition, BrokerId(2), LeaderEpoch(5));  // not newer
  CHECK_FALSE(changed());
  metadata.learn_leader(kPartition, BrokerId(2), LeaderEpoch(6));
  CHECK(changed());
  metadata.invalidate(kPartition, LeaderEpoch(6));
  CHECK(changed());
}

TEST_CASE("a leader that denies it is forgotten, unless a newer one is known") {
  Metadata metadata;
  metadata.apply(answer(1, 5), false);
  metadata.invalidate(kPartition, LeaderEpoch(5));
  CHECK(metadata.leader(kPartition) == kNoBroker);
  metadata.learn_leader(kPartition, BrokerId(9), LeaderEpoch(6));  // nobody knows broker 9
  CHECK(metadata.leader(kPartition) == kNoBroker);
  metadata.learn_leader(kPartition, BrokerId(2), LeaderEpoch(6));
  CHECK(metadata.leader(kPartition) == BrokerId(2));
  metadata.invalidate(kPartition, LeaderEpoch(5));
  CHECK(metadata.leader(kPartition) == BrokerId(2));
}

TEST_CASE("an answer about all topics ends those that it lacks") {
  Metadata metadata;
  metadata.apply(answer(1, 5), false);
  protocol::MetadataResponse nothing;
  metadata.apply(nothing, false);
  CHECK(metadata.find_topic("tide") != nullptr);
  metadata.apply(nothing, true);
  CHECK(metadata.find_topic("tide") == nullptr);
}

TEST_CASE("the highest version that both sides have is spoken") {
  protocol::ApiVersionsResponse response;
  auto& metadata = response.api_keys.emplace_back();
  metadata.api_key = 3;
  metadata.min_version = 0;
  metadata.max_version = 99;
  auto& fetch = response.api_keys.emplace_back();
  fetch.api_key = 1;
  fetch.min_version = 0;
  fetch.max_version = 3;  // before ours
  const auto encoded = protocol::encode_message(response, 3);
  REQUIRE(encoded);
  Versions versions;
  const auto outcome = versions.take_answer(encoded->flatten(), 3);
  REQUIRE(outcome);
  CHECK_FALSE(outcome->ask_again);
  CHECK(versions.pick(protocol::ApiKey::Metadata, {0, 13}) == int16_t{13});
  CHECK(versions.pick(protocol::ApiKey::Metadata, {0, 7}) == int16_t{7});
  const auto refused = versions.pick(protocol::ApiKey::Fetch, {4, 18});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::UNSUPPORTED_VERSION);
  CHECK_THAT(refused.error().message(), Catch::Contains("0 to 3"));
  CHECK_FALSE(versions.pick(protocol::ApiKey::Produce, {3, 13}));
}

TEST_CASE("a broker that does not know our ApiVersions is asked again in a version that it knows") {
  protocol::ApiVersionsResponse response;
  response.error_code = static_cast<int16_t>(ErrorCode::UNSUPPORTED_VERSION);
  auto& own = response.api_keys.emplace_back();
  own.api_key = 18;
  own.max_version = 2;
  const auto encoded = protocol::encode_message(response, 0);
  REQUIRE(encoded);
  Versions versions;
  const auto outcome = versions.take_answer(encoded->flatten(), 4);
  REQUIRE(outcome);
  CHECK(outcome->ask_again == int16_t{2});
  // Older ones say nothing but the code.
  response.api_keys.clear();
  const auto bare = protocol::encode_message(response, 0);
  CHECK(versions.take_answer(bare->flatten(), 4)->ask_again == int16_t{0});
}

TEST_CASE("keys go where Kafka's own clients send them") {
  // Values of org.apache.kafka.common.utils.Utils.murmur2, as Kafka's own tests state them.
  CHECK(static_cast<int32_t>(murmur2(bytes_of("21"))) == -973932308);
  CHECK(static_cast<int32_t>(murmur2(bytes_of("foobar"))) == -790332482);
  CHECK(static_cast<int32_t>(murmur2(bytes_of("a-little-bit-long-string"))) == -985981536);
  CHECK(static_cast<int32_t>(murmur2(bytes_of("abc"))) == 479470107);
  CHECK(partition_of_key(bytes_of("abc"), 7) == PartitionId(479470107 % 7));
}

TEST_CASE("keyless records stick to a partition for a batch's worth, then to another") {
  runtime::SeededRandom random(1);
  Partitioner partitioner(random, 100);
  const PartitionId first = partitioner.choose("tide", std::nullopt, 60, 8);
  CHECK(partitioner.choose("tide", std::nullopt, 60, 8) == first);
  CHECK(partitioner.choose("tide", std::nullopt, 60, 8) != first);
}
