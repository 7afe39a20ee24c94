// Small values: uuid text, JSON text, the arena.
#include <catch2/catch.hpp>
#include <cmath>

#include "protocol/arena.h"
#include "protocol/ids.h"
#include "protocol/json_writer.h"
#include "tests/vectors/vector_check.h"

using namespace tidemark;
using namespace tidemark::protocol;

namespace {

template <class T>
std::string json_of(const T& value) {
  JsonWriter json;
  json.value(value);
  return json.take();
}

}  // namespace

TEST_CASE("a uuid's text is URL-safe base64 and comes back") {
  CHECK(Uuid().to_string() == "AAAAAAAAAAAAAAAAAAAAAA");
  const Uuid id = Uuid::from_halves(0xfbffbffbffbffbffULL, 0x0102030405060708ULL);
  CHECK(id.to_string() == "-_-_-_-_-_8BAgMEBQYHCA");
  CHECK(Uuid::parse(id.to_string()) == id);
  for (const char* bad : {"", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA+",
                          "AAAAAAAAAAAAAAAAAAAAAB"}) {
    CHECK_FALSE(Uuid::parse(bad).has_value());
  }
}

TEST_CASE("JSON text is always valid") {
  CHECK(json_of(std::string_view("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")) ==
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
  // A lone continuation byte, an overlong form, a surrogate, a cut-off sequence.
  for (const char* bad : {"\x80", "\xc0\xaf", "\xed\xa0\x80", "\xe2\x82"}) {
    const auto parsed = nlohmann::json::parse(json_of(std::string_view(bad)));
    CHECK(parsed.get<std::string>().starts_with("\xEF\xBF\xBD"));
  }
  CHECK(json_of(std::string_view("\t\\")) == R"("\t\\")");
  CHECK(json_of(INT64_MIN) == "-9223372036854775808");
  CHECK(json_of(0.1) == "0.1");
  CHECK(json_of(std::nan("")) == "\"NaN\"");
  CHECK(json_of(-INFINITY) == "\"-Infinity\"");
}

TEST_CASE("bytes are base64 with padding") {
  auto base64 = [](const char* hex) { return json_of(std::span<const std::byte>(*vectors::parse_hex(hex))); };
  CHECK(base64("") == "\"\"");
  CHECK(base64("fb") == "\"+w==\"");
  CHECK(base64("fbff") == "\"+/8=\"");
  CHECK(base64("fbffbf") == "\"+/+/\"");
}

TEST_CASE("objects and arrays nest") {
  JsonWriter json;
  json.begin_object();
  json.key("a");
  json.value(std::vector<int32_t>{1, 2});
  json.key("b");
  json.begin_array();
  json.begin_object();
  json.end_object();
  json.null();
  json.end_array();
  json.key("c");
  json.value(true);
  json.end_object();
  CHECK(json.text() == R"({"a":[1,2],"b":[{},null],"c":true})");
}

TEST_CASE("an arena keeps its strings where they are, also when it moves") {
  Arena arena;
  std::string source = "host-0";
  const std::string_view first = arena.copy(source);
  source = "gone!!";
  std::vector<std::string_view> more;
  for (int i = 0; i < 1000; ++i) more.push_back(arena.copy(fmt::format("value {}", i)));
  const std::string_view large = arena.copy(std::string(200'000, 'x'));
  Arena moved = std::move(arena);
  CHECK(first == "host-0");
  CHECK(more[999] == "value 999");
  CHECK(large.size() == 200'000);
  CHECK(moved.copy("").empty());
  CHECK(moved.allocated_bytes() >= 200'000);
  CHECK(moved.allocated_bytes() < 300'000);
  CHECK(arena.allocated_bytes() == 0);
  CHECK(arena.copy("again") == "again");
}
