#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <chrono>

#include "replication/controller/image_builder.h"
#include "world.h"

namespace tidemark::replication::testing {

namespace {

NewTopic topic_of(std::string name, int32_t partitions = 1) {
  NewTopic topic;
  topic.name = std::move(name);
  topic.partitions = partitions;
  return topic;
}

template <class Record>
ErrorKind refusal(World& world, const Record& record, int16_t version) {
  RecordList records;
  records.add(record, version);
  const auto before = world.controller().image();
  const auto delta = world.controller().apply(world.controller().next_offset(), LeaderEpoch(1), records);
  REQUIRE_FALSE(delta.has_value());
  CHECK(world.controller().image() == before);
  return delta.error().kind();
}

}  // namespace

TEST_CASE("a delta names what a node must open, close and reload") {
  ClusterOfOne world;
  const auto created = world.controller().create_topics(std::vector{topic_of("a", 2), topic_of("b")}, false);
  ImageDelta delta = world.append(created.records);
  std::vector<std::string> seen;
  const auto watch = [&](const PartitionChange& change) {
    seen.push_back(fmt::format("{}-{} {}", change.topic.name, change.partition,
                               change.is_new()               ? "new"
                               : change.is_deleted()         ? "deleted"
                               : change.leadership_changed() ? "led anew"
                                                             : "other"));
  };
  const auto list = [&](const ImageDelta& of) {
    seen.clear();
    of.for_each_partition(watch);
    std::sort(seen.begin(), seen.end());
    return seen;
  };
  CHECK(list(delta) == std::vector<std::string>{"a-0 new", "a-1 new", "b-0 new"});
  CHECK(delta.configs.empty());

  const MorePartitions more{"b", 2, std::nullopt};
  delta = world.append(world.controller().create_partitions(std::span(&more, 1), false).records);
  CHECK(list(delta) == std::vector<std::string>{"b-1 new"});

  BrokerRegistration next_life = registration_of(BrokerId(1), world.random().uuid());
  next_life.unfenced = true;
  delta = world.append(world.controller().register_broker(next_life).records);
  CHECK(list(delta) ==
        std::vector<std::string>{"a-0 led anew", "a-1 led anew", "b-0 led anew", "b-1 led anew"});
  CHECK(delta.brokers == std::vector{BrokerId(1)});

  const Uuid old_id = world.image().topic("a")->id;
  const auto before = world.controller().image();
  world.remove("a");
  world.create(topic_of("a"));
  delta = ImageDelta::between(before, world.controller().image());
  REQUIRE(delta.topics.size() == 2);
  CHECK(delta.topics[0].before->id == old_id);
  CHECK(delta.topics[0].after == nullptr);
  CHECK(delta.topics[1].after->id == world.image().topic("a")->id);
}

TEST_CASE("an older image stays what it was while newer ones are made") {
  ClusterOfOne world;
  world.create(topic_of("a", 3));
  const auto old_image = world.controller().image();
  const std::string text = to_json(*old_image);
  world.grow("a", 5);
  world.alter_topic("a", "retention.ms", "7");
  world.start_broker();
  world.create(topic_of("b"));
  world.remove("a");
  CHECK(to_json(*old_image) == text);
  CHECK(old_image->topic("a")->partition_count() == 3);
}

TEST_CASE("a record that contradicts the log is corruption, and changes nothing") {
  ClusterOfOne world;
  world.create(topic_of("a", 2));
  const Uuid id = world.image().topic("a")->id;

  protocol::TopicRecord topic;
  topic.name = "a";
  topic.topic_id = world.random().uuid();
  CHECK(refusal(world, topic, 0) == ErrorKind::corruption);  // the name is taken
  topic.name = "new";
  CHECK(refusal(world, topic, 0) == ErrorKind::corruption);  // and no partition follows
  topic.topic_id = id;
  CHECK(refusal(world, topic, 0) == ErrorKind::corruption);

  protocol::PartitionRecord partition;
  partition.topic_id = id;
  partition.replicas = partition.isr = {1};
  partition.leader = 1;
  for (const int32_t out_of_order : {-1, 3, INT32_MAX}) {
    partition.partition_id = out_of_order;
    CHECK(refusal(world, partition, 1) == ErrorKind::corruption);
  }
  partition.partition_id = 2;
  partition.leader = 2;
  CHECK(refusal(world, partition, 1) == ErrorKind::corruption);
  partition.leader = 1;
  partition.isr = {2};
  CHECK(refusal(world, partition, 1) == ErrorKind::corruption);
  partition.isr = {1};
  partition.directories = {id, id};
  CHECK(refusal(world, partition, 1) == ErrorKind::corruption);
  partition.directories.clear();
  partition.topic_id = Uuid::from_halves(1, 1);
  CHECK(refusal(world, partition, 1) == ErrorKind::corruption);

  protocol::PartitionChangeRecord change;
  change.topic_id = id;
  change.partition_id = 2;
  CHECK(refusal(world, change, 1) == ErrorKind::corruption);

  protocol::RemoveTopicRecord removal;
  removal.topic_id = Uuid::from_halves(1, 1);
  CHECK(refusal(world, removal, 0) == ErrorKind::corruption);

  protocol::ProducerIdsRecord producers;
  producers.next_producer_id = 0;
  CHECK(refusal(world, producers, 0) == ErrorKind::corruption);

  protocol::BrokerRegistrationChangeRecord broker;
  broker.broker_id = 1;
  broker.broker_epoch = 77;
  CHECK(refusal(world, broker, 0) == ErrorKind::corruption);
}

TEST_CASE("a feature level of a newer release is refused by name") {
  ClusterOfOne world;
  protocol::FeatureLevelRecord feature;
  feature.name = "metadata.version";
  feature.feature_level = 31;
  CHECK(refusal(world, feature, 0) == ErrorKind::format);
  feature.name = "tidemark.metadata.format";
  feature.feature_level = 2;
  CHECK(refusal(world, feature, 0) == ErrorKind::format);
  feature.name = "share.version";
  feature.feature_level = 1;
  CHECK(refusal(world, feature, 0) == ErrorKind::format);
}

TEST_CASE("a record list joins and cuts at the right places") {
  RecordList a, b;
  protocol::NoOpRecord no_op;
  a.add(no_op, 0);
  protocol::FeatureLevelRecord feature;
  feature.name = "x";
  b.add(feature, 0);
  b.add(no_op, 0);
  a.append(b);
  REQUIRE(a.size() == 3);
  CHECK(record_to_json(a[0]).value() == R"({"type":"NO_OP_RECORD","version":0,"data":{}})");
  CHECK(record_to_json(a[1]).value() ==
        R"({"type":"FEATURE_LEVEL_RECORD","version":0,"data":{"name":"x","featureLevel":0}})");
  CHECK(a[0].size() + a[1].size() + a[2].size() == a.size_in_bytes());
}

TEST_CASE("bytes that are no record of ours are errors, never crashes") {
  const auto kind_of = [](std::vector<uint8_t> bytes) {
    const auto record = decode_record(std::as_bytes(std::span(bytes)));
    return record ? std::optional<ErrorKind>() : std::optional(record.error().kind());
  };
  CHECK(kind_of({1, 20, 0, 0}) == std::nullopt);  // NoOp as Kafka 4.3 writes it
  CHECK(kind_of({}) == ErrorKind::corruption);
  CHECK(kind_of({1, 20}) == ErrorKind::corruption);
  CHECK(kind_of({0, 20, 0, 0}) == ErrorKind::format);
  CHECK(kind_of({2, 20, 0, 0}) == ErrorKind::format);
  CHECK(kind_of({1, 20, 1, 0}) == ErrorKind::format);         // a later version
  CHECK(kind_of({1, 99, 0, 0}) == ErrorKind::format);         // a later type
  CHECK(kind_of({1, 20, 0, 0, 0}) == ErrorKind::corruption);  // one byte more
  CHECK(kind_of({1, 2, 0, 200}) == ErrorKind::corruption);
  runtime::SeededRandom random(5);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<uint8_t> bytes{1, static_cast<uint8_t>(random.below(30)),
                               static_cast<uint8_t>(random.below(4))};
    for (uint64_t n = random.below(40); n > 0; --n) bytes.push_back(static_cast<uint8_t>(random.next()));
    ImageBuilder builder(std::make_shared<const MetadataImage>());
    (void)builder.apply(std::as_bytes(std::span(bytes)));
  }
}

TEST_CASE("10,000 topics created one by one take seconds at most, not hours") {
  // Quadratic work (a copied map, a compared image) would be 10^8 steps here.
  runtime::SeededRandom random(1);
  Controller controller("cluster", BrokerId(1), {}, random);
  BrokerRegistration request = registration_of(BrokerId(1), random.uuid());
  request.unfenced = true;
  REQUIRE(
      controller.apply(controller.next_offset(), LeaderEpoch(1), controller.register_broker(request).records)
          .has_value());
  const auto start = std::chrono::steady_clock::now();
  size_t created = 0;
  for (int i = 0; i < 10'000; ++i) {
    const NewTopic topic = topic_of("topic." + std::to_string(i));
    const auto decision = controller.create_topics(std::span(&topic, 1), false);
    const auto delta = controller.apply(controller.next_offset(), LeaderEpoch(1), decision.records);
    REQUIRE(delta.has_value());
    created += delta->topics.size();
  }
  CHECK(created == 10'000);
  CHECK(controller.image()->partition_count == 10'000);
  // 0.1 s when this was written; with a copied map of topics it is minutes.
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}

}  // namespace tidemark::replication::testing
