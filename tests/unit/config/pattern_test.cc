#include "config/pattern.h"

#include <catch2/catch.hpp>

#include "config/client_metrics.h"

using namespace tidemark;
using namespace tidemark::config;

namespace {

bool matches(std::string_view pattern, std::string_view text) {
  const auto compiled = Pattern::compile(pattern);
  if (!compiled) FAIL(pattern << ": " << compiled.error().message());
  return compiled->matches(text);
}

bool is_wrong(std::string_view pattern) { return !Pattern::compile(pattern).has_value(); }

}  // namespace

TEST_CASE("a pattern matches a whole text or none of it") {
  CHECK(matches("abc", "abc"));
  CHECK_FALSE(matches("abc", "abcd"));
  CHECK_FALSE(matches("abc", "xabc"));
  CHECK(matches("", ""));
  CHECK_FALSE(matches("", "a"));
  CHECK(matches("^abc$", "abc"));
  CHECK_FALSE(matches("a^b", "ab"));
}

TEST_CASE("choices, groups and repetitions mean what they mean in Java") {
  CHECK(matches("a|b|c", "c"));
  CHECK_FALSE(matches("a|b|c", "ab"));
  CHECK(matches("(ab|cd)*ef", "abcdabef"));
  CHECK(matches("a{3}", "aaa"));
  CHECK_FALSE(matches("a{3}", "aa"));
  CHECK(matches("a{2,}", "aaaaa"));
  CHECK_FALSE(matches("a{2,4}", "aaaaa"));
  CHECK(matches("a{2,4}", "aaa"));
  CHECK(matches("ab?c", "ac"));
  CHECK(matches("(?:a+?)b", "aab"));
  CHECK(matches("(a*)*b", "aaab"));
  CHECK(matches("(|a)b", "b"));
}

TEST_CASE("sets and escapes") {
  CHECK(matches("[a-c_-]+", "a-b_c"));
  CHECK_FALSE(matches("[^a-c]", "b"));
  CHECK(matches("[^a-c]", "d"));
  CHECK(matches("[]a]", "]"));
  CHECK(matches("\\d+\\.\\d+", "11.1"));
  CHECK_FALSE(matches("11.1\\..*", "11.12"));
  CHECK(matches("[\\d.]+", "1.2.3"));
  CHECK(matches("\\w+\\s\\S\\W\\D", "ab_9 x-y"));
  CHECK(matches("\\Qa.b*\\E+", "a.b**"));
  CHECK(matches(".", "\xC3\xA4"));
  CHECK(matches("[\xC3\xA4-\xC3\xBC]", "\xC3\xB6"));
  CHECK_FALSE(matches(".", "\n"));
}

TEST_CASE("a pattern may ignore case, from where it says so") {
  CHECK(matches("(?i)APACHE-[a-z]+", "apache-KAFKA"));
  CHECK(matches("a(?i:B)c", "abc"));
  CHECK_FALSE(matches("a(?i:B)c", "abC"));
  CHECK_FALSE(matches("(a(?i)b)c", "abC"));
}

TEST_CASE("what is no pattern, or none that always ends soon, is refused") {
  for (const std::string_view pattern :
       {"[a", "(", "a)", "*a", "a{2", "a{3,2}", "a{1001}", "\\", "\\p{Alpha}", "a++", "(?=a)", "(?<n>a)",
        "(a)\\1", "\\bword", "[a&&b]", "[a[b]]", "[z-a]", "{2}"}) {
    INFO(pattern);
    CHECK(is_wrong(pattern));
  }
  CHECK(is_wrong(std::string(Pattern::kMaxInstructions + 1, 'a')));
  CHECK(is_wrong("((a{100}){100}){100}"));
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += '(';
  CHECK(is_wrong(deep + "a"));
}

TEST_CASE("what takes other machines forever takes this one a moment") {
  const std::string many(Pattern::kMaxText, 'a');
  CHECK_FALSE(matches("(a*)*(a*)*(a|aa)+b", many));
  CHECK(matches("(a*)*(a*)*(a|aa)+", many));
  CHECK_FALSE(matches(".*", many + "a"));
}

TEST_CASE("a match names attributes of clients, each with a pattern") {
  const auto matches = parse_client_match(" client_id = a.* , client_source_port=9[0-9]{3},client_id=b=");
  REQUIRE(matches);
  REQUIRE(matches->size() == 2);
  CHECK(matches->at(0).attribute == ClientAttribute::source_port);
  CHECK(matches->at(1).attribute == ClientAttribute::client_id);
  CHECK(matches->at(1).pattern.matches("b"));
  CHECK_FALSE(matches->at(1).pattern.matches("ab"));
  CHECK(parse_client_match("")->empty());
  for (const std::string_view wrong : {"x", "x=y", "client_id=[a", "client_id=a=b", "client_id=", "=a"}) {
    INFO(wrong);
    const auto refused = parse_client_match(wrong);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == ErrorCode::INVALID_CONFIG);
    CHECK(refused.error().message().starts_with(fmt::format("Illegal client matching pattern: {}", wrong)));
  }
}
