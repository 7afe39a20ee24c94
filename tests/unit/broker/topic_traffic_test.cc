// What is counted by topic, and which topics are told by name.
#include "broker/topic_traffic.h"

#include <catch2/catch.hpp>

#include "broker/observe/metrics.h"

namespace tidemark::broker {
namespace {

TopicTraffic traffic_of(uint64_t bytes) {
  TopicTraffic traffic;
  traffic.bytes_out = bytes;
  return traffic;
}

// "name=bytes" of each series.
std::vector<std::string> told(NamedTopics& named, const std::map<std::string, TopicTraffic>& all) {
  std::vector<std::string> series;
  for (const auto& [name, traffic] : named.series(all))
    series.push_back(name + "=" + std::to_string(traffic.bytes_out));
  return series;
}

using Told = std::vector<std::string>;

}  // namespace

TEST_CASE("what a client mends by itself is no failed request, and what is refused for its size is counted") {
  TopicTraffic traffic;
  traffic.count_produce(ErrorCode::NONE, 100, 5);
  traffic.count_produce(ErrorCode::NOT_LEADER_OR_FOLLOWER, 100, 0);
  traffic.count_produce(ErrorCode::MESSAGE_TOO_LARGE, 5'000, 0);
  traffic.count_produce(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, 100, 0);
  CHECK(traffic.produce_requests == 4);
  CHECK(traffic.failed_produce_requests == 1);
  CHECK(traffic.bytes_in == 100);
  CHECK(traffic.messages_in == 5);
  CHECK(traffic.bytes_rejected == 5'000);
  traffic.count_fetch(ErrorCode::NONE, 300);
  traffic.count_fetch(ErrorCode::OFFSET_OUT_OF_RANGE, 0);
  traffic.count_fetch(ErrorCode::UNKNOWN_SERVER_ERROR, 0);
  CHECK(traffic.fetch_requests == 3);
  CHECK(traffic.failed_fetch_requests == 1);
  CHECK(traffic.bytes_out == 300);
}

TEST_CASE("the busiest topics have names, and keep them while they exist") {
  NamedTopics named(2);
  CHECK(told(named, {{"a", traffic_of(1)}}) == Told{"a=1"});
  CHECK(
      told(named, {{"a", traffic_of(1)}, {"b", traffic_of(3)}, {"c", traffic_of(7)}, {"d", traffic_of(5)}}) ==
      Told{"a=1", "c=7", "(others)=8"});
  // Not even for a busier one.
  CHECK(told(named, {{"a", traffic_of(1)}, {"b", traffic_of(99)}, {"c", traffic_of(7)}}) ==
        Told{"a=1", "c=7", "(others)=99"});
  CHECK(told(named, {{"b", traffic_of(99)}, {"c", traffic_of(7)}}) == Told{"b=99", "c=7", "(others)=99"});
}

TEST_CASE(
    "the others' counter never falls, for whoever takes a rate would see what it has ever counted anew") {
  NamedTopics named(1);
  const std::map<std::string, TopicTraffic> all{
      {"a", traffic_of(1'000)}, {"b", traffic_of(50)}, {"c", traffic_of(7)}};
  CHECK(told(named, all) == Told{"a=1000", "(others)=57"});
  // One of them is deleted, and comes again.
  CHECK(told(named, {{"a", traffic_of(1'000)}, {"c", traffic_of(7)}}) == Told{"a=1000", "(others)=57"});
  CHECK(told(named, {{"a", traffic_of(1'000)}, {"b", traffic_of(2)}, {"c", traffic_of(8)}}) ==
        Told{"a=1000", "(others)=60"});
  // One gets the name of one that is deleted: its series begins with what it has.
  CHECK(told(named, {{"b", traffic_of(2)}, {"c", traffic_of(9)}}) == Told{"c=9", "(others)=60"});
  CHECK(told(named, {{"b", traffic_of(3)}, {"c", traffic_of(9)}}) == Told{"c=9", "(others)=61"});
  // All of them are gone: not so the row.
  CHECK(told(named, {{"c", traffic_of(9)}}) == Told{"c=9", "(others)=61"});
}

TEST_CASE("each column of the others rises by itself") {
  NamedTopics named(0);
  TopicTraffic read;
  read.count_fetch(ErrorCode::NONE, 10);
  TopicTraffic written;
  written.count_produce(ErrorCode::NONE, 10, 1);
  CHECK(named.series({{"read", read}, {"written", written}}).at(0).second.fetch_requests == 1);
  written.count_produce(ErrorCode::NONE, 10, 1);
  const TopicTraffic others = named.series({{"written", written}}).at(0).second;
  CHECK(others.fetch_requests == 1);
  CHECK(others.bytes_out == 10);
  CHECK(others.produce_requests == 2);
  CHECK(others.messages_in == 2);
}

TEST_CASE("a table of counters is told by name and row") {
  Metrics metrics(1);
  metrics.counters({{"in_total", "In"}, {"out_total", "Out"}}, [] {
    return std::vector<std::pair<MetricLabels, std::vector<double>>>{{{{"topic", "a"}}, {1, 2}},
                                                                     {{{"topic", "b"}}, {3, 4}}};
  });
  const std::string text = metrics.serialize();
  CHECK(text.find("# TYPE out_total counter") != text.npos);
  CHECK(text.find("in_total{topic=\"b\"} 3") != text.npos);
  CHECK(text.find("out_total{topic=\"a\"} 2") != text.npos);
}

}  // namespace tidemark::broker
