// The metadata's snapshots as bytes: what they hold, and what is refused.
#include "replication/controller/snapshot.h"

#include <catch2/catch.hpp>

#include "protocol/batch/batch_iterator.h"
#include "world.h"

namespace tidemark::replication::testing {

namespace {

// An image with something of everything.
void fill(World& world) {
  world.start_term();
  world.start_broker();
  NewTopic topic;
  for (const char* name : {"orders.eu", "orders_eu.old", "plain", "gone"}) {
    topic.name = name;
    topic.partitions = 7;
    world.create(topic);
  }
  world.remove("gone");
  world.grow("plain", 20);
  world.alter_topic("plain", "retention.ms", "7000");
  const std::vector<QuotaAlteration> quotas{{{{"user", "alice"}, {"client-id", std::nullopt}},
                                             {{"producer_byte_rate", 5.0}, {"request_percentage", 1.5}}},
                                            {{{"ip", "10.0.0.1"}}, {{"connection_creation_rate", 3.0}}}};
  world.commit(world.controller().alter_client_quotas(quotas, false));
  world.commit(
      world.controller().allocate_producer_ids(BrokerId(1), world.image().broker(BrokerId(1))->epoch));
  world.start_term();
  world.start_broker();
}

// Who leads the controllers comes with the log behind a snapshot.
MetadataImage without_leader(MetadataImage image) {
  image.controller_id = kNoBroker;
  image.controller_epoch = kNoLeaderEpoch;
  image.voters.clear();
  return image;
}

std::vector<std::byte> snapshot_of(const MetadataImage& image) {
  auto bytes = encode_snapshot(image, 1'795'260'708'728);
  REQUIRE(bytes);
  return *bytes;
}

}  // namespace

TEST_CASE("a snapshot gives back the image that it was taken of") {
  World world;
  fill(world);
  const SnapshotId id = snapshot_id(world.image());
  const auto image = decode_snapshot(snapshot_of(world.image()), id, "cluster");
  REQUIRE(image);
  check_image(**image);
  CHECK(to_json(**image) == to_json(without_leader(world.image())));
  CHECK(**image == without_leader(world.image()));
}

TEST_CASE("a snapshot and the log behind it give the same image as the whole log") {
  World world;
  fill(world);
  const SnapshotId id = snapshot_id(world.image());
  auto image = decode_snapshot(snapshot_of(world.image()), id, "cluster");
  REQUIRE(image);
  const size_t before = world.log().size();
  world.start_term();
  world.start_broker();
  world.remove("plain");
  NewTopic topic;
  topic.name = "later";
  topic.partitions = 2;
  world.create(topic);

  runtime::SeededRandom random(1);
  Controller restored("cluster", BrokerId(1), {}, random);
  restored.restore(*image);
  for (size_t i = before; i < world.log().size(); ++i) REQUIRE(restored.apply_log(world.log()[i].batch));
  CHECK(*restored.image() == world.image());
}

TEST_CASE("a large image takes several batches, and each is whole") {
  World world;
  fill(world);
  NewTopic topic;
  topic.partitions = 10'000;
  for (const char* name : {"large", "larger"}) {
    topic.name = name;
    world.create(topic);
  }
  const auto bytes = snapshot_of(world.image());
  protocol::BatchIterator batches(bytes);
  size_t count = 0;
  while (*batches.next()) ++count;
  CHECK(count > 3);
  const auto image = decode_snapshot(bytes, snapshot_id(world.image()), "cluster");
  REQUIRE(image);
  CHECK(**image == without_leader(world.image()));
}

TEST_CASE("a snapshot that lost any part is refused") {
  World world;
  fill(world);
  const SnapshotId id = snapshot_id(world.image());
  const auto bytes = snapshot_of(world.image());
  for (size_t kept = 0; kept < bytes.size(); ++kept) {
    const auto image = decode_snapshot(std::span(bytes).first(kept), id, "cluster");
    MUST(!image);
    MUST(image.error().kind() == ErrorKind::corruption);
  }
  // Whole batches, and only the footer is missing: nothing else would tell.
  protocol::BatchIterator batches(bytes);
  size_t footer = 0;
  for (auto batch = batches.next(); *batch; batch = batches.next())
    footer = bytes.size() - (*batch)->bytes.size();
  const auto cut = decode_snapshot(std::span(bytes).first(footer), id, "cluster");
  REQUIRE(!cut);
  CHECK(cut.error().message().find("no snapshot footer") != std::string::npos);
  auto twice = bytes;
  twice.insert(twice.end(), bytes.begin(), bytes.end());
  CHECK(!decode_snapshot(twice, id, "cluster"));
}

TEST_CASE("a snapshot with a flipped bit is refused, wherever it flips but in what nobody reads") {
  World world;
  fill(world);
  const SnapshotId id = snapshot_id(world.image());
  const auto bytes = snapshot_of(world.image());
  for (size_t at = 0; at < bytes.size(); ++at) {
    auto damaged = bytes;
    damaged[at] ^= std::byte{0x10};
    MUST(!decode_snapshot(damaged, id, "cluster"));
  }
}

TEST_CASE("a snapshot's name says where and when, as Kafka's does") {
  const SnapshotId id{Offset(1234), LeaderEpoch(7)};
  CHECK(snapshot_name(id) == "00000000000000001234-0000000007.checkpoint");
  CHECK(parse_snapshot_name(snapshot_name(id)) == id);
  for (const char* name : {"00000000000000001234.log", "00000000000000001234-0000000007.checkpoint.part",
                           "0000000000000000123a-0000000007.checkpoint", "-0000000007.checkpoint", "",
                           "99999999999999999999-0000000007.checkpoint"})
    CHECK(parse_snapshot_name(name) == std::nullopt);
}

}  // namespace tidemark::replication::testing
