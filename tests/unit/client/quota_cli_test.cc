// `tidemark quota`: what people type, and how quotas are shown.
#include <catch2/catch.hpp>

#include <functional>

#include "client/cli/quota_entity.h"

using namespace tidemark;
using namespace tidemark::cli;

namespace {

// As shown, or the error.
std::string understood(const std::function<void(QuotaWho&)>& set) {
  QuotaWho who;
  set(who);
  const auto entity = quota_entity(who);
  return entity ? entity_text(*entity) : entity.error().message();
}

std::string parsed(const std::string& text) {
  const auto change = parse_quota(text);
  return change ? fmt::format("{}: {}", change->key, *change->value) : change.error().message();
}

}  // namespace

TEST_CASE("whose quota it is") {
  CHECK(understood([](QuotaWho& w) { w.user = "alice"; }) == "user alice");
  CHECK(understood([](QuotaWho& w) { w.user_defaults = true; }) == "user <default>");
  CHECK(understood([](QuotaWho& w) {
          w.user = "alice";
          w.client = "app";
        }) == "user alice, client-id app");
  CHECK(understood([](QuotaWho& w) {
          w.user = "alice";
          w.client_defaults = true;
        }) == "user alice, client-id <default>");
  CHECK(understood([](QuotaWho& w) { w.client = "app"; }) == "client-id app");
  CHECK(understood([](QuotaWho& w) { w.ip = "10.0.0.1"; }) == "ip 10.0.0.1");
  CHECK(understood([](QuotaWho& w) { w.ip_defaults = true; }) == "ip <default>");
  CHECK(
      understood([](QuotaWho&) {}) ==
      "whose quota? --user, --client (or both), or --ip; with -defaults behind it that of all who have none");
  CHECK(understood([](QuotaWho& w) {
          w.user = "alice";
          w.user_defaults = true;
        }) == "--user and --user-defaults exclude each other");
  CHECK(understood([](QuotaWho& w) {
          w.user = "alice";
          w.ip = "10.0.0.1";
        }) == "--ip goes with no user and no client");
}

TEST_CASE("a quota as it is typed") {
  CHECK(parsed("producer_byte_rate=1048576") == "producer_byte_rate: 1048576");
  CHECK(parsed("request_percentage=12.5") == "request_percentage: 12.5");
  CHECK(parsed("producer_byte_rate=1e6") == "producer_byte_rate: 1000000");
  CHECK(parsed("producer_byte_rate=1MB") == "producer_byte_rate: 1MB is not a number");
  CHECK(parsed("producer_byte_rate=") == "producer_byte_rate:  is not a number");
  CHECK_FALSE(parse_quota("producer_byte_rate"));
}

TEST_CASE("quotas as JSON and as rows") {
  const std::vector<client::EntityQuotas> all{{{{"client-id", std::nullopt}, {"user", "alice"}},
                                               {{"producer_byte_rate", 1000}, {"request_percentage", 50.5}}},
                                              {{{"ip", "::1"}}, {{"connection_creation_rate", 7}}}};
  CHECK(
      quotas_value(all).json() ==
      R"([{"entity":{"client-id":null,"user":"alice"},"quotas":{"producer_byte_rate":1000,"request_percentage":50.5}},)"
      R"({"entity":{"ip":"::1"},"quotas":{"connection_creation_rate":7}}])");
  CHECK(quotas_rows(all).json() ==
        R"([{"entity":"user alice, client-id <default>","quota":"producer_byte_rate","value":1000},)"
        R"({"entity":"user alice, client-id <default>","quota":"request_percentage","value":50.5},)"
        R"({"entity":"ip ::1","quota":"connection_creation_rate","value":7}])");
  CHECK(Value(std::numeric_limits<double>::infinity()).json() == R"("inf")");
  CHECK(Value(2.5).cell() == "2.5");
}
