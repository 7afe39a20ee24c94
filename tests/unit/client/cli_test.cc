// What people type: formats, times, addresses; and how values are printed.
#include <catch2/catch.hpp>

#include "client/cli/record_format.h"
#include "client/cli/timestamp.h"
#include "client/cli/value.h"
#include "client/core/client_properties.h"
#include "protocol/batch/batch_iterator.h"
#include "protocol/batch/builder.h"

using namespace tidemark;
using namespace tidemark::cli;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string printed(std::string_view format, bool with_key) {
  protocol::BatchBuilder builder({.base_offset = Offset(41)});
  const protocol::RecordHeader header{"h", bytes_of("1")};
  builder.add(1234, with_key ? protocol::NullableBytes(bytes_of("key")) : std::nullopt, bytes_of("value"),
              std::span(&header, 1));
  const auto batch = builder.build();
  protocol::BatchIterator batches(*batch);
  const auto view = batches.next();
  const auto open = protocol::OpenBatch::open(**view);
  protocol::RecordIterator records = open->records();
  const auto record = records.next();
  const auto parsed = RecordFormat::parse(format);
  REQUIRE(parsed);
  std::string out;
  parsed->print({"tide", PartitionId(3)}, **record, out);
  return out;
}

}  // namespace

TEST_CASE("a record is printed token by token") {
  CHECK(printed("%t %p %o %k=%v %K %V %T %h%%\\n", true) == "tide 3 41 key=value 3 5 1234 h=1%\n");
  CHECK(printed("[%k] %K %s\\x21\\0", false) == std::string("[] -1 value!\0", 13));
}

TEST_CASE("a format with a mistake is refused with its reason") {
  for (const char* bad : {"%q", "%", "abc\\", "\\x2", "\\d"}) {
    const auto parsed = RecordFormat::parse(bad);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().kind() == ErrorKind::config);
  }
  for (const char* unreadable : {"%o %v", "%k%v", "%v %v", "%t"})
    CHECK_FALSE(RecordFormat::parse(unreadable)->check_readable());
}

TEST_CASE("a line is taken apart at the format's literals") {
  const auto format = RecordFormat::parse("%p|%T|%h|%k:%v\\n");
  REQUIRE(format);
  REQUIRE(format->check_readable());
  const auto fields = format->read("2|99|a=1,b=|key:value:more");
  REQUIRE(fields);
  CHECK(fields->partition == PartitionId(2));
  CHECK(fields->timestamp_ms == 99);
  CHECK(fields->key == "key");
  CHECK(fields->value == "value:more");
  REQUIRE(fields->headers.size() == 2);
  CHECK(fields->headers[1] == std::pair<std::string_view, std::string_view>("b", ""));
  CHECK_FALSE(format->read("2|99|a=1|no value"));
  CHECK_FALSE(format->read("two|99||k:v"));
  CHECK_FALSE(format->read("2|99|header|k:v"));
  const auto plain = RecordFormat::parse("%v\\n");
  CHECK(plain->read("any: |thing")->value == "any: |thing");
  CHECK(plain->read("")->value == "");
}

TEST_CASE("times are milliseconds or ISO 8601") {
  CHECK(*parse_timestamp("1767322800123") == 1767322800123);
  CHECK(*parse_timestamp("1970-01-01") == 0);
  CHECK(*parse_timestamp("2026-01-02T03:04:05Z") == 1767323045000);
  CHECK(*parse_timestamp("2026-01-02T03:04:05.678+01:00") == 1767323045678 - 3600000);
  for (const char* bad :
       {"", "-1", "2026-02-30", "2026-01-02T25:00", "2026-01-02T03:04:05+1", "yesterday", "2026-01-02T"})
    CHECK_FALSE(parse_timestamp(bad));
}

TEST_CASE("broker addresses") {
  const auto two = client::parse_bootstrap("a:1, [::1]:9092");
  REQUIRE(two);
  CHECK(*two == std::vector<runtime::Endpoint>{{"a", 1}, {"::1", 9092}});
  for (const char* bad : {"", "a", "a:", "a:0", "a:65536", ":1", "::1:9092", "a:b", ","})
    CHECK_FALSE(client::parse_bootstrap(bad));
}

TEST_CASE("what others wrote does not steer a terminal") {
  CHECK(Value("a\tb\nc\x1b[2J\x7f").cell() == "a\\tb\\nc\\x1b[2J\\x7f");
  CHECK(Value("\xc2\x9b"
              "1m")
            .cell() == "\\xc2\\x9b1m");
  CHECK(Value("Grüße, \xe2\x82\xac").cell() == "Grüße, \xe2\x82\xac");
}

TEST_CASE("values as JSON and YAML") {
  const Value value = Value::object({{"name", "a \"b\"\n"},
                                     {"none", Value()},
                                     {"list", Value(Value::List{1, true, "no"})},
                                     {"empty", Value(Value::List())},
                                     {"object", Value::object({{"x", int64_t{-5}}})}});
  CHECK(value.json() ==
        R"({"name":"a \"b\"\n","none":null,"list":[1,true,"no"],"empty":[],"object":{"x":-5}})");
  CHECK(value.yaml() ==
        "name: \"a \\\"b\\\"\\n\"\nnone: null\nlist:\n  - 1\n  - true\n  - \"no\"\nempty: []\nobject:\n  x: "
        "-5");
  CHECK(json_string("\xFFok\x01") == "\"\xEF\xBF\xBDok\\u0001\"");
  CHECK_FALSE(is_utf8("\xED\xA0\x80"));
  CHECK(is_utf8("прилив"));
  CHECK(base64("ab") == "YWI=");
  CHECK(base64("abc") == "YWJj");
}

TEST_CASE("a client's settings have Kafka's names, and what is not there is refused with the nearest one") {
  client::ClientOptions options;
  CHECK(client::apply_property("auto.offset.reset", "earliest", options));
  CHECK(options.consumer.offset_reset == client::OffsetReset::earliest);
  CHECK(client::apply_property("linger.ms", "50", options));
  CHECK(options.producer.linger_ms == 50);
  CHECK(options.cluster.metadata_max_age_ms == 300'000);  // Kafka's
  CHECK(client::apply_property("metadata.max.age.ms", "60000", options));
  CHECK(options.cluster.metadata_max_age_ms == 60'000);
  CHECK_FALSE(client::apply_property("metadata.max.age.ms", "-1", options));
  const auto unknown = client::apply_property("linger.mss", "50", options);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().message().find("linger.ms") != std::string::npos);
  CHECK_FALSE(client::apply_property("security.protocol", "SSL", options));
  CHECK_FALSE(client::apply_property("acks", "two", options));
  const auto names = client::client_property_names();
  CHECK(std::is_sorted(names.begin(), names.end()));
}
