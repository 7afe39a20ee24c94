// Log lines: their two forms, and the limiter.
#include <catch2/catch.hpp>

#include "broker/observe/log.h"

using namespace tidemark;
using namespace tidemark::broker;
using namespace std::chrono_literals;

TEST_CASE("an event is one line in text and one object in JSON, whatever is in it") {
  const std::vector<LogField> fields{{"remote", "10.0.0.1:5"}, {"cause", "two words"},   {"count", 7},
                                     {"evil", "a\n\"b\"\\"},   {"empty", std::string()}, {"flag", true}};
  CHECK(
      format_event(LogFormat::text, "connection closed", fields) ==
      R"(connection closed remote=10.0.0.1:5 cause="two words" count=7 evil="a\n\"b\"\\" empty="" flag=true)");
  CHECK(
      format_event(LogFormat::json, "connection closed", fields) ==
      R"("event":"connection closed","remote":"10.0.0.1:5","cause":"two words","count":7,"evil":"a\n\"b\"\\","empty":"","flag":true)");
}

TEST_CASE("the limiter lets so many through a second and counts the rest") {
  LogLimiter limiter(2);
  const runtime::MonoTime start{100s};
  CHECK(limiter.admit(start) == 0);
  CHECK(limiter.admit(start + 1ms) == 0);
  CHECK_FALSE(limiter.admit(start + 2ms));
  CHECK_FALSE(limiter.admit(start + 999ms));
  CHECK(limiter.admit(start + 1000ms) == 2);
  CHECK(limiter.admit(start + 1001ms) == 0);
}
