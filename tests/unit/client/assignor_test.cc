// How a group's leader divides partitions: against Kafka's own examples, and by properties over random
// groups.
#include "client/core/assignor.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "client/core/client_properties.h"
#include "client/core/consumer_protocol.h"
#include "protocol/runtime/random.h"

using namespace tidemark;
using namespace tidemark::client;

namespace {

Subscriber member(std::string id, std::set<std::string, std::less<>> topics,
                  std::vector<TopicPartition> owned = {}, int32_t generation = -1) {
  return {std::move(id), std::nullopt, std::move(topics), std::move(owned), generation};
}

std::vector<TopicPartition> of(const std::string& topic, std::initializer_list<int32_t> ids) {
  std::vector<TopicPartition> all;
  for (const int32_t id : ids) all.push_back({topic, PartitionId(id)});
  return all;
}

std::vector<TopicPartition> join(std::vector<TopicPartition> a, const std::vector<TopicPartition>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// What everybody would hold after the rebalances that follow from one: nothing moves any more.
Shares settle(std::vector<Subscriber> members, const PartitionCounts& counts, int* rounds = nullptr) {
  for (int32_t generation = 1;; ++generation) {
    REQUIRE(generation < 5);
    const Shares shares = divide(Assignor::cooperative_sticky, members, counts);
    bool gave_up = false;
    for (Subscriber& each : members) {
      const auto& share = shares.at(each.id);
      for (const TopicPartition& tp : each.owned)
        gave_up |= std::find(share.begin(), share.end(), tp) == share.end();
      each.owned = share;
      each.generation = generation;
    }
    if (rounds != nullptr) *rounds = generation;
    if (!gave_up) return shares;
  }
}

}  // namespace

TEST_CASE("range gives each topic's partitions in runs, the first members one more") {
  const PartitionCounts counts{{"a", 3}, {"b", 3}};
  const Shares shares = divide(Assignor::range, {member("2", {"a", "b"}), member("1", {"a", "b"})}, counts);
  CHECK(shares.at("1") == join(of("a", {0, 1}), of("b", {0, 1})));
  CHECK(shares.at("2") == join(of("a", {2}), of("b", {2})));
}

TEST_CASE("roundrobin deals all partitions in turn, past who does not read the topic") {
  const PartitionCounts counts{{"a", 1}, {"b", 2}, {"c", 3}};
  const Shares shares =
      divide(Assignor::round_robin,
             {member("0", {"a"}), member("1", {"a", "b"}), member("2", {"a", "b", "c"})}, counts);
  CHECK(shares.at("0") == of("a", {0}));
  CHECK(shares.at("1") == of("b", {0}));
  CHECK(shares.at("2") == join(of("b", {1}), of("c", {0, 1, 2})));
}

TEST_CASE("static members stand by the names that they keep, before the others") {
  Subscriber named = member("z", {"a"});
  named.instance_id = "x";
  const Shares shares = divide(Assignor::range, {member("b", {"a"}), named}, {{"a", 3}});
  CHECK(shares.at("z") == of("a", {0, 1}));
  CHECK(shares.at("b") == of("a", {2}));
}

TEST_CASE("members without topics, and topics without members, are no trouble") {
  for (const Assignor assignor : {Assignor::range, Assignor::round_robin, Assignor::cooperative_sticky}) {
    const Shares shares = divide(assignor, {member("1", {}), member("2", {"gone"})}, {{"a", 3}, {"none", 0}});
    CHECK(shares.size() == 2);
    CHECK(shares.at("1").empty());
    CHECK(shares.at("2").empty());
  }
  CHECK(divide(Assignor::cooperative_sticky, {}, {{"a", 3}}).empty());
}

TEST_CASE("a partition that moves is nobody's until its owner has given it up") {
  const std::vector<Subscriber> members{member("1", {"a"}, of("a", {0, 1, 2, 3}), 1), member("2", {"a"})};
  const Shares first = divide(Assignor::cooperative_sticky, members, {{"a", 4}});
  CHECK(first.at("1") == of("a", {0, 1}));
  CHECK(first.at("2").empty());
  int rounds = 0;
  const Shares settled = settle(members, {{"a", 4}}, &rounds);
  CHECK(rounds == 2);
  CHECK(settled.at("2") == of("a", {2, 3}));
}

TEST_CASE("of two that claim a partition the newer generation's owner keeps it") {
  const Shares shares =
      divide(Assignor::cooperative_sticky,
             {member("old", {"a"}, of("a", {0}), 3), member("new", {"a"}, of("a", {0}), 4)}, {{"a", 2}});
  CHECK(shares.at("new") == of("a", {0}));
  CHECK(shares.at("old") == of("a", {1}));
}

TEST_CASE("sticky: complete, fair, moves no more than it must, and settles") {
  runtime::SeededRandom random(11);
  for (int round = 0; round < 400; ++round) {
    PartitionCounts counts;
    const int topics = static_cast<int>(random.between(1, 4));
    for (int t = 0; t < topics; ++t)
      counts[fmt::format("t{}", t)] = static_cast<int32_t>(random.between(0, 9));
    const bool alike = random.between(0, 1) == 0;
    std::vector<Subscriber> members;
    const auto add = [&] {
      Subscriber each = member(fmt::format("m{}", random.between(0, 1 << 30)), {});
      for (const auto& [topic, count] : counts) {
        if (alike || random.between(0, 2) > 0) each.topics.insert(topic);
      }
      members.push_back(std::move(each));
    };
    for (int64_t n = random.between(1, 5); n > 0; --n) add();
    // Somebody comes, or goes, again and again.
    for (int32_t change = 0; change < 4; ++change) {
      const Shares settled = settle(members, counts);
      std::map<TopicPartition, int> readers;
      size_t least = SIZE_MAX;
      size_t most = 0;
      for (Subscriber& each : members) {
        const auto& share = settled.at(each.id);
        for (const TopicPartition& tp : share) {
          CHECK(each.topics.contains(tp.topic));
          ++readers[tp];
        }
        least = std::min(least, share.size());
        most = std::max(most, share.size());
        each.owned = share;
        each.generation = 10 * (change + 1);
      }
      for (const auto& [topic, count] : counts) {
        const bool read = std::any_of(members.begin(), members.end(),
                                      [&](const Subscriber& m) { return m.topics.contains(topic); });
        for (int32_t id = 0; id < count; ++id) CHECK(readers[{topic, PartitionId(id)}] == (read ? 1 : 0));
      }
      if (alike) {
        CHECK(most - least <= 1);
        // Settled is settled.
        CHECK(divide(Assignor::cooperative_sticky, members, counts) == settled);
      }
      if (members.size() > 1 && random.between(0, 1) == 0) {
        members.erase(members.begin() + static_cast<ptrdiff_t>(random.between(0, 1)));
      } else {
        add();
      }
    }
  }
}

TEST_CASE("assignors are known by both of their names, and a wrong one is told") {
  CHECK(find_assignor("org.apache.kafka.clients.consumer.CooperativeStickyAssignor") ==
        Assignor::cooperative_sticky);
  CHECK(*parse_assignors("range, roundrobin,range") ==
        std::vector<Assignor>{Assignor::range, Assignor::round_robin});
  CHECK(parse_assignors("sticky").error().message() ==
        "'sticky' is none of range, roundrobin, cooperative-sticky");
  CHECK_FALSE(parse_assignors(" , ").has_value());
}

TEST_CASE("what members tell each other survives the way, and damage is an error") {
  Subscriber said = member("1", {"a", "b"}, join(of("a", {1, 2}), of("b", {0})), 7);
  const auto bytes = write_subscription(said);
  const auto read = read_subscription(bytes);
  REQUIRE(read.has_value());
  CHECK(read->topics == said.topics);
  CHECK(read->owned == said.owned);
  CHECK(read->generation == 7);
  const auto assignment = write_assignment(said.owned);
  CHECK(*read_assignment(assignment) == said.owned);
  for (size_t length = 0; length < bytes.size(); ++length)
    CHECK_FALSE(read_subscription(std::span(bytes).first(length)).has_value());
  for (size_t length = 1; length < assignment.size(); ++length)
    CHECK_FALSE(read_assignment(std::span(assignment).first(length)).has_value());
}
