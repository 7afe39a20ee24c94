#include "config/value.h"

#include <catch2/catch.hpp>

#include "config/node_config.h"
#include "config/settings.h"

using namespace tidemark;
using namespace tidemark::config;

namespace {

// The message of a wrong topic value, or empty.
std::string wrong(std::string_view name, std::string_view value) {
  const auto checked = check_value(*find_setting(Scope::topic, name), value);
  if (checked) return {};
  CHECK(checked.error().code() == ErrorCode::INVALID_CONFIG);
  return checked.error().message();
}

std::string canonical(Scope scope, std::string_view name, std::string_view value) {
  const Setting& setting = *find_setting(scope, name);
  REQUIRE(check_value(setting, value));
  return canonical_value(setting, value);
}

std::string refused(Scope scope, std::string_view name, std::string_view value) {
  const auto checked = check_accepted(*find_setting(scope, name), value);
  return checked ? std::string() : checked.error().message();
}

}  // namespace

TEST_CASE("wrong values are answered in the words of a genuine broker") {
  CHECK(wrong("retention.ms", "-2") ==
        "Invalid value -2 for configuration retention.ms: Value must be at least -1");
  CHECK(wrong("retention.ms", "abc") ==
        "Invalid value abc for configuration retention.ms: Not a number of type LONG");
  CHECK(wrong("retention.ms", "") ==
        "Invalid value  for configuration retention.ms: Not a number of type LONG");
  CHECK(wrong("segment.bytes", "99999999999") ==
        "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT");
  CHECK(wrong("segment.bytes", "1.5") ==
        "Invalid value 1.5 for configuration segment.bytes: Not a number of type INT");
  CHECK(wrong("segment.bytes", "5") ==
        "Invalid value 5 for configuration segment.bytes: Value must be at least 1048576");
  CHECK(wrong("cleanup.policy", "foo") ==
        "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete");
  CHECK(
      wrong("compression.type", "LZ4") ==
      "Invalid value LZ4 for configuration compression.type: String must be one of: uncompressed, zstd, lz4, "
      "snappy, gzip, producer");
  CHECK(wrong("compression.gzip.level", "0") ==
        "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to "
        "-1");
  CHECK(wrong("compression.zstd.level", "23") ==
        "Invalid value 23 for configuration compression.zstd.level: Value must be no more than 22");
  CHECK(wrong("min.cleanable.dirty.ratio", "1.5") ==
        "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1");
  CHECK(wrong("min.cleanable.dirty.ratio", "x") ==
        "Invalid value x for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE");
  CHECK(wrong("preallocate", "yes") ==
        "Invalid value yes for configuration preallocate: Expected value to be either true or false");
  CHECK(wrong("max.compaction.lag.ms", "0") ==
        "Invalid value 0 for configuration max.compaction.lag.ms: Value must be at least 1");
  CHECK(wrong("leader.replication.throttled.replicas", "x")
            .find("must be the literal '*' or a list of replicas") != std::string::npos);
}

TEST_CASE("what a genuine broker takes is taken") {
  for (const auto& [name, value] : std::vector<std::pair<std::string_view, std::string_view>>{
           {"retention.ms", " 5000 "},
           {"segment.bytes", "+2000000"},
           {"cleanup.policy", ""},
           {"cleanup.policy", "delete,delete"},
           {"cleanup.policy", " compact , delete "},
           {"min.cleanable.dirty.ratio", "0.5f"},
           {"preallocate", "TRUE"},
           {"preallocate", " true"},
           {"retention.bytes", "-5"},
           {"compression.gzip.level", "-1"},
           {"leader.replication.throttled.replicas", "0:1, 1:2"},
           {"leader.replication.throttled.replicas", "*"}}) {
    INFO(name << "=" << value);
    CHECK(wrong(name, value).empty());
  }
}

TEST_CASE("numbers that only look like numbers are wrong") {
  for (const std::string_view text : {"+-5", "--5", "5 5", "5x", "0x10", "9223372036854775808", "-", "+"}) {
    INFO(text);
    CHECK_FALSE(wrong("retention.ms", text).empty());
  }
  for (const std::string_view text : {"nan", "f", "", "0.5ff", "+-1"}) {
    INFO(text);
    CHECK_FALSE(wrong("min.cleanable.dirty.ratio", text).empty());
  }
}

TEST_CASE("values have one canonical form") {
  CHECK(canonical(Scope::topic, "retention.ms", " +5 ") == "5");
  CHECK(canonical(Scope::topic, "preallocate", " True") == "true");
  CHECK(canonical(Scope::topic, "cleanup.policy", " compact , delete ") == "compact,delete");
  CHECK(canonical(Scope::topic, "cleanup.policy", "") == "");
  CHECK(canonical(Scope::topic, "compression.type", " lz4") == "lz4");
}

TEST_CASE("sizes take binary suffixes and do not overflow") {
  CHECK(canonical(Scope::broker, "journal.size", "256MiB") == "268435456");
  CHECK(canonical(Scope::broker, "journal.size", "16384 KiB") == "16777216");
  CHECK(canonical(Scope::broker, "memory.limit", "1GiB") == "1073741824");
  const Setting& size = *find_setting(Scope::broker, "journal.size");
  CHECK_FALSE(check_value(size, "9223372036854775807GiB"));
  CHECK_FALSE(check_value(size, "1MB"));
  CHECK_FALSE(check_value(size, "1MiB"));  // below the least
  CHECK_FALSE(check_value(size, "-1GiB"));
}

TEST_CASE("a refused setting is accepted at its default, however it is written") {
  CHECK(refused(Scope::topic, "unclean.leader.election.enable", " FALSE ").empty());
  CHECK(refused(Scope::broker, "ssl.enabled.protocols", "TLSv1.2 , TLSv1.3").empty());
  CHECK(refused(Scope::broker, "ssl.keystore.location", "").empty());
  CHECK(refused(Scope::broker, "log.cleaner.io.buffer.load.factor", "0.90").empty());
  CHECK(refused(Scope::broker, "offsets.topic.replication.factor", "1").empty());
  CHECK(refused(Scope::broker, "offsets.topic.replication.factor", "2") ==
        "Refused configuration offsets.topic.replication.factor: groups come with a later release (only 3 is "
        "accepted)");
  CHECK(refused(Scope::broker, "ssl.keystore.location", "/k.jks").find("leave it unset") !=
        std::string::npos);
  CHECK(refused(Scope::broker, "authorizer.class.name", "a.b.C").find("only an empty value") !=
        std::string::npos);
}

TEST_CASE("a password never appears in a message") {
  CHECK(refused(Scope::broker, "ssl.key.password", "hunter2").find("hunter2") == std::string::npos);
  CHECK(refused(Scope::broker, "ssl.key.password", std::string(kMaxValueBytes + 1, 'x')).find("xxx") ==
        std::string::npos);
}

TEST_CASE("a long value is refused and not repeated in full") {
  CHECK(wrong("compression.type", std::string(10'000, 'x')).size() < 500);
  CHECK_FALSE(wrong("compression.type", std::string(kMaxValueBytes + 1, 'x')).empty());
}

TEST_CASE("lists are split at commas") {
  using Elements = std::vector<std::string_view>;
  CHECK(list_elements("").empty());
  CHECK(list_elements("  ").empty());
  CHECK(list_elements("a") == Elements{"a"});
  CHECK(list_elements(" a , b ") == Elements{"a", "b"});
  CHECK(list_elements("a,") == Elements{"a", ""});
  CHECK(list_elements(",a") == Elements{"", "a"});
}

TEST_CASE("addresses are host and port") {
  const auto printed = [](std::string_view text) {
    const auto endpoint = parse_endpoint(text);
    return endpoint ? endpoint->to_string() : "wrong";
  };
  CHECK(printed("127.0.0.1:9092") == "127.0.0.1:9092");
  CHECK(printed("[::1]:9092") == "[::1]:9092");
  CHECK(printed(":0") == ":0");
  for (const std::string_view text : {"localhost", "a:", "a:x", "a:65536", "a:-1", "::1:9092", "[::1:9092",
                                      "[]:1", "a b:1", "a/b:1", "a:1 ", ""}) {
    INFO(text);
    CHECK(printed(text) == "wrong");
  }
  CHECK(printed(std::string(300, 'a') + ":1") == "wrong");
}
