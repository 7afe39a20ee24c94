#include "broker/telemetry/otlp.h"

#include <catch2/catch.hpp>

#include "tests/unit/telemetry/otlp_bytes.h"

using namespace tidemark;
using namespace tidemark::broker;

namespace {

std::vector<std::string> read(std::string_view bytes) {
  std::vector<std::string> lines;
  const auto done = read_otlp(std::as_bytes(std::span(bytes)), [&](const OtlpPoint& point) -> Result<void> {
    std::string line(point.metric);
    for (const OtlpAttributes* attributes : {point.of_client, &point.attributes}) {
      for (const auto& [key, value] : *attributes) line += fmt::format(" {}={}", key, value);
    }
    lines.push_back(line + fmt::format(" {}{}{}", point.value, point.is_counter ? " counter" : "",
                                       point.is_delta ? " delta" : ""));
    return {};
  });
  if (!done) lines.push_back(std::string(error_name(done.error().code())));
  return lines;
}

}  // namespace

TEST_CASE("gauges and sums are read with their attributes and the client's") {
  const std::string bytes =
      metrics_data(gauge("rate", point(1.5, attribute(7, "topic", "a")) + point_of_int(-3)) +
                       sum("bytes", Since::push, point_of_int(7)) + sum("all", Since::start, point(8)) +
                       sum("level", Since::start, point(9), false),
                   attribute(1, "group_id", "g"));
  CHECK(read(bytes) == std::vector<std::string>{"rate group_id=g topic=a 1.5", "rate group_id=g -3",
                                                "bytes group_id=g 7 counter delta",
                                                "all group_id=g 8 counter", "level group_id=g 9"});
  CHECK(read("").empty());
}

TEST_CASE("attributes of every kind become text") {
  const auto value = [](std::string_view bytes) { return part(7, part(1, "k") + part(2, bytes)); };
  CHECK(read(metrics_data(
            gauge("m", point(0, value(number(2, 1))) + point(0, value(number(3, uint64_t(-5)))) +
                           point(0, value(fixed(4, std::bit_cast<uint64_t>(2.5)))) + point(0, value(""))))) ==
        std::vector<std::string>{"m k=true 0", "m k=-5 0", "m k=2.5 0", "m k= 0"});
}

TEST_CASE("what is unknown is passed over") {
  const std::string unknown =
      number(100, 5) + fixed(101, 6) + part(102, "xyz") + varint(103 << 3 | 5) + "abcd";
  const std::string histogram = part(2, part(1, "h") + part(9, part(1, "whatever")));
  CHECK(read(unknown + metrics_data(unknown + histogram + gauge("m", unknown + point(1)))) ==
        std::vector<std::string>{"m 1"});
}

TEST_CASE("more attributes than anybody needs are passed over") {
  std::string attributes;
  for (int i = 0; i < 100; ++i) attributes += attribute(7, fmt::format("k{}", i), "v");
  size_t count = 0;
  const std::string bytes = metrics_data(gauge("m", point(1, attributes)));
  REQUIRE(read_otlp(std::as_bytes(std::span(bytes)), [&](const OtlpPoint& point) -> Result<void> {
    count = point.attributes.size();
    return {};
  }));
  CHECK(count == OtlpPoint::kMaxAttributes);
}

TEST_CASE("bytes that are no OTLP are an error wherever they end") {
  const std::string bytes = metrics_data(gauge("rate", point(1.5, attribute(7, "topic", "a"))));
  for (size_t size = 1; size < bytes.size(); ++size) {
    INFO(size);
    CHECK(read(bytes.substr(0, size)) == std::vector<std::string>{"INVALID_RECORD"});
  }
  for (const std::string& wrong :
       {std::string("\xFF"), std::string(20, '\xFF'), varint(1 << 3 | 3), varint(1 << 3 | 7), number(0, 1),
        part(1, "\x0F"), varint(1 << 3 | 2) + varint(UINT64_MAX), varint(uint64_t{1} << 40)}) {
    CHECK(read(wrong) == std::vector<std::string>{"INVALID_RECORD"});
  }
}

TEST_CASE("reading ends with the visitor's first error") {
  const std::string bytes = metrics_data(gauge("m", point(1) + point(2)));
  size_t seen = 0;
  const auto done = read_otlp(std::as_bytes(std::span(bytes)), [&](const OtlpPoint&) -> Result<void> {
    ++seen;
    return fail(ErrorCode::TELEMETRY_TOO_LARGE, "enough");
  });
  CHECK(done.error().code() == ErrorCode::TELEMETRY_TOO_LARGE);
  CHECK(seen == 1);
}
