// Whose quota applies to whom.
#include "broker/quota/quota_table.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <vector>

namespace tidemark::broker {
namespace {

using replication::QuotaEntity;
using replication::QuotaMap;

struct Rule {
  QuotaEntity entity;
  QuotaMap quotas;
};

QuotaTable table_of(const std::vector<Rule>& rules) {
  QuotaTable::Quotas quotas;
  for (const Rule& rule : rules) quotas.set(rule.entity, std::make_shared<const QuotaMap>(rule.quotas));
  return QuotaTable(quotas);
}

// "BOUND user=USER client=CLIENT", or "-".
std::string found(const QuotaTable& table, std::string_view user, std::string_view client,
                  QuotaKind kind = QuotaKind::produce) {
  const auto limit = table.find(kind, user, client);
  return limit ? fmt::format("{} user={} client={}", limit->bound, limit->user, limit->client_id) : "-";
}

QuotaMap produce(double bound) { return {{"producer_byte_rate", bound}}; }

}  // namespace

TEST_CASE("the most specific quota counts, in Kafka's order") {
  // From the least specific up: each one that comes hides those before it from the client a of user u.
  const std::vector<Rule> rules{
      {{{"client-id", std::nullopt}}, produce(1)},
      {{{"client-id", "a"}}, produce(2)},
      {{{"user", std::nullopt}}, produce(3)},
      {{{"user", std::nullopt}, {"client-id", std::nullopt}}, produce(4)},
      {{{"user", std::nullopt}, {"client-id", "a"}}, produce(5)},
      {{{"user", "u"}}, produce(6)},
      {{{"user", "u"}, {"client-id", std::nullopt}}, produce(7)},
      {{{"user", "u"}, {"client-id", "a"}}, produce(8)},
  };
  const std::vector<std::string> expected{
      "1 user= client=a",  "2 user= client=a", "3 user=u client=",  "4 user=u client=a",
      "5 user=u client=a", "6 user=u client=", "7 user=u client=a", "8 user=u client=a"};
  std::vector<Rule> known;
  for (size_t i = 0; i < rules.size(); ++i) {
    known.push_back(rules[i]);
    CHECK(found(table_of(known), "u", "a") == expected[i]);
  }
  const QuotaTable table = table_of(rules);
  CHECK(found(table, "u", "b") == "7 user=u client=b");
  CHECK(found(table, "v", "a") == "5 user=v client=a");
  CHECK(found(table, "v", "b") == "4 user=v client=b");
}

TEST_CASE("each kind of quota is found by itself") {
  const QuotaTable table =
      table_of({{{{"user", "u"}}, {{"consumer_byte_rate", 10}}},
                {{{"client-id", "a"}}, {{"producer_byte_rate", 20}, {"request_percentage", 2.5}}}});
  CHECK(found(table, "u", "a") == "20 user= client=a");
  CHECK(found(table, "u", "a", QuotaKind::fetch) == "10 user=u client=");
  CHECK(found(table, "u", "a", QuotaKind::request) == "2.5 user= client=a");
  CHECK(found(table, "u", "a", QuotaKind::controller_mutation) == "-");
  CHECK(table.any(QuotaKind::request));
  CHECK_FALSE(table.any(QuotaKind::controller_mutation));
  CHECK_FALSE(table.any(QuotaKind::connection));
}

TEST_CASE("a client without an id has the default's quota") {
  CHECK(found(table_of({{{{"client-id", std::nullopt}}, produce(1)}}), "u", "") == "1 user= client=");
}

TEST_CASE("without quotas nothing is found") {
  const QuotaTable table = table_of({});
  CHECK(found(table, "u", "a") == "-");
  CHECK_FALSE(table.connection_rate("10.0.0.1"));
}

TEST_CASE("an address has its own rate or the default's, in whatever form it was written") {
  const auto rate = [](double value) { return QuotaMap{{"connection_creation_rate", value}}; };
  const QuotaTable table = table_of({{{{"ip", std::nullopt}}, rate(50)},
                                     {{{"ip", "::ffff:10.0.0.1"}}, rate(1)},
                                     {{{"ip", "0:0:0:0:0:0:0:1"}}, rate(2)},
                                     {{{"ip", "localhost"}}, rate(3)}});
  CHECK(table.connection_rate("10.0.0.1") == 1);
  CHECK(table.connection_rate("::1") == 2);
  CHECK(table.connection_rate("127.0.0.1") == 3);
  CHECK(table.connection_rate("10.0.0.2") == 50);
}

}  // namespace tidemark::broker
