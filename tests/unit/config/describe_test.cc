#include "config/describe.h"

#include <catch2/catch.hpp>

#include "config/settings.h"

using namespace tidemark::config;

namespace {

std::string_view source_name(Source source) {
  switch (source) {
    case Source::dynamic_topic: return "DYNAMIC_TOPIC_CONFIG";
    case Source::dynamic_broker: return "DYNAMIC_BROKER_CONFIG";
    case Source::dynamic_default_broker: return "DYNAMIC_DEFAULT_BROKER_CONFIG";
    case Source::static_broker: return "STATIC_BROKER_CONFIG";
    case Source::default_config: return "DEFAULT_CONFIG";
    case Source::client_metrics: return "CLIENT_METRICS_CONFIG";
    case Source::group: return "GROUP_CONFIG";
  }
  return "";
}

// As kafka-configs --describe prints it.
std::string line(const DescribedConfig& config) {
  std::string synonyms;
  for (const DescribedSynonym& synonym : config.synonyms) {
    if (!synonyms.empty()) synonyms += ", ";
    synonyms +=
        fmt::format("{}:{}={}", source_name(synonym.source), synonym.name, synonym.value.value_or("null"));
  }
  return fmt::format("{}={} sensitive={} synonyms={{{}}}\n", config.name, config.value.value_or("null"),
                     config.is_sensitive, synonyms);
}

const Properties kStatic{
    {"log.retention.hours", "100"}, {"log.segment.bytes", "2097152"}, {"min.insync.replicas", "1"}};
const Properties kDynamicDefault{
    {"log.retention.ms", "5000000"}, {"log.segment.bytes", "3000000"}, {"min.insync.replicas", "1"}};
const Properties kDynamicBroker{{"log.segment.bytes", "4000000"}};
const BrokerLayers kLayers{&kDynamicBroker, &kDynamicDefault, &kStatic};

// What kafka-configs --describe --all printed for a topic with segment.ms=50000 on a genuine 4.3.1 broker
// with these layers.
constexpr std::string_view kGenuineTopic =
    R"(cleanup.policy=delete sensitive=false synonyms={DEFAULT_CONFIG:log.cleanup.policy=delete}
compression.gzip.level=-1 sensitive=false synonyms={DEFAULT_CONFIG:compression.gzip.level=-1}
compression.lz4.level=9 sensitive=false synonyms={DEFAULT_CONFIG:compression.lz4.level=9}
compression.type=producer sensitive=false synonyms={DEFAULT_CONFIG:compression.type=producer}
compression.zstd.level=3 sensitive=false synonyms={DEFAULT_CONFIG:compression.zstd.level=3}
delete.retention.ms=86400000 sensitive=false synonyms={DEFAULT_CONFIG:log.cleaner.delete.retention.ms=86400000}
file.delete.delay.ms=60000 sensitive=false synonyms={DEFAULT_CONFIG:log.segment.delete.delay.ms=60000}
flush.messages=9223372036854775807 sensitive=false synonyms={DEFAULT_CONFIG:log.flush.interval.messages=9223372036854775807}
flush.ms=9223372036854775807 sensitive=false synonyms={}
follower.replication.throttled.replicas= sensitive=false synonyms={}
index.interval.bytes=4096 sensitive=false synonyms={DEFAULT_CONFIG:log.index.interval.bytes=4096}
leader.replication.throttled.replicas= sensitive=false synonyms={}
local.retention.bytes=-2 sensitive=false synonyms={DEFAULT_CONFIG:log.local.retention.bytes=-2}
local.retention.ms=-2 sensitive=false synonyms={DEFAULT_CONFIG:log.local.retention.ms=-2}
max.compaction.lag.ms=9223372036854775807 sensitive=false synonyms={DEFAULT_CONFIG:log.cleaner.max.compaction.lag.ms=9223372036854775807}
max.message.bytes=1048588 sensitive=false synonyms={DEFAULT_CONFIG:message.max.bytes=1048588}
message.timestamp.after.max.ms=3600000 sensitive=false synonyms={DEFAULT_CONFIG:log.message.timestamp.after.max.ms=3600000}
message.timestamp.before.max.ms=9223372036854775807 sensitive=false synonyms={DEFAULT_CONFIG:log.message.timestamp.before.max.ms=9223372036854775807}
message.timestamp.type=CreateTime sensitive=false synonyms={DEFAULT_CONFIG:log.message.timestamp.type=CreateTime}
min.cleanable.dirty.ratio=0.5 sensitive=false synonyms={DEFAULT_CONFIG:log.cleaner.min.cleanable.ratio=0.5}
min.compaction.lag.ms=0 sensitive=false synonyms={DEFAULT_CONFIG:log.cleaner.min.compaction.lag.ms=0}
min.insync.replicas=1 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:min.insync.replicas=1, STATIC_BROKER_CONFIG:min.insync.replicas=1, DEFAULT_CONFIG:min.insync.replicas=1}
preallocate=false sensitive=false synonyms={DEFAULT_CONFIG:log.preallocate=false}
remote.log.copy.disable=false sensitive=false synonyms={}
remote.log.delete.on.disable=false sensitive=false synonyms={}
remote.storage.enable=false sensitive=false synonyms={}
retention.bytes=-1 sensitive=false synonyms={DEFAULT_CONFIG:log.retention.bytes=-1}
retention.ms=5000000 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=5000000, STATIC_BROKER_CONFIG:log.retention.hours=100, DEFAULT_CONFIG:log.retention.hours=168}
segment.bytes=4000000 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.segment.bytes=4000000, DYNAMIC_DEFAULT_BROKER_CONFIG:log.segment.bytes=3000000, STATIC_BROKER_CONFIG:log.segment.bytes=2097152, DEFAULT_CONFIG:log.segment.bytes=1073741824}
segment.index.bytes=10485760 sensitive=false synonyms={DEFAULT_CONFIG:log.index.size.max.bytes=10485760}
segment.jitter.ms=0 sensitive=false synonyms={}
segment.ms=50000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:segment.ms=50000}
unclean.leader.election.enable=false sensitive=false synonyms={DEFAULT_CONFIG:unclean.leader.election.enable=false}
)";

DescribedConfig broker(std::string_view name, const BrokerLayers& layers) {
  return describe_broker_config(*find_setting(Scope::broker, name), layers);
}

}  // namespace

TEST_CASE("a topic's settings are described as a genuine broker describes them") {
  std::string described;
  for (const Setting* setting : settings_of(Scope::topic)) {
    if (setting->kafka)
      described += line(describe_topic_config(*setting, {{"segment.ms", "50000"}}, kLayers));
  }
  CHECK(described == kGenuineTopic);
}

TEST_CASE("a broker's settings show their layers and the families of their names") {
  CHECK(line(broker("log.retention.ms", kLayers)) ==
        "log.retention.ms=5000000 sensitive=false "
        "synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=5000000, "
        "STATIC_BROKER_CONFIG:log.retention.hours=100, DEFAULT_CONFIG:log.retention.hours=168}\n");
  CHECK(
      line(broker("log.segment.bytes", kLayers)) ==
      "log.segment.bytes=4000000 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.segment.bytes=4000000, "
      "DYNAMIC_DEFAULT_BROKER_CONFIG:log.segment.bytes=3000000, "
      "STATIC_BROKER_CONFIG:log.segment.bytes=2097152, "
      "DEFAULT_CONFIG:log.segment.bytes=1073741824}\n");
  CHECK(line(broker("log.flush.interval.ms", kLayers)) ==
        "log.flush.interval.ms=null sensitive=false synonyms={}\n");
  CHECK(broker("log.flush.interval.ms", kLayers).is_default());
}

TEST_CASE("only what changes while the broker runs is not read-only") {
  CHECK(broker("num.partitions", {}).read_only);
  CHECK(broker("listeners", {}).read_only);
  CHECK_FALSE(broker("log.retention.ms", {}).read_only);
}

TEST_CASE("a password is never shown, nor in a synonym") {
  const Properties properties{{"ssl.keystore.password", "secret"}};
  const DescribedConfig config = broker("ssl.keystore.password", {nullptr, nullptr, &properties});
  CHECK(config.is_sensitive);
  CHECK_FALSE(config.value.has_value());
  REQUIRE(config.synonyms.size() == 1);
  CHECK_FALSE(config.synonyms.front().value.has_value());
}

TEST_CASE("values are described as Kafka prints what it parsed") {
  const Properties properties{{"log.segment.bytes", " +2000000 "}, {"auto.create.topics.enable", "FALSE"}};
  const BrokerLayers layers{nullptr, nullptr, &properties};
  CHECK(broker("log.segment.bytes", layers).value == "2000000");
  CHECK(broker("auto.create.topics.enable", layers).value == "false");
}

TEST_CASE("the cluster's dynamic defaults are those that were set") {
  const auto found =
      describe_broker_default(*find_setting(Scope::broker, "log.retention.ms"), kDynamicDefault);
  REQUIRE(found.has_value());
  CHECK(line(*found) ==
        "log.retention.ms=5000000 sensitive=false "
        "synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=5000000}\n");
  CHECK_FALSE(describe_broker_default(*find_setting(Scope::broker, "max.connections"), kDynamicDefault));
}

TEST_CASE("a topic that carries a removed setting from an older cluster shows it") {
  const Setting& removed = *find_setting(Scope::topic, "message.format.version");
  CHECK(line(describe_topic_config(removed, {{"message.format.version", "3.0"}}, {})) ==
        "message.format.version=3.0 sensitive=false "
        "synonyms={DYNAMIC_TOPIC_CONFIG:message.format.version=3.0}\n");
  CHECK_FALSE(is_described(removed));
}

TEST_CASE("a group's and a subscription's settings name their own source") {
  const Setting& setting = *find_setting(Scope::group, "consumer.session.timeout.ms");
  CHECK(line(describe_resource_config(setting, {}, {})) ==
        "consumer.session.timeout.ms=45000 sensitive=false "
        "synonyms={DEFAULT_CONFIG:group.consumer.session.timeout.ms=45000}\n");
  CHECK(line(describe_resource_config(setting, {{"consumer.session.timeout.ms", "50000"}}, {})) ==
        "consumer.session.timeout.ms=50000 sensitive=false "
        "synonyms={GROUP_CONFIG:consumer.session.timeout.ms=50000, "
        "DEFAULT_CONFIG:group.consumer.session.timeout.ms=45000}\n");
  const Setting& alone = *find_setting(Scope::group, "share.auto.offset.reset");
  CHECK(line(describe_resource_config(alone, {{"share.auto.offset.reset", "earliest"}}, {})) ==
        "share.auto.offset.reset=earliest sensitive=false "
        "synonyms={GROUP_CONFIG:share.auto.offset.reset=earliest, "
        "DEFAULT_CONFIG:share.auto.offset.reset=latest}\n");
  const Setting& interval = *find_setting(Scope::client_metrics, "interval.ms");
  CHECK(describe_resource_config(interval, {}, {}).is_default());
  CHECK(describe_resource_config(interval, {}, {}).value == "300000");
  CHECK(line(describe_resource_config(interval, {{"interval.ms", "5000"}}, {})) ==
        "interval.ms=5000 sensitive=false synonyms={CLIENT_METRICS_CONFIG:interval.ms=5000}\n");
}
