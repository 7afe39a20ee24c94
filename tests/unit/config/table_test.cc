#include <catch2/catch.hpp>

#include "config/reference/page.h"
#include "config/report.h"
#include "config/resolver.h"
#include "config/settings.h"
#include "config/value.h"

using namespace tidemark::config;

namespace {

constexpr Scope kScopes[] = {Scope::broker, Scope::topic, Scope::group, Scope::client_metrics};

template <class F>
void for_each_setting(F&& f) {
  for (const Scope scope : kScopes) {
    for (const Setting* setting : settings_of(scope)) f(*setting);
  }
}

uint64_t fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

size_t kafka_rows(Scope scope) {
  const auto rows = settings_of(scope);
  return static_cast<size_t>(
      std::ranges::count_if(rows, [](const Setting* setting) { return setting->kafka; }));
}

}  // namespace

TEST_CASE("the table holds every setting that Kafka 4.3 documents, with its facts") {
  CHECK(kafka_rows(Scope::broker) == 340);
  CHECK(kafka_rows(Scope::topic) == 33);
  CHECK(kafka_rows(Scope::group) == 17);
  CHECK(kafka_rows(Scope::client_metrics) == 3);
  // Name, type, default, range, importance, dynamic mode and synonym of all 393, as published with 4.3.1.
  CHECK(fnv1a(kafka_facts()) == 0xf5a5e1e56f773e39);
}

TEST_CASE("every default lies in its own range") {
  for_each_setting([](const Setting& setting) {
    INFO(setting.name);
    if (setting.default_value) CHECK(check_value(setting, *setting.default_value));
  });
}

TEST_CASE("every default is accepted, whatever the setting's status") {
  for_each_setting([](const Setting& setting) {
    INFO(setting.name);
    if (setting.default_value) CHECK(check_accepted(setting, *setting.default_value));
  });
}

TEST_CASE("ranges hold at their ends and not one beyond") {
  for_each_setting([](const Setting& setting) {
    if (setting.type != Type::kInt && setting.type != Type::kLong && setting.type != Type::kShort) return;
    const auto accepts = [&](double value) {
      return check_value(setting, fmt::format("{:.0f}", value)).has_value();
    };
    INFO(setting.name);
    const Valid& valid = setting.valid;
    if (valid.kind == Valid::Kind::at_least || valid.kind == Valid::Kind::between ||
        valid.kind == Valid::Kind::size) {
      CHECK(accepts(valid.low));
      CHECK_FALSE(accepts(valid.low - 1));
    }
    if (valid.kind == Valid::Kind::between) {
      CHECK(accepts(valid.high));
      CHECK_FALSE(accepts(valid.high + 1));
    }
  });
}

TEST_CASE("what protects is refused, never ignored") {
  for_each_setting([](const Setting& setting) {
    const std::string_view name = setting.name;
    const bool protects = name.starts_with("ssl.") || name.starts_with("sasl.") ||
                          name.starts_with("delegation.token.") || name.find("authorizer") != name.npos ||
                          name.find("policy.class") != name.npos || name.find("principal") != name.npos ||
                          name == "super.users" || name == "security.inter.broker.protocol";
    INFO(name);
    if (protects) CHECK(setting.status == Status::refused);
  });
}

TEST_CASE("refused and ignored settings say why, and every setting says what it is") {
  for_each_setting([](const Setting& setting) {
    INFO(setting.name);
    CHECK(setting.doc.ends_with("."));
    if (setting.status != Status::honoured) CHECK_FALSE(setting.note.empty());
  });
}

TEST_CASE("what a refused setting also accepts lies in its range") {
  for_each_setting([](const Setting& setting) {
    INFO(setting.name);
    if (!setting.also_accepted.empty()) {
      CHECK(setting.status == Status::refused);
      CHECK(check_accepted(setting, setting.also_accepted));
    }
  });
}

TEST_CASE("a topic setting's broker synonym exists and has the same default") {
  for (const Setting* setting : settings_of(Scope::topic)) {
    if (setting->broker_synonym.empty()) continue;
    INFO(setting->name);
    CHECK(find_setting(Scope::broker, setting->broker_synonym) != nullptr);
    // Through the family too: log.roll.ms is null, log.roll.hours is 168.
    Properties defaults;
    for (const std::string_view name : broker_synonyms(setting->broker_synonym)) {
      const Setting* synonym = find_setting(Scope::broker, name);
      REQUIRE(synonym != nullptr);
      if (synonym->default_value) defaults.emplace(name, *synonym->default_value);
    }
    CHECK(topic_value(*setting, {}, {nullptr, nullptr, &defaults}) == topic_value(*setting, {}, {}));
  }
}

TEST_CASE("a group setting's broker synonym exists and has the same default") {
  for (const Setting* setting : settings_of(Scope::group)) {
    if (setting->broker_synonym.empty()) continue;
    INFO(setting->name);
    const Setting* synonym = find_setting(Scope::broker, setting->broker_synonym);
    REQUIRE(synonym != nullptr);
    CHECK(synonym->default_value == setting->default_value);
  }
}

TEST_CASE("the typed structs' own defaults are the table's") {
  CHECK(resolve_topic_config({}, {}) == TopicConfig{});
  CHECK(resolve_broker_config({}) == BrokerConfig{});
}

TEST_CASE("names are found in their scope only") {
  CHECK(find_setting(Scope::topic, "retention.ms") != nullptr);
  CHECK(find_setting(Scope::broker, "retention.ms") == nullptr);
  CHECK(find_setting(Scope::broker, "") == nullptr);
}

TEST_CASE("the nearest name is found by edits, and nothing is near a word of another kind") {
  CHECK(nearest_setting(Scope::topic, "retention.mss") == "retention.ms");
  CHECK(nearest_setting(Scope::topic, "retentoin.ms") == "retention.ms");
  CHECK(nearest_setting(Scope::broker, "num.partition") == "num.partitions");
  CHECK(nearest_setting(Scope::broker, "qqqqqq").empty());
  CHECK(nearest_setting(Scope::broker, "").empty());
  CHECK(nearest_setting(Scope::broker, std::string(100'000, 'a')).empty());
}

TEST_CASE("the counts of the table add up") {
  const StatusCounts counts = count_table();
  size_t rows = 0;
  for (const Scope scope : kScopes) rows += settings_of(scope).size();
  CHECK(counts.honoured + counts.refused + counts.ignored == rows);
  CHECK(counts.honoured > 0);
}

TEST_CASE("the reference page names every setting once in its scope") {
  const std::string page = reference_page();
  for_each_setting([&](const Setting& setting) {
    INFO(setting.name);
    CHECK(page.find(fmt::format("\n| `{}` |", setting.name)) != std::string::npos);
  });
}
