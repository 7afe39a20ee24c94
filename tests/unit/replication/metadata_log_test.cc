#include "replication/controller/metadata_log.h"

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <string_view>

#include "protocol/batch/builder.h"
#include "world.h"

namespace tidemark::replication::testing {

namespace {

std::vector<std::byte> from_hex(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

runtime::WallTime at_ms(int64_t ms) { return runtime::WallTime(std::chrono::milliseconds(ms)); }

// A log with something of everything.
void fill(World& world) {
  NewTopic topic;
  topic.name = "orders.eu";
  topic.partitions = 3;
  topic.configs.emplace_back("retention.ms", "7000");
  world.create(topic);
  world.grow("orders.eu", 4);
  world.alter_topic("orders.eu", "retention.ms", std::nullopt);
  world.commit(
      world.controller().allocate_producer_ids(BrokerId(1), world.image().broker(BrokerId(1))->epoch));
  world.start_term();
  world.start_broker();
  topic.name = "gone";
  world.create(topic);
  world.remove("gone");
}

std::optional<Error> replay_error(std::span<const std::byte> log) {
  runtime::SeededRandom random(0);
  Controller controller("cluster", BrokerId(1), {}, random);
  const auto before = controller.image();
  const auto delta = controller.apply_log(log);
  if (delta) return std::nullopt;
  CHECK(controller.image() == before);
  return delta.error();
}

}  // namespace

TEST_CASE("a term's first batch is byte for byte what Kafka 4.3.1 wrote in the same place") {
  const std::array voters{Voter{BrokerId(1), {}}};
  const auto ours =
      encode_leader_change(Offset(0), LeaderEpoch(1), BrokerId(1), voters, at_ms(1795260708728));
  CHECK(
      ours.value() ==
      from_hex(
          "00000000000000000000004f00000001021949cbf8002000000000000001a1fde07778000001a1fde07778ffffffffffff"
          "ffffffffffffffff000000013a0000000800000002260000000000010200000001000200000001000000"));
}

TEST_CASE("batches of records are byte for byte what Kafka 4.3.1 wrote of the same decisions") {
  const auto topic_id = Uuid::parse("r0_q_u17SxazVYX9qkKgMg").value();
  RecordList config, partition, removal;

  protocol::ConfigRecord setting;
  setting.resource_type = 4;
  setting.name = "log.cleaner.threads";
  setting.value = "3";
  config.add(setting, 0);
  CHECK(
      encode_records(Offset(81), LeaderEpoch(1), config, at_ms(1795260739867)).value() ==
      from_hex(
          "00000000000000510000005400000001029e9572e8000000000000000001a1fde0f11b000001a1fde0f11bffffffffffff"
          "ffffffffffffffff000000014400000001380104000401146c6f672e636c65616e65722e7468726561647302330000"));

  protocol::PartitionRecord third;
  third.partition_id = 2;
  third.topic_id = topic_id;
  third.replicas = third.isr = {1};
  third.leader = 1;
  third.leader_epoch = third.partition_epoch = 0;
  third.directories = {Uuid::parse("XAzr_Z4Syu5beViwIY8IMA").value()};
  partition.add(third, 2);
  CHECK(
      encode_records(Offset(85), LeaderEpoch(1), partition, at_ms(1795260741051)).value() ==
      from_hex(
          "00000000000000550000007b00000001028b16a39a000000000000000001a1fde0f5bb000001a1fde0f5bbffffffffffff"
          "ffffffffffffffff00000001900100000001820101030200000002af4feafeed7b4b16b35585fdaa42a032020000000102"
          "000000010101000000010000000000000000025c0cebfd9e12caee5b7958b0218f08300000"));

  protocol::RemoveTopicRecord gone;
  gone.topic_id = topic_id;
  removal.add(gone, 0);
  CHECK(
      encode_records(Offset(88), LeaderEpoch(1), removal, at_ms(1795260742094)).value() ==
      from_hex(
          "00000000000000580000004c00000001029ed77bd6000000000000000001a1fde0f9ce000001a1fde0f9ceffffffffffff"
          "ffffffffffffffff00000001340000000128010900af4feafeed7b4b16b35585fdaa42a0320000"));
}

TEST_CASE("a log replays to the live image, in one piece or batch by batch") {
  ClusterOfOne world;
  fill(world);
  CHECK(*world.replay() == world.image());
  CHECK(*world.replay(1) == world.image());
  CHECK(*world.replay(3) == world.image());
  CHECK(world.image().controller_epoch == LeaderEpoch(2));
  CHECK(world.image().voters == std::vector{Voter{BrokerId(1), {}}});
  CHECK(world.image().last_applied_epoch == LeaderEpoch(2));
}

TEST_CASE("any changed byte of the log is an error and leaves the image as it was") {
  ClusterOfOne world;
  fill(world);
  const std::vector<std::byte> log = world.bytes();
  REQUIRE_FALSE(replay_error(log).has_value());
  size_t harmless = 0;
  for (size_t i = 0; i < log.size(); ++i) {
    std::vector<std::byte> damaged = log;
    damaged[i] ^= std::byte{1};
    // The leader epoch lies outside of the CRC: a changed one is noticed only where a term goes back.
    if (!replay_error(damaged)) ++harmless;
  }
  CHECK(harmless <= world.log().size() * 4);
}

TEST_CASE("a log with a hole, a repetition, half a batch or a term that goes back is refused as corrupt") {
  ClusterOfOne world;
  fill(world);
  const auto kind = [](const std::vector<std::byte>& log) { return replay_error(log).value().kind(); };
  const auto join = [&](std::vector<size_t> batches) {
    std::vector<std::byte> log;
    for (const size_t i : batches)
      log.insert(log.end(), world.log()[i].batch.begin(), world.log()[i].batch.end());
    return log;
  };
  CHECK(kind(join({0, 2})) == ErrorKind::corruption);
  CHECK(kind(join({0, 1, 1})) == ErrorKind::corruption);
  CHECK(kind(join({1})) == ErrorKind::corruption);
  std::vector<std::byte> half = world.bytes();
  half.pop_back();
  CHECK(kind(half) == ErrorKind::corruption);
  std::vector<std::byte> back = join({0, 1, 2});
  const size_t second = world.log()[0].batch.size();
  protocol::set_leader_epoch(std::span(back).subspan(second, world.log()[1].batch.size()), LeaderEpoch(0));
  CHECK(kind(back) == ErrorKind::corruption);
}

TEST_CASE(
    "control records of Kafka that say nothing of the image are passed over; later versions are refused") {
  const auto control_batch = [](protocol::ControlType type, std::vector<std::byte> value) {
    protocol::BatchOptions options;
    options.leader_epoch = LeaderEpoch(1);
    options.control = true;
    protocol::BatchBuilder builder(options);
    builder.add_control(1, {0, type}, value);
    return builder.build().value();
  };
  // KRaftVersionRecord: version 0, kraft.version 1.
  CHECK_FALSE(
      replay_error(control_batch(protocol::ControlType::kraft_version, from_hex("0000000100"))).has_value());
  const auto later =
      replay_error(control_batch(protocol::ControlType::leader_change, from_hex("000900000001010100")));
  REQUIRE(later.has_value());
  CHECK(later->kind() == ErrorKind::format);
  const auto cut = replay_error(control_batch(protocol::ControlType::leader_change, from_hex("00")));
  REQUIRE(cut.has_value());
  CHECK(cut->kind() == ErrorKind::corruption);
}

TEST_CASE("dynamic settings of the broker are the defaults of the next topic, live and after a replay") {
  ClusterOfOne world(1, {{"num.partitions", "3"}, {"default.replication.factor", "1"}});
  NewTopic topic;
  topic.name = "t";
  CHECK(world.create(topic).partitions == 3);
  CHECK(world.controller().settings().topic_defaults.retention_ms == 604'800'000);
  const ResourceAlteration change{
      static_cast<int8_t>(ConfigResourceType::broker), "", {{"log.retention.ms", 0, "5000"}}};
  const auto answer =
      world.commit(world.controller().alter_configs(BrokerId(1), std::span(&change, 1), false));
  REQUIRE(answer.at(0).error == ApiError());
  CHECK(world.controller().settings().topic_defaults.retention_ms == 5000);
  runtime::SeededRandom random(0);
  Controller fresh("cluster", BrokerId(1), {}, random);
  REQUIRE(fresh.apply_log(world.bytes()).has_value());
  CHECK(fresh.settings().topic_defaults.retention_ms == 5000);
}

TEST_CASE("topics cannot be deleted where the settings forbid it") {
  ClusterOfOne world(1, {{"delete.topic.enable", "false"}});
  NewTopic topic;
  topic.name = "t";
  REQUIRE(world.create(topic).error.ok());
  CHECK(world.remove("t").error.code == ErrorCode::TOPIC_DELETION_DISABLED);
  CHECK(world.image().topic("t") != nullptr);
}

}  // namespace tidemark::replication::testing
