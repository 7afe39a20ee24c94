// The records of __consumer_offsets: exactly Kafka's bytes, and back.
#include <catch2/catch.hpp>

#include "broker/coordinator/records.h"
#include "world.h"

namespace tidemark::coordinator::testing {

namespace {

std::string hex(const Bytes& bytes) {
  std::string out;
  for (const std::byte b : bytes) out += fmt::format("{:02x}", std::to_integer<int>(b));
  return out;
}

Bytes prefixed(int16_t prefix, std::string_view rest) {
  Bytes out = {static_cast<std::byte>(prefix >> 8), static_cast<std::byte>(prefix & 0xFF)};
  const Bytes tail = bytes(rest);
  out.insert(out.end(), tail.begin(), tail.end());
  return out;
}

Change decoded(const Record& record) {
  const auto change = decode_record(record.key, record.value);
  REQUIRE(change);
  REQUIRE(*change);
  return **change;
}

GroupMetadata some_group() {
  GroupMetadata group;
  group.protocol_type = "consumer";
  group.generation = 7;
  group.protocol = "range";
  group.leader = "a-1";
  group.state_timestamp_ms = 1'700'000'000'000;
  group.members = {
      {"a-1", std::nullopt, "a", "/127.0.0.1", 300'000, 45'000, subscription({"orders"}), bytes("p0")},
      {"b-2", "b", "b", "/::1", 60'000, 10'000, subscription({"orders"}), bytes("")}};
  return group;
}

}  // namespace

TEST_CASE("an offset's record has Kafka's bytes: key type 1, value version 3") {
  const Record record =
      offset_record("g", "t", PartitionId(2), {Offset(42), LeaderEpoch(5), "m", 1000, std::nullopt, {}});
  CHECK(hex(record.key) ==
        "0001"
        "000167"
        "000174"
        "00000002");
  CHECK(hex(*record.value) ==
        "0003"
        "000000000000002a"
        "00000005"
        "00016d"
        "00000000000003e8");
}

TEST_CASE("an offset with an expiry of its own is written in version 1, one with a topic id in version 4") {
  CommittedOffset offset{Offset(1), kNoLeaderEpoch, "", 10, 99, {}};
  Record record = offset_record("g", "t", PartitionId(0), offset);
  CHECK(hex(*record.value).starts_with("0001"));
  CHECK(std::get<OffsetChange>(decoded(record)).offset == offset);

  offset.expire_timestamp_ms.reset();
  offset.topic_id = Uuid::from_halves(1, 2);
  record = offset_record("g", "t", PartitionId(0), offset);
  CHECK(hex(*record.value).starts_with("0004"));
  CHECK(std::get<OffsetChange>(decoded(record)).offset == offset);
}

TEST_CASE("a group's record is key type 2 and value version 3, and comes back whole") {
  const Record record = group_record("g", some_group());
  CHECK(hex(record.key) ==
        "0002"
        "000167");
  CHECK(hex(*record.value).starts_with("0003"));
  const auto change = std::get<GroupChange>(decoded(record));
  CHECK(change.group == "g");
  CHECK(change.metadata == some_group());
}

TEST_CASE("tombstones have a key and no value") {
  CHECK_FALSE(group_tombstone("g").value);
  CHECK_FALSE(std::get<GroupChange>(decoded(group_tombstone("g"))).metadata);
  const auto offset = std::get<OffsetChange>(decoded(offset_tombstone("g", "t", PartitionId(3))));
  CHECK(offset.topic == "t");
  CHECK(offset.partition == PartitionId(3));
  CHECK_FALSE(offset.offset);
}

TEST_CASE("an offset under the old key type 0 is an offset all the same") {
  Record record =
      offset_record("g", "t", PartitionId(2), {Offset(42), kNoLeaderEpoch, "m", 1000, std::nullopt, {}});
  record.key[1] = std::byte{0};
  CHECK(std::get<OffsetChange>(decoded(record)).offset->offset == Offset(42));
}

TEST_CASE("records of newer group types are skipped, whatever their values hold") {
  for (int16_t type = 3; type < 40; ++type) {
    const Bytes key = prefixed(type, "anything");
    const auto change = decode_record(key, bytes("\xff"));
    REQUIRE(change);
    CHECK_FALSE(*change);
  }
}

TEST_CASE("a value of a version that this release does not know is an error of format") {
  Record record = group_record("g", some_group());
  (*record.value)[1] = std::byte{5};
  const auto change = decode_record(record.key, record.value);
  REQUIRE_FALSE(change);
  CHECK(change.error().kind() == ErrorKind::format);
}

TEST_CASE("damaged keys and values are errors of corruption, and change nothing") {
  const Record good = group_record("g", some_group());
  World world;
  const auto refused = [&](const Bytes& key, const std::optional<Bytes>& value) {
    const auto change = decode_record(key, value);
    REQUIRE_FALSE(change);
    CHECK(change.error().kind() == ErrorKind::corruption);
  };
  refused({}, std::nullopt);
  refused({std::byte{0}}, std::nullopt);
  refused(prefixed(2, ""), std::nullopt);
  for (size_t cut = 2; cut < good.value->size(); ++cut)
    refused(good.key, Bytes(good.value->begin(), good.value->begin() + static_cast<std::ptrdiff_t>(cut)));
  Bytes longer = *good.value;
  longer.push_back(std::byte{0});
  refused(good.key, longer);
}

TEST_CASE("a member without a rebalance timeout has its session timeout for one") {
  GroupMetadata group = some_group();
  group.members[0].rebalance_timeout_ms = -1;
  const auto change = std::get<GroupChange>(decoded(group_record("g", group)));
  CHECK(change.metadata->members[0].rebalance_timeout_ms == 45'000);
}

TEST_CASE("a group's record that no coordinator of ours has written is run as far as it makes sense") {
  // Two members of one id, two of one instance, a leader that is none, no protocol.
  GroupMetadata odd = some_group();
  odd.members.push_back(odd.members[0]);
  odd.members.push_back(odd.members[1]);
  odd.members.back().id = "c-3";
  odd.leader = "nobody";
  odd.protocol.reset();
  Group group("g", odd);
  group.check();
  CHECK(group.members().size() == 3);
  CHECK(group.is_leader("a-1"));
  while (!group.members().empty()) {
    group.remove(group.members().begin()->first);
    CHECK(group.leader.has_value() == !group.members().empty());
  }
}

}  // namespace tidemark::coordinator::testing
