#include "broker/telemetry/client_series.h"

#include <catch2/catch.hpp>

#include "tests/unit/telemetry/otlp_bytes.h"

using namespace tidemark;
using namespace tidemark::broker;

namespace {

TelemetryClient client(uint64_t n = 1) {
  return {Uuid::from_halves(7, 100 + n), "me", "apache-kafka-java", "4.3.1", "127.0.0.1", 4711};
}

struct World {
  Metrics metrics{1};
  ClientSeries series{metrics};

  ErrorCode push(std::string_view bytes, uint64_t n = 1) {
    const auto done = series.record(client(n), std::as_bytes(std::span(bytes)));
    return done ? ErrorCode::NONE : done.error().code();
  }
  // The scrape's lines that begin so, without what all lines of a client say.
  std::vector<std::string> lines(std::string_view prefix) const {
    std::vector<std::string> found;
    const std::string page = metrics.serialize();
    const std::string same = fmt::format(
        "client_instance_id=\"{}\",client_id=\"me\",client_software_name=\"apache-kafka-java\","
        "client_software_version=\"4.3.1\"",
        client().instance);
    for (size_t at = 0; at < page.size();) {
      const size_t end = page.find('\n', at);
      std::string line = page.substr(at, end - at);
      if (line.starts_with(prefix)) {
        if (const size_t here = line.find(same); here != line.npos) line.replace(here, same.size(), "...");
        found.push_back(line);
      }
      at = end + 1;
    }
    return found;
  }
  double value(std::string_view name) const {
    const auto found = lines(fmt::format("{} ", name));
    REQUIRE(found.size() == 1);
    return std::stod(found[0].substr(name.size() + 1));
  }
};

}  // namespace

TEST_CASE("what a client pushes is in the scrape") {
  World world;
  CHECK(world.push(metrics_data(gauge("org.apache.kafka.rate", point(2.5, attribute(7, "topic", "tide"))) +
                                    sum("org.apache.kafka.total", Since::push, point(3)),
                                attribute(1, "client_rack", "r") + attribute(1, "group_member_id", "m"))) ==
        ErrorCode::NONE);
  CHECK(world.lines("tidemark_client_metric{") ==
        std::vector<std::string>{"tidemark_client_metric{metric=\"org.apache.kafka.rate\",...,"
                                 "client_rack=\"r\",topic=\"tide\"} 2.5"});
  CHECK(world.lines("tidemark_client_metric_total{") ==
        std::vector<std::string>{
            "tidemark_client_metric_total{metric=\"org.apache.kafka.total\",...,client_rack=\"r\"} 3"});
  CHECK(world.value("tidemark_client_metrics_clients") == 1);
  CHECK(world.value("tidemark_client_metrics_series") == 2);
}

TEST_CASE("deltas add up, and what counts from the client's start is taken as it is") {
  World world;
  for (int i = 0; i < 3; ++i) {
    CHECK(world.push(metrics_data(sum("delta", Since::push, point(5)) +
                                  sum("all", Since::start, point(7)))) == ErrorCode::NONE);
  }
  world.push(metrics_data(sum("delta", Since::push, point(-100))));
  CHECK(world.lines("tidemark_client_metric_total{") ==
        std::vector<std::string>{"tidemark_client_metric_total{metric=\"all\",...} 7",
                                 "tidemark_client_metric_total{metric=\"delta\",...} 15"});
}

TEST_CASE("a gauge that a client does not push any more is gone, a counter stays") {
  World world;
  world.push(
      metrics_data(gauge("one", point(1)) + gauge("two", point(1)) + sum("count", Since::push, point(1))));
  world.push(metrics_data(gauge("two", point(2))));
  CHECK(world.lines("tidemark_client_metric{") ==
        std::vector<std::string>{"tidemark_client_metric{metric=\"two\",...} 2"});
  CHECK(world.lines("tidemark_client_metric_total{").size() == 1);
  CHECK(world.value("tidemark_client_metrics_series") == 2);
}

TEST_CASE("a client's series go with it") {
  World world;
  world.push(metrics_data(gauge("m", point(1))), 1);
  world.push(metrics_data(gauge("m", point(1))), 2);
  world.series.forget(client(1).instance);
  world.series.forget(client(9).instance);
  CHECK(world.lines("tidemark_client_metric{").size() == 1);
  CHECK(world.value("tidemark_client_metrics_clients") == 1);
  CHECK(world.value("tidemark_client_metrics_series") == 1);
}

TEST_CASE("a client has so many series, all of them together so many, and the rest is counted") {
  World world;
  std::string many;
  for (size_t i = 0; i < ClientSeries::kMaxSeriesOfClient + 10; ++i)
    many += gauge(fmt::format("m{}", i), point(1));
  CHECK(world.push(metrics_data(many)) == ErrorCode::NONE);
  CHECK(world.value("tidemark_client_metrics_series") == ClientSeries::kMaxSeriesOfClient);
  CHECK(world.value("tidemark_client_metrics_dropped_total") == 10);
  const size_t full = ClientSeries::kMaxSeries / ClientSeries::kMaxSeriesOfClient;
  for (uint64_t n = 2; n <= full; ++n) world.push(metrics_data(many), n);
  CHECK(world.value("tidemark_client_metrics_series") == ClientSeries::kMaxSeries);
  world.push(metrics_data(gauge("m", point(1))), full + 1);
  CHECK(world.value("tidemark_client_metrics_series") == ClientSeries::kMaxSeries);
  world.series.forget(client(2).instance);
  world.push(metrics_data(gauge("m", point(1))), full + 1);
  CHECK(world.value("tidemark_client_metrics_series") ==
        ClientSeries::kMaxSeries - ClientSeries::kMaxSeriesOfClient + 1);
}

TEST_CASE("all series together take so much memory, however long their labels are") {
  World world;
  std::string attributes;
  for (int i = 0; i < 8; ++i)
    attributes += attribute(7, fmt::format("k{}", i) + std::string(240, 'k'), std::string(250, 'v'));
  std::string many;
  for (size_t i = 0; i < ClientSeries::kMaxSeriesOfClient; ++i)
    many += gauge(fmt::format("m{}", i), point(1, attributes));
  for (uint64_t n = 1; n <= 10; ++n) world.push(metrics_data(many), n);
  const double most = world.value("tidemark_client_metrics_series");
  CHECK(most > 500);
  CHECK(most < ClientSeries::kMaxBytes / (8 * 490));
  for (uint64_t n = 1; n <= 10; ++n) world.series.forget(client(n).instance);
  world.push(metrics_data(many));
  CHECK(world.value("tidemark_client_metrics_series") == ClientSeries::kMaxSeriesOfClient);
}

TEST_CASE("more points than anybody needs are too much") {
  World world;
  std::string points;
  for (size_t i = 0; i <= ClientSeries::kMaxPointsOfPush; ++i) points += point(1);
  CHECK(world.push(metrics_data(gauge("m", points))) == ErrorCode::TELEMETRY_TOO_LARGE);
}

TEST_CASE("names and values that no scrape could be read with are made readable") {
  World world;
  const std::string attributes = attribute(7, "a-b.c", "x\"\\\n\xFFy") + attribute(7, "9", "n") +
                                 attribute(7, "", "e") + attribute(7, "__x", "u") +
                                 attribute(7, "client_id", "another") +
                                 attribute(7, "long", std::string(1'000, 'l'));
  CHECK(world.push(metrics_data(gauge("m", point(1, attributes)))) == ErrorCode::NONE);
  CHECK(world.lines("tidemark_client_metric{") ==
        std::vector<std::string>{
            fmt::format("tidemark_client_metric{{metric=\"m\",...,_=\"n\",a_b_c=\"x\\\"\\\\\\n?y\","
                        "attribute=\"e\",attribute__x=\"u\",long=\"{}\"}} 1",
                        std::string(ClientSeries::kMaxLabelBytes, 'l'))});
}

TEST_CASE("a push that is no OTLP is refused") {
  World world;
  CHECK(world.push("nonsense") == ErrorCode::INVALID_RECORD);
  CHECK(world.push(metrics_data(gauge("m", point(1))) + "nonsense") == ErrorCode::INVALID_RECORD);
  CHECK(world.value("tidemark_client_metrics_series") == 0);
}
