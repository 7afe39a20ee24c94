#include "config/resolver.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <variant>

#include "config/settings.h"
#include "config/value.h"
#include "protocol/invariant.h"

namespace tidemark::config {
namespace {

// The text under `name`, if it is there and can be read as the setting.
const std::string* readable(const Properties& properties, const Setting& setting) {
  const auto found = properties.find(setting.name);
  return found != properties.end() && check_value(setting, found->second) ? &found->second : nullptr;
}

const std::string* first_in_layers(const Setting& setting, const BrokerLayers& layers) {
  const std::string* value = nullptr;
  for_each_layer(layers, [&](Source, const Properties& properties) {
    if (value == nullptr) value = readable(properties, setting);
  });
  return value;
}

// Kafka turns the older, coarser names into milliseconds; any negative one means no limit.
int64_t milliseconds(std::string_view name, int64_t value) {
  if (value < 0) return kUnlimited;
  if (name.ends_with(".hours")) return value * 3'600'000;
  if (name.ends_with(".minutes")) return value * 60'000;
  return value;
}

bool is_time_family(std::string_view name) { return broker_synonyms(name).size() > 1; }

template <class Config>
struct Field {
  std::string_view name;
  std::variant<int32_t Config::*, int64_t Config::*, bool Config::*, double Config::*> member;
};

constexpr Field<TopicConfig> kTopicFields[] = {
    {"compression.gzip.level", &TopicConfig::compression_gzip_level},
    {"compression.lz4.level", &TopicConfig::compression_lz4_level},
    {"compression.zstd.level", &TopicConfig::compression_zstd_level},
    {"retention.ms", &TopicConfig::retention_ms},
    {"retention.bytes", &TopicConfig::retention_bytes},
    {"delete.retention.ms", &TopicConfig::delete_retention_ms},
    {"file.delete.delay.ms", &TopicConfig::file_delete_delay_ms},
    {"segment.bytes", &TopicConfig::segment_bytes},
    {"segment.ms", &TopicConfig::segment_ms},
    {"segment.jitter.ms", &TopicConfig::segment_jitter_ms},
    {"segment.index.bytes", &TopicConfig::segment_index_bytes},
    {"index.interval.bytes", &TopicConfig::index_interval_bytes},
    {"preallocate", &TopicConfig::preallocate},
    {"max.message.bytes", &TopicConfig::max_message_bytes},
    {"message.timestamp.before.max.ms", &TopicConfig::message_timestamp_before_max_ms},
    {"message.timestamp.after.max.ms", &TopicConfig::message_timestamp_after_max_ms},
    {"min.cleanable.dirty.ratio", &TopicConfig::min_cleanable_dirty_ratio},
    {"min.compaction.lag.ms", &TopicConfig::min_compaction_lag_ms},
    {"max.compaction.lag.ms", &TopicConfig::max_compaction_lag_ms},
    {"min.insync.replicas", &TopicConfig::min_insync_replicas},
    {"unclean.leader.election.enable", &TopicConfig::unclean_leader_election_enable},
    {"write.caching", &TopicConfig::write_caching},
    {"flush.messages", &TopicConfig::flush_messages},
    {"flush.ms", &TopicConfig::flush_ms},
};

constexpr Field<BrokerConfig> kBrokerFields[] = {
    {"num.partitions", &BrokerConfig::num_partitions},
    {"default.replication.factor", &BrokerConfig::default_replication_factor},
    {"auto.create.topics.enable", &BrokerConfig::auto_create_topics_enable},
    {"delete.topic.enable", &BrokerConfig::delete_topic_enable},
    {"log.retention.check.interval.ms", &BrokerConfig::log_retention_check_interval_ms},
    {"log.cleaner.enable", &BrokerConfig::log_cleaner_enable},
    {"log.cleaner.backoff.ms", &BrokerConfig::log_cleaner_backoff_ms},
    {"log.cleaner.dedupe.buffer.size", &BrokerConfig::log_cleaner_dedupe_buffer_size},
    {"log.cleaner.io.max.bytes.per.second", &BrokerConfig::log_cleaner_io_max_bytes_per_second},
    {"max.connections", &BrokerConfig::max_connections},
    {"max.connections.per.ip", &BrokerConfig::max_connections_per_ip},
    {"connections.max.idle.ms", &BrokerConfig::connections_max_idle_ms},
    {"socket.request.max.bytes", &BrokerConfig::socket_request_max_bytes},
    {"queued.max.requests", &BrokerConfig::queued_max_requests},
    {"queued.max.request.bytes", &BrokerConfig::queued_max_request_bytes},
    {"fetch.max.bytes", &BrokerConfig::fetch_max_bytes},
    {"max.incremental.fetch.session.cache.slots", &BrokerConfig::max_incremental_fetch_session_cache_slots},
    {"max.request.partition.size.limit", &BrokerConfig::max_request_partition_size_limit},
    {"telemetry.max.bytes", &BrokerConfig::telemetry_max_bytes},
    {"quota.window.num", &BrokerConfig::quota_window_num},
    {"quota.window.size.seconds", &BrokerConfig::quota_window_size_seconds},
    {"controller.quota.window.num", &BrokerConfig::controller_quota_window_num},
    {"controller.quota.window.size.seconds", &BrokerConfig::controller_quota_window_size_seconds},
    {"producer.id.expiration.ms", &BrokerConfig::producer_id_expiration_ms},
    {"group.min.session.timeout.ms", &BrokerConfig::group_min_session_timeout_ms},
    {"group.max.session.timeout.ms", &BrokerConfig::group_max_session_timeout_ms},
    {"group.initial.rebalance.delay.ms", &BrokerConfig::group_initial_rebalance_delay_ms},
    {"group.max.size", &BrokerConfig::group_max_size},
    {"offset.metadata.max.bytes", &BrokerConfig::offset_metadata_max_bytes},
    {"offsets.retention.minutes", &BrokerConfig::offsets_retention_minutes},
    {"offsets.retention.check.interval.ms", &BrokerConfig::offsets_retention_check_interval_ms},
    {"offsets.topic.num.partitions", &BrokerConfig::offsets_topic_num_partitions},
    {"offsets.topic.segment.bytes", &BrokerConfig::offsets_topic_segment_bytes},
    {"memory.limit", &BrokerConfig::memory_limit},
    {"journal.size", &BrokerConfig::journal_size},
    {"log.scrub.bytes.per.second", &BrokerConfig::log_scrub_bytes_per_second},
    {"metadata.log.max.record.bytes.between.snapshots",
     &BrokerConfig::metadata_log_max_record_bytes_between_snapshots},
    {"metadata.log.max.snapshot.interval.ms", &BrokerConfig::metadata_log_max_snapshot_interval_ms},
    {"metadata.log.segment.ms", &BrokerConfig::metadata_log_segment_ms},
    {"shards", &BrokerConfig::shards},
    {"connection.max.in.flight", &BrokerConfig::connection_max_in_flight},
    {"request.queue.time.max.ms", &BrokerConfig::request_queue_time_max_ms},
};

const Setting& row(Scope scope, std::string_view name) {
  const Setting* setting = find_setting(scope, name);
  INVARIANT(setting != nullptr, "no row for {} {}", scope_name(scope), name);
  return *setting;
}

template <class Config>
void set_field(Config& config, const Field<Config>& field, const Setting& setting, std::string_view text) {
  if (const auto* int32 = std::get_if<int32_t Config::*>(&field.member)) {
    config.*(*int32) = static_cast<int32_t>(integer_value(setting, text));
  } else if (const auto* int64 = std::get_if<int64_t Config::*>(&field.member)) {
    config.*(*int64) = integer_value(setting, text);
  } else if (const auto* boolean = std::get_if<bool Config::*>(&field.member)) {
    config.*(*boolean) = boolean_value(text);
  } else {
    config.*(std::get<double Config::*>(field.member)) = double_value(text);
  }
}

Compression compression_of(std::string_view word) {
  static constexpr std::array<std::string_view, 6> kWords{"producer", "uncompressed", "gzip",
                                                          "snappy",   "lz4",          "zstd"};
  const auto found = std::ranges::find(kWords, word);
  INVARIANT(found != kWords.end(), "compression.type {} was checked", word);
  return static_cast<Compression>(found - kWords.begin());
}

}  // namespace

std::optional<std::string> broker_value(const Setting& setting, const BrokerLayers& layers) {
  if (const std::string* text = first_in_layers(setting, layers)) return canonical_value(setting, *text);
  if (!setting.default_value) return std::nullopt;
  return std::string(*setting.default_value);
}

std::string topic_value(const Setting& setting, const Properties& topic_overrides,
                        const BrokerLayers& layers) {
  if (const std::string* own = readable(topic_overrides, setting)) return canonical_value(setting, *own);
  if (!setting.broker_synonym.empty()) {
    for (const std::string_view name : broker_synonyms(setting.broker_synonym)) {
      const Setting& synonym = row(Scope::broker, name);
      const std::string* text = first_in_layers(synonym, layers);
      if (text == nullptr) continue;
      std::string value = is_time_family(name)
                              ? fmt::format("{}", milliseconds(name, integer_value(synonym, *text)))
                              : canonical_value(synonym, *text);
      // The broker's range is wider for some: what the topic's does not allow is passed over.
      if (check_value(setting, value)) return value;
    }
  }
  INVARIANT(setting.default_value.has_value(), "topic setting {} has no default", setting.name);
  return std::string(*setting.default_value);
}

TopicConfig resolve_topic_config(const Properties& topic_overrides, const BrokerLayers& layers) {
  TopicConfig config;
  for (const Field<TopicConfig>& field : kTopicFields) {
    const Setting& setting = row(Scope::topic, field.name);
    set_field(config, field, setting, topic_value(setting, topic_overrides, layers));
  }
  const auto text = [&](std::string_view name) {
    return topic_value(row(Scope::topic, name), topic_overrides, layers);
  };
  const std::string policy = text("cleanup.policy");
  const auto policies = list_elements(policy);
  config.cleanup_delete = std::ranges::find(policies, "delete") != policies.end();
  config.cleanup_compact = std::ranges::find(policies, "compact") != policies.end();
  config.compression_type = compression_of(text("compression.type"));
  config.message_timestamp_type = text("message.timestamp.type") == "LogAppendTime"
                                      ? protocol::TimestampType::log_append_time
                                      : protocol::TimestampType::create_time;
  return config;
}

BrokerConfig resolve_broker_config(const BrokerLayers& layers) {
  BrokerConfig config;
  for (const Field<BrokerConfig>& field : kBrokerFields) {
    const Setting& setting = row(Scope::broker, field.name);
    // A null default keeps the struct's.
    if (const auto value = broker_value(setting, layers)) set_field(config, field, setting, *value);
  }
  config.topic_defaults = resolve_topic_config({}, layers);
  return config;
}

}  // namespace tidemark::config
