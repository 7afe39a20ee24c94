#include "config/alter.h"

#include <catch2/catch.hpp>

using namespace tidemark;
using namespace tidemark::config;

namespace {

constexpr int8_t kSet = 0;
constexpr int8_t kDelete = 1;
constexpr int8_t kAppend = 2;
constexpr int8_t kSubtract = 3;

using Answer = std::pair<ErrorCode, std::string>;

Answer answer(const Result<void>& result) {
  if (result) return {ErrorCode::NONE, ""};
  return {result.error().code(), result.error().message()};
}

Answer refused(Scope scope, const Properties& current, std::vector<Alteration> changes) {
  const auto altered = alter_configs(scope, current, changes);
  if (altered) return {ErrorCode::NONE, ""};
  return {altered.error().code(), altered.error().message()};
}

Properties altered(Scope scope, const Properties& current, std::vector<Alteration> changes) {
  auto result = alter_configs(scope, current, changes);
  if (!result) FAIL(result.error().to_string());
  return *result;
}

}  // namespace

TEST_CASE("an unknown topic setting is told with the nearest known one") {
  CHECK(answer(validate_topic_config("retention.mss", "1")) ==
        Answer{ErrorCode::INVALID_CONFIG,
               "Unknown topic config name: retention.mss (did you mean retention.ms?)"});
  CHECK(answer(validate_topic_config("zzz", "1")) ==
        Answer{ErrorCode::INVALID_CONFIG, "Unknown topic config name: zzz"});
}

TEST_CASE("a new topic's settings are checked: unknown names first, then values, then against each other") {
  CHECK(answer(validate_topic_configs({{"retention.ms", "5"}})).first == ErrorCode::NONE);
  CHECK(answer(validate_topic_configs({{"cleanup.policy", "foo"}, {"zzz", "1"}})) ==
        Answer{ErrorCode::INVALID_CONFIG, "Unknown topic config name: zzz"});
  CHECK(answer(validate_topic_configs({{"retention.ms", "-7"}})) ==
        Answer{ErrorCode::INVALID_CONFIG,
               "Invalid value -7 for configuration retention.ms: Value must be at least -1"});
}

TEST_CASE("compaction lags that contradict each other are told in Kafka's words") {
  // Also stored ones, whatever is altered.
  CHECK(refused(Scope::topic, {{"min.compaction.lag.ms", "100000"}, {"max.compaction.lag.ms", "10"}},
                {{"retention.ms", kSet, "5"}}) ==
        Answer{ErrorCode::INVALID_CONFIG,
               "conflict topic config setting min.compaction.lag.ms (100000) > max.compaction.lag.ms (10)"});
}

TEST_CASE("a removed topic setting is accepted") {
  CHECK(answer(validate_topic_config("message.format.version", "3.0")).first == ErrorCode::NONE);
}

TEST_CASE("dynamic changes of a broker are answered as a genuine one answers") {
  CHECK(answer(validate_broker_config("num.partitions", "5")) ==
        Answer{ErrorCode::INVALID_REQUEST, "Cannot update these configs dynamically: [num.partitions]"});
  CHECK(answer(validate_broker_config("log.segment.bytes", "5")) ==
        Answer{ErrorCode::INVALID_REQUEST,
               "Invalid value 5 for configuration log.segment.bytes: Value must be at least 1048576"});
  CHECK(answer(validate_broker_config("log.segment.bytes", "2000000")).first == ErrorCode::NONE);
  CHECK(answer(validate_broker_config("listeners", "PLAINTEXT://:1")).first == ErrorCode::INVALID_REQUEST);
  CHECK(answer(validate_broker_config("log.cleaner.backoff.ms", "7")).first == ErrorCode::NONE);
  CHECK(answer(validate_broker_config("log.cleaner.enable", "false")).first == ErrorCode::INVALID_REQUEST);
}

TEST_CASE("an unknown broker setting is told, and a topic's is told its broker's name") {
  CHECK(answer(validate_broker_config("max.connection", "5")) ==
        Answer{ErrorCode::INVALID_CONFIG,
               "Unknown broker config name: max.connection (did you mean max.connections?)"});
  CHECK(answer(validate_broker_config("retention.ms", "5")) ==
        Answer{ErrorCode::INVALID_CONFIG,
               "Unknown broker config name: retention.ms (a topic's; the broker's is log.retention.ms)"});
}

TEST_CASE("groups and subscriptions know their own names only") {
  CHECK(answer(validate_resource_config(Scope::group, "foo", "5")) ==
        Answer{ErrorCode::INVALID_CONFIG, "Unknown group config name: foo"});
  CHECK(answer(validate_resource_config(Scope::group, "consumer.session.timeout.ms", "45000")).first ==
        ErrorCode::NONE);
  CHECK(
      answer(validate_resource_config(Scope::group, "consumer.session.timeout.ms", "46000")) ==
      Answer{ErrorCode::INVALID_CONFIG,
             "Refused configuration consumer.session.timeout.ms: the newer group protocol comes with a later "
             "release (only 45000 is accepted)"});
  CHECK(answer(validate_resource_config(Scope::group, "share.auto.offset.reset", "x")).second ==
        "Invalid value x for configuration share.auto.offset.reset: Invalid value `x` for configuration "
        "share.auto.offset.reset. The value must be either 'earliest', 'latest' or of the format "
        "'by_duration:<PnDTnHnMn.nS>'.");
}

TEST_CASE("client metrics subscriptions are checked as a genuine broker checks them") {
  const auto told = [](std::string_view name, std::string_view value) {
    return answer(validate_resource_config(Scope::client_metrics, name, value));
  };
  const std::string range = ", interval must be between 100 and 3600000 (1 hour)";
  CHECK(told("interval.ms", "100").first == ErrorCode::NONE);
  CHECK(told("interval.ms", "3600000").first == ErrorCode::NONE);
  CHECK(told("interval.ms", "99") ==
        Answer{ErrorCode::INVALID_REQUEST, "Invalid value 99 for interval.ms" + range});
  CHECK(told("interval.ms", "3600001") ==
        Answer{ErrorCode::INVALID_REQUEST, "Invalid value 3600001 for interval.ms" + range});
  CHECK(told("interval.ms", "x") ==
        Answer{ErrorCode::INVALID_CONFIG,
               "Invalid value x for configuration interval.ms: Not a number of type INT"});
  CHECK(told("metrics", "").first == ErrorCode::NONE);
  CHECK(told("metrics", "*").first == ErrorCode::NONE);
  CHECK(told("metrics", "a,,b") ==
        Answer{ErrorCode::INVALID_CONFIG, "Configuration 'metrics' values must not be empty."});
  CHECK(told("match", "client_id=a.*").first == ErrorCode::NONE);
  CHECK(told("match", "x=y") == Answer{ErrorCode::INVALID_CONFIG, "Illegal client matching pattern: x=y"});
  CHECK(told("nope", "1") ==
        Answer{ErrorCode::INVALID_REQUEST, "Unknown client metrics configuration: nope"});
  CHECK(refused(Scope::client_metrics, {}, {{"metrics", kAppend, "a"}}) ==
        Answer{ErrorCode::INVALID_CONFIG, "Can't APPEND to key metrics because its type is not LIST."});
}

TEST_CASE("all settings that cannot change at run time are told at once, and all that have no value") {
  CHECK(refused(Scope::broker, {},
                {{"num.partitions", kSet, "3"}, {"log.retention.ms", kSet, "5"}, {"log.dirs", kSet, "x"}}) ==
        Answer{ErrorCode::INVALID_REQUEST,
               "Cannot update these configs dynamically: [num.partitions, log.dirs]"});
  CHECK(
      refused(Scope::topic, {}, {{"retention.ms", kSet, std::nullopt}, {"segment.ms", kSet, std::nullopt}}) ==
      Answer{ErrorCode::INVALID_REQUEST, "Null value not supported for : retention.ms, segment.ms"});
}

TEST_CASE("SET and DELETE change the overrides, and deleting what is not there succeeds") {
  const Properties current{{"retention.ms", "5"}, {"segment.ms", "6"}};
  CHECK(
      altered(Scope::topic, current, {{"retention.ms", kSet, "7"}, {"segment.ms", kDelete, std::nullopt}}) ==
      Properties{{"retention.ms", "7"}});
  CHECK(altered(Scope::topic, current, {{"nope", kDelete, std::nullopt}}) == current);
}

TEST_CASE("APPEND adds each element once, SUBTRACT takes it away, both starting from the default") {
  CHECK(altered(Scope::broker, {}, {{"metric.reporters", kAppend, "a,b,a"}})["metric.reporters"] ==
        "org.apache.kafka.common.metrics.JmxReporter,a,b");
  const Properties current{{"metric.reporters", "a,b"}};
  CHECK(altered(Scope::broker, current, {{"metric.reporters", kAppend, "b, c"}})["metric.reporters"] ==
        "a,b,c");
  CHECK(altered(Scope::broker, current, {{"metric.reporters", kSubtract, "a,x"}})["metric.reporters"] == "b");
  CHECK(altered(Scope::topic, {}, {{"cleanup.policy", kSubtract, "delete"}})["cleanup.policy"] == "");
  CHECK(altered(Scope::topic, {{"cleanup.policy", ""}},
                {{"cleanup.policy", kAppend, "delete"}})["cleanup.policy"] == "delete");
}

TEST_CASE("what APPEND makes is validated") {
  CHECK(refused(Scope::topic, {}, {{"cleanup.policy", kAppend, "zz"}}).second ==
        "Invalid value zz for configuration cleanup.policy: String must be one of: compact, delete");
  CHECK(altered(Scope::topic, {{"cleanup.policy", "delete"}},
                {{"cleanup.policy", kAppend, "compact"}})["cleanup.policy"] == "delete,compact");
}

TEST_CASE("wrong alterations are answered as a genuine broker answers") {
  CHECK(refused(Scope::topic, {}, {{"retention.ms", kAppend, "5"}}) ==
        Answer{ErrorCode::INVALID_CONFIG, "Can't APPEND to key retention.ms because its type is not LIST."});
  CHECK(
      refused(Scope::topic, {}, {{"retention.ms", kSubtract, "5"}}) ==
      Answer{ErrorCode::INVALID_CONFIG, "Can't SUBTRACT to key retention.ms because its type is not LIST."});
  CHECK(refused(Scope::topic, {}, {{"retention.ms", kSet, std::nullopt}}) ==
        Answer{ErrorCode::INVALID_REQUEST, "Null value not supported for : retention.ms"});
  CHECK(refused(Scope::topic, {}, {{"retention.ms", kSet, "1"}, {"retention.ms", kSet, "2"}}) ==
        Answer{ErrorCode::INVALID_REQUEST, "Error due to duplicate config keys"});
  CHECK(refused(Scope::topic, {}, {{"retention.ms", 7, "1"}}).first == ErrorCode::INVALID_REQUEST);
  CHECK(refused(Scope::topic, {}, {{"retention.ms", -1, "1"}}).first == ErrorCode::INVALID_REQUEST);
  CHECK(refused(Scope::topic, {}, {{"nope", kAppend, "1"}}).first == ErrorCode::INVALID_CONFIG);
  CHECK(refused(Scope::topic, {}, {{"retention.ms", kSet, "-2"}}).second ==
        "Invalid value -2 for configuration retention.ms: Value must be at least -1");
}

TEST_CASE("an override that an older release left is no obstacle to changing another") {
  CHECK(altered(Scope::topic, {{"preallocate", "true"}}, {{"retention.ms", kSet, "5"}}).size() == 2);
}

TEST_CASE("more alterations than a resource can have are refused") {
  std::vector<std::string> names;
  for (int i = 0; i < 10'001; ++i) names.push_back(fmt::format("k{}", i));
  std::vector<Alteration> changes;
  for (const std::string& name : names) changes.push_back({name, kDelete, std::nullopt});
  CHECK(refused(Scope::topic, {}, changes).first == ErrorCode::INVALID_REQUEST);
}
