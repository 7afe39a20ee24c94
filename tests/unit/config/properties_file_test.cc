#include <catch2/catch.hpp>

#include "config/written.h"

using namespace tidemark;
using namespace tidemark::config;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs parsed(std::string_view text) {
  const auto settings = parse_properties("f", text);
  if (!settings) FAIL(settings.error().message());
  Pairs pairs;
  for (const WrittenSetting& setting : *settings) pairs.emplace_back(setting.name, setting.value);
  return pairs;
}

std::string wrong(std::string_view text) {
  const auto settings = parse_properties("f", text);
  return settings ? "" : settings.error().message();
}

}  // namespace

TEST_CASE("keys end at =, : or a blank, and blanks around them do not count") {
  const Pairs expected{{"a.b", "c d"}};
  for (const std::string_view text :
       {"a.b=c d", "a.b:c d", "a.b c d", "  a.b = c d", "a.b\t:\tc d", "a.b   c d"}) {
    INFO(text);
    CHECK(parsed(text) == expected);
  }
  CHECK(parsed("a==b") == Pairs{{"a", "=b"}});
  CHECK(parsed("a : = b") == Pairs{{"a", "= b"}});
  CHECK(parsed("a") == Pairs{{"a", ""}});
  CHECK(parsed("a=") == Pairs{{"a", ""}});
}

TEST_CASE("comments and empty lines are skipped, and a comment does not continue") {
  CHECK(parsed("# x=1\n\n  ! y=2\n \t \na=b") == Pairs{{"a", "b"}});
  CHECK(parsed("# x \\\na=b") == Pairs{{"a", "b"}});
  CHECK(parsed("a=b # c") == Pairs{{"a", "b # c"}});
}

TEST_CASE("a line goes on after an odd number of backslashes") {
  CHECK(parsed("a=b,\\\n   c") == Pairs{{"a", "b,c"}});
  CHECK(parsed("a=b\\\\\nc=d") == Pairs{{"a", "b\\"}, {"c", "d"}});
  CHECK(parsed("a=b\\\n#c") == Pairs{{"a", "b#c"}});
  CHECK(parsed("a=b\\") == Pairs{{"a", "b"}});
  CHECK(parsed("a=b\\\r\n  c\r\nd=e") == Pairs{{"a", "bc"}, {"d", "e"}});
}

TEST_CASE("lines end as any system ends them") {
  CHECK(parsed("a=1\nb=2\r\nc=3\rd=4") == Pairs{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}});
}

TEST_CASE("escapes stand for what they name") {
  CHECK(parsed("a\\=b=c\\:d") == Pairs{{"a=b", "c:d"}});
  CHECK(parsed("a\\ b=\\tc\\n\\r\\f\\q") == Pairs{{"a b", "\tc\n\r\fq"}});
  CHECK(parsed("a=\\u0041\\u00e9\\u20AC") == Pairs{{"a", "A\xc3\xa9\xe2\x82\xac"}});
  CHECK(parsed("a=\\ud83d\\ude00") == Pairs{{"a", "\xf0\x9f\x98\x80"}});
  CHECK(parsed("a=\\ud83dx") == Pairs{{"a", "\xef\xbf\xbdx"}});
}

TEST_CASE("a repeated key is listed twice, each with its line") {
  const auto settings = parse_properties("server.properties", "a=1\n\na=2\\\n3\nb=4");
  REQUIRE(settings);
  CHECK(*settings == std::vector<WrittenSetting>{{"a", "1", "server.properties:1"},
                                                 {"a", "23", "server.properties:3"},
                                                 {"b", "4", "server.properties:5"}});
}

TEST_CASE("what is wrong is told with its line") {
  CHECK(wrong("a=b\nc=\\u12") == "f:2: \\u needs four hexadecimal digits");
  CHECK(wrong("a=b\n=c") == "f:2: a line without a key");
  CHECK(wrong(std::string(600, 'k') + "=v") == "f:1: a key longer than 512 bytes");
  CHECK(wrong(std::string("a=b\0c", 5)) == "f:1: a zero byte: this is not a text file");
  CHECK(wrong("k=" + std::string(70'000, 'v')) == "f:1: k: longer than 65536 bytes");
}

TEST_CASE("a file has its bounds") {
  CHECK(wrong(std::string(kMaxConfigFileBytes + 1, '#')).find("larger than") != std::string::npos);
  std::string many;
  for (size_t i = 0; i <= kMaxWrittenSettings; ++i) many += fmt::format("k{}=v\n", i);
  CHECK(wrong(many).find("more than 10000 settings") != std::string::npos);
}

TEST_CASE("--set takes KEY=VALUE") {
  CHECK(*parse_override("a.b=c=d") == WrittenSetting{"a.b", "c=d", "--set"});
  CHECK(*parse_override(" a = ") == WrittenSetting{"a", "", "--set"});
  for (const std::string_view text : {"", "a", "=b", " =b"}) CHECK_FALSE(parse_override(text));
}
