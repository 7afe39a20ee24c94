#include "config/loader.h"

#include <catch2/catch.hpp>

#include "config/report.h"

using namespace tidemark;
using namespace tidemark::config;

namespace {

NodeConfig made(std::string_view properties, std::vector<WrittenSetting> overrides = {}) {
  const auto written = parse_properties("server.properties", properties);
  REQUIRE(written);
  auto node = make_node_config(*written, overrides);
  if (!node) FAIL(node.error().message());
  return std::move(*node);
}

std::string wrong(std::string_view properties, std::vector<WrittenSetting> overrides = {}) {
  const auto written = parse_properties("f", properties);
  REQUIRE(written);
  const auto node = make_node_config(*written, overrides);
  if (node) return "";
  CHECK(node.error().code() == ErrorCode::INVALID_CONFIG);
  return node.error().message();
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

bool any_contains(const std::vector<std::string>& lines, std::string_view part) {
  return std::ranges::any_of(lines, [&](const std::string& line) { return contains(line, part); });
}
bool warns(const NodeConfig& node, std::string_view part) { return any_contains(node.warnings, part); }
bool exposes(const NodeConfig& node, std::string_view part) { return any_contains(node.exposures, part); }

// What Kafka 4.3 ships as config/server.properties, without its comments.
constexpr std::string_view kStockProperties = R"(process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
)";

}  // namespace

TEST_CASE("without a file a node is a cluster of one on loopback") {
  const NodeConfig node = made("");
  CHECK(node.node_id == BrokerId(1));
  CHECK(node.listeners == std::vector<Listener>{{"PLAINTEXT", {"127.0.0.1", 9092}, std::nullopt}});
  CHECK(node.http == Endpoint{"127.0.0.1", 9644});
  CHECK(node.data_dirs == std::vector<std::string>{"./tidemark-data"});
  CHECK(node.properties.empty());
  CHECK(node.warnings.empty());
  CHECK(node.broker == BrokerConfig{});
}

TEST_CASE("the server.properties that Kafka ships is taken as it is") {
  const NodeConfig node = made(kStockProperties);
  CHECK(node.listeners == std::vector<Listener>{{"PLAINTEXT", {"", 9092}, Endpoint{"localhost", 9092}}});
  CHECK(node.data_dirs == std::vector<std::string>{"/tmp/kraft-combined-logs"});
  CHECK(warns(node, "server.properties:4: the listener CONTROLLER is for controllers"));
  CHECK(warns(node, "num.io.threads is ignored"));
  CHECK(exposes(node, "can be reached from other machines"));
}

TEST_CASE("a listener that is for controllers is not opened") {
  const std::string two = "listeners=A://h:1,B://h:2\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT";
  const NodeConfig both = made(two);
  CHECK(both.listeners.size() == 2);
  const NodeConfig one = made("controller.listener.names=B\n" + two);
  CHECK(one.listeners == std::vector<Listener>{both.listeners[0]});
  CHECK(warns(one, "the listener B is for controllers"));
}

TEST_CASE("our YAML example of one node is taken") {
  const auto written = parse_config_file("t.yaml", R"(node: {id: 3, rack: a}
listeners:
  - {name: INTERNAL, address: 127.0.0.1:19092, advertised: 127.0.0.1:19092}
http: {address: 127.0.0.1:0}
data: {dirs: [/var/lib/tidemark]}
memory: {limit: 256MiB}
properties: {num.partitions: 8}
)");
  REQUIRE(written);
  const auto node = make_node_config(*written, {});
  REQUIRE(node);
  CHECK(node->node_id == BrokerId(3));
  CHECK(node->rack == "a");
  CHECK(node->listeners ==
        std::vector<Listener>{{"INTERNAL", {"127.0.0.1", 19092}, Endpoint{"127.0.0.1", 19092}}});
  CHECK(node->http == Endpoint{"127.0.0.1", 0});
  CHECK(node->broker.num_partitions == 8);
  CHECK(node->broker.memory_limit == 256 << 20);
  CHECK(node->properties.at("node.id") == "3");
}

TEST_CASE("an unknown key is told with file, line and the nearest known key") {
  CHECK(wrong("a.b.c=1\nnum.partition=3") ==
        "f:1: Unknown configuration a.b.c\nf:2: Unknown configuration num.partition (did you mean "
        "num.partitions?)");
  CHECK(wrong("retention.ms=3") ==
        "f:1: Unknown configuration retention.ms: it is a topic's; the broker's is log.retention.ms");
}

TEST_CASE("a wrong value is told with file, line and key") {
  CHECK(wrong("\nnum.partitions=0") ==
        "f:2: Invalid value 0 for configuration num.partitions: Value must be at least 1");
  CHECK(wrong("node.id=x") == "f:1: Invalid value x for configuration node.id: Not a number of type INT");
  CHECK(wrong("node.id=-1") == "f:1: Invalid value -1 for configuration node.id: Value must be at least 0");
  CHECK(contains(wrong("http.address=nowhere"), "f:1: Invalid value nowhere for configuration http.address"));
}

TEST_CASE("all errors come together, and not without end") {
  std::string many;
  for (int i = 0; i < 100; ++i) many += fmt::format("no.such.key.{}=1\n", i);
  CHECK(std::ranges::count(wrong(many), '\n') == 19);
}

TEST_CASE("protecting settings stop the start unless they stand at their defaults") {
  for (const std::string_view text :
       {"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "ssl.client.auth=required", "ssl.keystore.location=/k", "sasl.enabled.mechanisms=PLAIN",
        "super.users=User:a", "create.topic.policy.class.name=x", "principal.builder.class=x",
        "security.inter.broker.protocol=SSL", "listener.name.plaintext.ssl.client.auth=required",
        "delegation.token.secret.key=x"}) {
    INFO(text);
    CHECK(contains(wrong(text), "f:1: Refused configuration"));
  }
  CHECK(
      made("ssl.client.auth=none\nsasl.enabled.mechanisms=GSSAPI\nauthorizer.class.name=").warnings.empty());
}

TEST_CASE("a listener that is not PLAINTEXT is refused") {
  CHECK(contains(wrong("listeners=SSL://127.0.0.1:9093"), "the listener SSL wants SSL"));
  CHECK(contains(wrong("listeners=A://127.0.0.1:9093\nlistener.security.protocol.map=A:SASL_SSL"),
                 "f:2: Refused configuration listener.security.protocol.map: the listener A wants SASL_SSL"));
  CHECK(contains(wrong("listeners=SSL://127.0.0.1:1"), "f:1: Refused configuration listeners: the listener"));
  // The listener that is there by default.
  CHECK(contains(
      wrong("\nlistener.security.protocol.map=PLAINTEXT:SSL"),
      "f:2: Refused configuration listener.security.protocol.map: the listener PLAINTEXT wants SSL"));
  CHECK(contains(wrong("\nlistener.security.protocol.map=A:PLAINTEXT"),
                 "f:2: Invalid value PLAINTEXT for configuration listeners: no protocol is defined"));
  CHECK(contains(wrong("listeners=A://127.0.0.1:1\nlistener.security.protocol.map=A:FOO"),
                 "f:2: Invalid value FOO"));
  CHECK(contains(wrong("listeners=CONTROLLER://a:1,PLAINTEXT://a:2\ncontroller.listener.names=CONTROLLER\n"
                       "listener.security.protocol.map=CONTROLLER:SASL_SSL,PLAINTEXT:PLAINTEXT"),
                 "the listener CONTROLLER wants SASL_SSL"));
}

TEST_CASE("listeners and what they advertise must agree") {
  CHECK(contains(wrong("listeners=X://127.0.0.1:1"), "no protocol is defined for this listener"));
  CHECK(contains(wrong("listeners=127.0.0.1:1"), "it must be NAME://HOST:PORT"));
  CHECK(contains(wrong("listeners=PLAINTEXT://a:1,PLAINTEXT://a:2"), "a name of its own"));
  CHECK(contains(wrong("listeners=PLAINTEXT://a:1,SSL://a:1"), "a port of its own"));
  CHECK(contains(wrong("listeners="), "there is none for clients"));
  CHECK(contains(
      wrong("\nadvertised.listeners=X://a:1"),
      "f:2: Invalid value X://a:1 for configuration advertised.listeners: no listener has this name"));
  CHECK(contains(wrong("advertised.listeners=PLAINTEXT://0.0.0.0:1"), "stands for all"));
  CHECK(contains(wrong("advertised.listeners=PLAINTEXT://a:0"), "port 0"));
  CHECK(contains(wrong("listeners=PLAIN TEXT://a:1"), "letters, digits"));
  CHECK(made("listeners=plaintext://127.0.0.1:0").listeners.front().name == "PLAINTEXT");
}

TEST_CASE("listening beyond this machine is worth a warning") {
  CHECK(exposes(made("listeners=PLAINTEXT://0.0.0.0:9092"), "PLAINTEXT on 0.0.0.0:9092"));
  CHECK(exposes(made("listeners=PLAINTEXT://[::]:9092"), "[::]:9092"));
  for (const std::string_view host : {"127.0.0.1", "localhost", "[::1]", "127.1.2.3"}) {
    CHECK(made(fmt::format("listeners=PLAINTEXT://{}:9092", host)).exposures.empty());
  }
}

TEST_CASE("node.id and broker.id are one thing") {
  CHECK(made("broker.id=5").node_id == BrokerId(5));
  CHECK(made("broker.id=5").properties == Properties{{"broker.id", "5"}, {"node.id", "5"}});
  CHECK(made("node.id=5\nbroker.id=5").node_id == BrokerId(5));
  CHECK(made("node.id=5\nbroker.id=-1").node_id == BrokerId(5));
  CHECK(wrong("node.id=5\nbroker.id=6") ==
        "f:2: Invalid value 6 for configuration broker.id: node.id at f:1 is 5; set both to the same");
  CHECK(contains(wrong("broker.id=-2"), "Value must be at least 0"));
}

TEST_CASE("the command line wins over the file") {
  const NodeConfig node =
      made("node.id=5\nbroker.id=5\nlog.dir=/a\nnum.partitions=2",
           {flag_setting("--node-id", "6"), flag_setting("--data-dir", "/b"),
            flag_setting("--listen", "127.0.0.1:0"), flag_setting("--http", "127.0.0.1:1"),
            *parse_override("num.partitions=3"), *parse_override("num.partitions=4")});
  CHECK(node.node_id == BrokerId(6));
  CHECK(node.data_dirs == std::vector<std::string>{"/b"});
  CHECK(node.listeners == std::vector<Listener>{{"PLAINTEXT", {"127.0.0.1", 0}, std::nullopt}});
  CHECK(node.http == Endpoint{"127.0.0.1", 1});
  CHECK(node.broker.num_partitions == 4);
  CHECK(node.warnings.empty());
  CHECK(contains(wrong("", {*parse_override("num.partition=3")}),
                 "--set: Unknown configuration num.partition"));
  CHECK(contains(wrong("", {flag_setting("--listen", "nowhere")}), "--listen: Invalid value"));
}

TEST_CASE("the later of two lines wins, with a warning") {
  const NodeConfig node = made("num.partitions=2\nnum.partitions=3");
  CHECK(node.broker.num_partitions == 3);
  CHECK(warns(node, "server.properties:2: num.partitions is set again; the value at server.properties:1"));
}

TEST_CASE("a cluster of one has itself as its voter") {
  CHECK(made("node.id=2\ncontroller.quorum.voters=2@localhost:9093").node_id == BrokerId(2));
  CHECK(contains(wrong("controller.quorum.voters=2@localhost:9093"), "this is node 1"));
  CHECK(contains(wrong("controller.quorum.voters=localhost:9093"), "it must be ID@HOST:PORT"));
  CHECK(contains(wrong("controller.quorum.voters=1@a:1,2@b:1"), "several controllers"));
  CHECK(contains(wrong("controller.quorum.bootstrap.servers=a:1,b:1"), "several controllers"));
  CHECK(contains(wrong("process.roles=broker"), "Refused configuration process.roles"));
  CHECK(made("process.roles=controller, broker").warnings.empty());
}

TEST_CASE("the listener between brokers may be any of this node's") {
  CHECK(made("inter.broker.listener.name=PLAINTEXT").warnings.empty());
  CHECK(contains(wrong("inter.broker.listener.name=X"), "Refused configuration inter.broker.listener.name"));
}

TEST_CASE("data folders: log.dirs before log.dir") {
  CHECK(made("log.dir=/a\nlog.dirs=/b").data_dirs == std::vector<std::string>{"/b"});
  CHECK(made("log.dir=/a").data_dirs == std::vector<std::string>{"/a"});
  CHECK(made("log.dirs=/a, /ab,./b,..b").data_dirs == std::vector<std::string>{"/a", "/ab", "./b", "..b"});
  CHECK(made("log.dirs=./a,../b").data_dirs.size() == 2);
  for (const char* same :
       {"/a,/b,/a", "/a,/a/", "/a,/b/../a", "/a,/a/b", "./a/b,a", "/,/a", ".,a", "..,..b", "..,a"})
    CHECK(contains(wrong(fmt::format("log.dirs={}", same)), "are one folder, or one is in the other"));
  CHECK(contains(wrong("log.dirs=/a,"), "an empty path"));
  CHECK(contains(wrong("log.dir="), "name a folder"));
}

TEST_CASE("settings of ZooKeeper and of the JVM are taken with one warning each") {
  const NodeConfig node = made(
      "zookeeper.connect=z:2181\nzookeeper.some.thing=1\nmetric.reporters=a.B\n"
      "log.message.format.version=2.8");
  CHECK(node.warnings.size() == 4);
  CHECK(warns(node, "server.properties:1: zookeeper.connect is ignored"));
}

TEST_CASE("queued bytes hold at least one largest request") {
  CHECK(contains(wrong("queued.max.request.bytes=5"), "at least socket.request.max.bytes"));
  CHECK(made("queued.max.request.bytes=104857600").broker.queued_max_request_bytes == 104'857'600);
}

TEST_CASE("the format is known by the name, else by the text") {
  CHECK(is_properties_file("a.properties", "node: {}"));
  CHECK_FALSE(is_properties_file("a.yaml", "a=b"));
  CHECK_FALSE(is_properties_file("a.yml", "a=b"));
  CHECK(is_properties_file("a", "# x: y\n\nnode.id=1"));
  CHECK_FALSE(is_properties_file("a", "node: {id: 1}"));
  CHECK_FALSE(is_properties_file("a", "x: a=b"));
  CHECK_FALSE(is_properties_file("a", ""));
}

TEST_CASE("a file that cannot be read is told by its path") {
  const auto missing = load_node_config("/no/such/file.yaml", {});
  REQUIRE_FALSE(missing);
  CHECK(contains(missing.error().message(), "/no/such/file.yaml"));
  CHECK_FALSE(load_node_config("/", {}));
  CHECK(load_node_config(std::nullopt, {}));
}

TEST_CASE("the report shows what holds, the counts and the warnings") {
  const NodeConfig node = made(
      "node.id=4\nbroker.rack=r1\nnum.partitions=6\nnum.io.threads=8\nssl.client.auth=none\n"
      "advertised.listeners=PLAINTEXT://k:1");
  const std::string report = check_config(node);
  CHECK(contains(report, "node 4 in rack r1: broker and controller of a cluster of one\n"));
  CHECK(contains(report, "listener PLAINTEXT on 127.0.0.1:9092, advertised as k:1\n"));
  CHECK(contains(report, "\n* num.partitions = 6\n"));
  CHECK(contains(report, "\n  log.retention.hours = 168\n"));
  CHECK(contains(report, "\n  log.retention.ms = (unset)\n"));
  CHECK(contains(report, "\n* num.io.threads = 8   [ignored]\n"));
  CHECK(contains(report, "\n* ssl.client.auth = none   [refused]\n"));
  // Its twin broker.id has the value, but nobody wrote it down.
  CHECK(contains(report, "\n* node.id = 4\n"));
  CHECK(contains(report, "\n  broker.id = 4\n"));
  CHECK(contains(check_config(made("broker.id=5")), "\n* broker.id = 5\n"));
  CHECK(contains(check_config(made("broker.id=5")), "\n  node.id = 5\n"));
  CHECK(contains(check_config(made("broker.id=5\nnode.id=5")), "\n* node.id = 5\n"));
  CHECK(count_written(node) == StatusCounts{4, 1, 1});
  CHECK(contains(report, "\nwritten down here: 4 honoured, 1 refused, 1 ignored\n"));
  CHECK(contains(report, "\nwarning: server.properties:4: num.io.threads is ignored"));
  CHECK(
      contains(check_config(made("listeners=PLAINTEXT://0.0.0.0:9092")), "\nwarning: listener PLAINTEXT on"));
}
