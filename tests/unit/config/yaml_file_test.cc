#include <catch2/catch.hpp>

#include "config/written.h"

using namespace tidemark;
using namespace tidemark::config;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs parsed(std::string_view text) {
  const auto settings = parse_yaml("f", text);
  if (!settings) FAIL(settings.error().message());
  Pairs pairs;
  for (const WrittenSetting& setting : *settings) pairs.emplace_back(setting.name, setting.value);
  return pairs;
}

std::string wrong(std::string_view text) {
  const auto settings = parse_yaml("f", text);
  return settings ? "" : settings.error().message();
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the sections become the settings that they stand for, with their lines") {
  const auto settings = parse_yaml("t.yaml", R"(node: {id: 7, rack: a, roles: [broker, controller]}
cluster:
  controllers:
    - {id: 7, address: 127.0.0.1:19093}
listeners:
  - {name: INTERNAL, address: 127.0.0.1:19092, advertised: kafka.example:19092}
  - {address: 127.0.0.1:19192}
http: {address: 127.0.0.1:19644}
data: {dirs: [/var/lib/tidemark]}
memory: {limit: 512MiB}
journal: {size: 64MiB}
properties:
  default.replication.factor: 1
  log.cleanup.policy: [delete]
)");
  REQUIRE(settings);
  CHECK(*settings ==
        std::vector<WrittenSetting>{
            {"node.id", "7", "t.yaml:1"},
            {"broker.rack", "a", "t.yaml:1"},
            {"process.roles", "broker,controller", "t.yaml:1"},
            {"controller.quorum.voters", "7@127.0.0.1:19093", "t.yaml:4"},
            {"listeners", "INTERNAL://127.0.0.1:19092,PLAINTEXT://127.0.0.1:19192", "t.yaml:6"},
            {"advertised.listeners", "INTERNAL://kafka.example:19092", "t.yaml:6"},
            {"http.address", "127.0.0.1:19644", "t.yaml:8"},
            {"log.dirs", "/var/lib/tidemark", "t.yaml:9"},
            {"memory.limit", "512MiB", "t.yaml:10"},
            {"journal.size", "64MiB", "t.yaml:11"},
            {"default.replication.factor", "1", "t.yaml:13"},
            {"log.cleanup.policy", "delete", "t.yaml:14"},
            {"listener.security.protocol.map",
             "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,INTERNAL:PLAINTEXT",
             "t.yaml:6"},
        });
}

TEST_CASE("an empty file sets nothing") {
  CHECK(parsed("").empty());
  CHECK(parsed("# nothing\n").empty());
  CHECK(parsed("---\n").empty());
}

TEST_CASE("an unknown key is told with its line and the nearest known one") {
  CHECK(contains(wrong("nodes: {id: 1}"), "f:1: the file: unknown key nodes (did you mean node?)"));
  CHECK(contains(wrong("node:\n  idd: 1"),
                 "f:2: node: unknown key idd (did you mean id?); known are id, rack, roles"));
  CHECK(contains(wrong("data: {dir: x}"), "did you mean dirs?"));
  CHECK(contains(wrong("listeners:\n- {address: a:1, adress: b:2}"), "f:2: listeners: unknown key adress"));
}

TEST_CASE("sections of later releases are refused with a reason") {
  CHECK(contains(wrong("control: {address: 127.0.0.1:1}"),
                 "f:1: control: node-to-node control comes with a later"));
  CHECK(contains(wrong("cluster:\n  controllers:\n  - {id: 1, address: a:1}\n  - {id: 2, address: a:2}"),
                 "f:3: cluster.controllers: a cluster of several controllers comes with a later release"));
}

TEST_CASE("all errors of a file come together") {
  const std::string message = wrong("nodes: 1\ncontrol: 2\nhttp: {adress: x}");
  CHECK(std::ranges::count(message, '\n') == 2);
  CHECK(contains(message, "f:1: "));
  CHECK(contains(message, "f:2: "));
  CHECK(contains(message, "f:3: "));
}

TEST_CASE("values of the wrong shape are told") {
  CHECK(contains(wrong("node: 5"), "f:1: node must be a map of keys"));
  CHECK(contains(wrong("- a\n- b"), "f:1: the file must be a map of keys"));
  CHECK(contains(wrong("node: {id: [1]}"), "node.id must be a single value"));
  CHECK(contains(wrong("node: {id: }"), "node: id has no value"));
  CHECK(contains(wrong("listeners: 127.0.0.1:9092"), "listeners must be a list"));
  CHECK(contains(wrong("listeners: []"), "listeners must be a list"));
  CHECK(contains(wrong("listeners: [{name: A}]"), "an entry needs an address"));
  CHECK(contains(wrong("listeners: [{address: 'a:1,B://b:2'}]"), "neither a comma nor ://"));
  CHECK(contains(wrong("data: {dirs: ['a,b']}"), "an element must be a value without a comma"));
  CHECK(contains(wrong("properties: {a: {b: c}}"), "properties.a must be a value or a list of values"));
  CHECK(contains(wrong("properties: {[a]: b}"), "a key must be a word"));
  CHECK(contains(wrong("cluster: {controllers: []}"), "must be a list of {id, address}"));
  CHECK(contains(wrong("cluster: {controllers: [{id: 1}]}"), "an entry has an id and an address"));
}

TEST_CASE("a setting that is there twice is told with both lines") {
  CHECK(contains(wrong("node: {id: 1, id: 2}"), "node: id is there twice"));
  CHECK(
      contains(wrong("node: {id: 1}\nproperties:\n  node.id: 2"), "f:3: node.id is set twice, first at f:1"));
}

TEST_CASE("what is not YAML is told with its line") {
  CHECK(contains(wrong("node: {id: 1\nhttp: x"), "not YAML"));
  CHECK(contains(wrong("a: b\n---\nc: d"), "more than one YAML document"));
  CHECK(contains(wrong("node: *nowhere"), "f:1: not YAML"));
}

TEST_CASE("a hostile file is bounded") {
  CHECK(contains(wrong(std::string(100, '[') + std::string(100, ']')), "nested deeper than 64 levels"));
  CHECK_FALSE(wrong(std::string(100'000, '[')).empty());
  CHECK_FALSE(wrong(std::string(100'000, '{')).empty());
  CHECK_FALSE(wrong("node: {id: 1}\n}\n").empty());
  CHECK(contains(wrong(std::string(kMaxConfigFileBytes + 1, ' ')), "larger than"));
  std::string block;
  for (int i = 0; i < 2000; ++i) block += "- ";
  CHECK_FALSE(wrong(block).empty());
  // Aliases are references: ten levels of ten stay small.
  std::string laughs = "properties:\n  a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    laughs += fmt::format("  a{}: &a{} [", i, i);
    for (int j = 0; j < 10; ++j) laughs += fmt::format("{}*a{}", j > 0 ? "," : "", i - 1);
    laughs += "]\n";
  }
  CHECK(contains(wrong(laughs), "an element must be a value"));
}

TEST_CASE("a listener says its protocol, or its name does") {
  CHECK(parsed("listeners: [{address: a:1}]") == Pairs{{"listeners", "PLAINTEXT://a:1"}});
  CHECK(contains(parsed("listeners: [{name: X, address: a:1, protocol: SSL}]").back().second, "X:SSL"));
  CHECK(contains(wrong("listeners: [{name: SSL, address: a:1, protocol: PLAINTEXT}]"),
                 "SSL cannot speak PLAINTEXT"));
  // One's own map is not touched.
  const Pairs own = parsed(
      "listeners: [{name: X, address: a:1}]\nproperties: {listener.security.protocol.map: X:PLAINTEXT}");
  CHECK(own.back() == std::pair<std::string, std::string>{"listener.security.protocol.map", "X:PLAINTEXT"});
}
