#include "config/resolver.h"

#include <catch2/catch.hpp>

#include "config/settings.h"
#include "config/value.h"

using namespace tidemark;
using namespace tidemark::config;

namespace {

int64_t retention_ms(const Properties& topic, const BrokerLayers& layers) {
  return resolve_topic_config(topic, layers).retention_ms;
}

}  // namespace

TEST_CASE("each layer wins over the ones below it") {
  const Properties topic{{"retention.ms", "1"}};
  const Properties dynamic_broker{{"log.retention.ms", "2"}};
  const Properties dynamic_default{{"log.retention.ms", "3"}};
  const Properties static_broker{{"log.retention.ms", "4"}};
  CHECK(retention_ms(topic, {&dynamic_broker, &dynamic_default, &static_broker}) == 1);
  CHECK(retention_ms({}, {&dynamic_broker, &dynamic_default, &static_broker}) == 2);
  CHECK(retention_ms({}, {nullptr, &dynamic_default, &static_broker}) == 3);
  CHECK(retention_ms({}, {nullptr, nullptr, &static_broker}) == 4);
  CHECK(retention_ms({}, {}) == 604'800'000);
}

TEST_CASE("milliseconds win over minutes, and those over hours, in whichever layer they stand") {
  const auto of = [](Properties properties) { return retention_ms({}, {nullptr, nullptr, &properties}); };
  CHECK(of({{"log.retention.hours", "2"}}) == 7'200'000);
  CHECK(of({{"log.retention.minutes", "3"}}) == 180'000);
  CHECK(of({{"log.retention.hours", "2"}, {"log.retention.minutes", "3"}}) == 180'000);
  CHECK(of({{"log.retention.hours", "2"}, {"log.retention.minutes", "3"}, {"log.retention.ms", "5"}}) == 5);
  const Properties dynamic{{"log.retention.ms", "9"}};
  const Properties hours{{"log.retention.hours", "2"}};
  CHECK(retention_ms({}, {&dynamic, nullptr, &hours}) == 9);
}

TEST_CASE("a negative retention is no limit, by any of its names") {
  for (const std::string_view name : {"log.retention.ms", "log.retention.minutes", "log.retention.hours"}) {
    const Properties properties{{std::string(name), "-7"}};
    CHECK(retention_ms({}, {nullptr, nullptr, &properties}) == kUnlimited);
  }
}

TEST_CASE("the largest number of hours does not overflow") {
  const Properties properties{{"log.retention.hours", "2147483647"}};
  CHECK(retention_ms({}, {nullptr, nullptr, &properties}) == 2147483647LL * 3'600'000);
}

TEST_CASE("roll times and jitter come from hours where milliseconds are unset") {
  const Properties properties{{"log.roll.hours", "5"}, {"log.roll.jitter.hours", "1"}};
  const TopicConfig config = resolve_topic_config({}, {nullptr, nullptr, &properties});
  CHECK(config.segment_ms == 5 * 3'600'000);
  CHECK(config.segment_jitter_ms == 3'600'000);
}

TEST_CASE("the flush scheduler's interval stands in for an unset flush interval") {
  const Properties scheduler{{"log.flush.scheduler.interval.ms", "70"}};
  CHECK(resolve_topic_config({}, {nullptr, nullptr, &scheduler}).flush_ms == 70);
  const Properties both{{"log.flush.scheduler.interval.ms", "70"}, {"log.flush.interval.ms", "60"}};
  CHECK(resolve_topic_config({}, {nullptr, nullptr, &both}).flush_ms == 60);
}

TEST_CASE("every topic setting reaches its field") {
  const TopicConfig config = resolve_topic_config({{"cleanup.policy", "compact"},
                                                   {"compression.type", "zstd"},
                                                   {"compression.gzip.level", "3"},
                                                   {"compression.lz4.level", "4"},
                                                   {"compression.zstd.level", "5"},
                                                   {"retention.ms", "6"},
                                                   {"retention.bytes", "7"},
                                                   {"delete.retention.ms", "8"},
                                                   {"file.delete.delay.ms", "9"},
                                                   {"segment.bytes", "1048577"},
                                                   {"segment.ms", "10"},
                                                   {"segment.jitter.ms", "11"},
                                                   {"segment.index.bytes", "12"},
                                                   {"index.interval.bytes", "13"},
                                                   {"preallocate", "true"},
                                                   {"max.message.bytes", "14"},
                                                   {"message.timestamp.type", "LogAppendTime"},
                                                   {"message.timestamp.before.max.ms", "15"},
                                                   {"message.timestamp.after.max.ms", "16"},
                                                   {"min.cleanable.dirty.ratio", "0.25"},
                                                   {"min.compaction.lag.ms", "17"},
                                                   {"max.compaction.lag.ms", "18"},
                                                   {"min.insync.replicas", "19"},
                                                   {"unclean.leader.election.enable", "true"},
                                                   {"write.caching", "true"},
                                                   {"flush.messages", "20"},
                                                   {"flush.ms", "21"}},
                                                  {});
  TopicConfig expected;
  expected.cleanup_delete = false;
  expected.cleanup_compact = true;
  expected.compression_type = Compression::zstd;
  expected.compression_gzip_level = 3;
  expected.compression_lz4_level = 4;
  expected.compression_zstd_level = 5;
  expected.retention_ms = 6;
  expected.retention_bytes = 7;
  expected.delete_retention_ms = 8;
  expected.file_delete_delay_ms = 9;
  expected.segment_bytes = 1048577;
  expected.segment_ms = 10;
  expected.segment_jitter_ms = 11;
  expected.segment_index_bytes = 12;
  expected.index_interval_bytes = 13;
  expected.preallocate = true;
  expected.max_message_bytes = 14;
  expected.message_timestamp_type = protocol::TimestampType::log_append_time;
  expected.message_timestamp_before_max_ms = 15;
  expected.message_timestamp_after_max_ms = 16;
  expected.min_cleanable_dirty_ratio = 0.25;
  expected.min_compaction_lag_ms = 17;
  expected.max_compaction_lag_ms = 18;
  expected.min_insync_replicas = 19;
  expected.unclean_leader_election_enable = true;
  expected.write_caching = true;
  expected.flush_messages = 20;
  expected.flush_ms = 21;
  CHECK(config == expected);
}

TEST_CASE("a broker's default reaches the topics that set nothing, for each topic setting that has one") {
  const auto another = [](const Setting& setting) -> std::string {
    if (setting.name == "cleanup.policy") return "";
    if (setting.name == "compression.type") return "zstd";
    if (setting.name == "message.timestamp.type") return "LogAppendTime";
    if (setting.type == Type::kDouble) return "0.25";
    if (setting.type == Type::kBoolean) return *setting.default_value == "false" ? "true" : "false";
    const int64_t standard = integer_value(setting, *setting.default_value);
    return fmt::format("{}", standard > 1 ? standard - 1 : 5);
  };
  for (const Setting* setting : settings_of(Scope::topic)) {
    if (setting->status != Status::honoured) continue;
    INFO(setting->name);
    REQUIRE_FALSE(setting->broker_synonym.empty());
    const std::string value = another(*setting);
    const Properties written{{std::string(setting->broker_synonym), value}};
    const TopicConfig config = resolve_topic_config({}, {nullptr, nullptr, &written});
    CHECK_FALSE(config == TopicConfig{});
    CHECK(config == resolve_topic_config({{std::string(setting->name), value}}, {}));
  }
}

TEST_CASE("every compression type has its own value") {
  const auto of = [](std::string_view word) {
    return resolve_topic_config({{"compression.type", std::string(word)}}, {}).compression_type;
  };
  CHECK(of("producer") == Compression::producer);
  CHECK(of("uncompressed") == Compression::uncompressed);
  CHECK(of("gzip") == Compression::gzip);
  CHECK(of("snappy") == Compression::snappy);
  CHECK(of("lz4") == Compression::lz4);
  CHECK(of("zstd") == Compression::zstd);
}

TEST_CASE("an empty cleanup policy neither deletes nor compacts") {
  const TopicConfig config = resolve_topic_config({{"cleanup.policy", ""}}, {});
  CHECK_FALSE(config.cleanup_delete);
  CHECK_FALSE(config.cleanup_compact);
}

TEST_CASE("every broker setting reaches its field") {
  const Properties properties{{"num.partitions", "2"},
                              {"default.replication.factor", "3"},
                              {"auto.create.topics.enable", "false"},
                              {"delete.topic.enable", "false"},
                              {"log.retention.check.interval.ms", "4"},
                              {"log.cleaner.enable", "false"},
                              {"log.cleaner.backoff.ms", "41"},
                              {"log.cleaner.dedupe.buffer.size", "42"},
                              {"log.cleaner.io.max.bytes.per.second", "43.5"},
                              {"max.connections", "5"},
                              {"max.connections.per.ip", "6"},
                              {"connections.max.idle.ms", "7"},
                              {"socket.request.max.bytes", "8"},
                              {"queued.max.requests", "9"},
                              {"queued.max.request.bytes", "10"},
                              {"fetch.max.bytes", "1025"},
                              {"max.incremental.fetch.session.cache.slots", "12"},
                              {"max.request.partition.size.limit", "13"},
                              {"quota.window.num", "20"},
                              {"quota.window.size.seconds", "21"},
                              {"controller.quota.window.num", "22"},
                              {"controller.quota.window.size.seconds", "23"},
                              {"producer.id.expiration.ms", "14"},
                              {"memory.limit", "64MiB"},
                              {"journal.size", "16MiB"},
                              {"log.scrub.bytes.per.second", "1MiB"},
                              {"shards", "17"},
                              {"connection.max.in.flight", "18"},
                              {"request.queue.time.max.ms", "19"},
                              {"write.caching", "true"}};
  BrokerConfig expected;
  expected.num_partitions = 2;
  expected.default_replication_factor = 3;
  expected.auto_create_topics_enable = false;
  expected.delete_topic_enable = false;
  expected.log_retention_check_interval_ms = 4;
  expected.log_cleaner_enable = false;
  expected.log_cleaner_backoff_ms = 41;
  expected.log_cleaner_dedupe_buffer_size = 42;
  expected.log_cleaner_io_max_bytes_per_second = 43.5;
  expected.max_connections = 5;
  expected.max_connections_per_ip = 6;
  expected.connections_max_idle_ms = 7;
  expected.socket_request_max_bytes = 8;
  expected.queued_max_requests = 9;
  expected.queued_max_request_bytes = 10;
  expected.fetch_max_bytes = 1025;
  expected.max_incremental_fetch_session_cache_slots = 12;
  expected.max_request_partition_size_limit = 13;
  expected.quota_window_num = 20;
  expected.quota_window_size_seconds = 21;
  expected.controller_quota_window_num = 22;
  expected.controller_quota_window_size_seconds = 23;
  expected.producer_id_expiration_ms = 14;
  expected.memory_limit = 64 << 20;
  expected.journal_size = 16 << 20;
  expected.log_scrub_bytes_per_second = 1 << 20;
  expected.shards = 17;
  expected.connection_max_in_flight = 18;
  expected.request_queue_time_max_ms = 19;
  expected.topic_defaults.write_caching = true;
  CHECK(resolve_broker_config({nullptr, nullptr, &properties}) == expected);
}

TEST_CASE("a stored value that cannot be read is passed over") {
  const Properties dynamic{{"log.retention.ms", "soon"}, {"log.segment.bytes", "1"}};
  const Properties written{{"log.retention.ms", "44"}};
  const TopicConfig config = resolve_topic_config({{"retention.ms", "-9"}, {"compression.type", "brotli"}},
                                                  {&dynamic, nullptr, &written});
  CHECK(config.retention_ms == 44);
  CHECK(config.segment_bytes == 1 << 30);
  CHECK(config.compression_type == Compression::producer);
}
