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
  CHECK(told(named, {{"b", traffic_of(99)}, {"c", traffic_of(7)}}) == Told{"b=99", "c=7"});
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
