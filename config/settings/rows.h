// How the tables of this folder write their rows. Included by settings/*.cc only.
#pragma once

#include <span>

#include "config/setting.h"

namespace tidemark::config {

// One table each; settings.cc joins them.
std::span<const Setting> node_settings();
std::span<const Setting> network_settings();
std::span<const Setting> log_settings();
std::span<const Setting> topic_settings();
std::span<const Setting> transaction_settings();
std::span<const Setting> replication_settings();
std::span<const Setting> quorum_settings();
std::span<const Setting> group_coordinator_settings();
std::span<const Setting> share_coordinator_settings();
std::span<const Setting> group_settings();
std::span<const Setting> remote_settings();
std::span<const Setting> tls_settings();
std::span<const Setting> sasl_settings();
std::span<const Setting> access_settings();
std::span<const Setting> own_settings();
std::span<const Setting> removed_settings();

namespace rows {

inline constexpr auto kBoolean = Type::kBoolean;
inline constexpr auto kString = Type::kString;
inline constexpr auto kInt = Type::kInt;
inline constexpr auto kShort = Type::kShort;
inline constexpr auto kLong = Type::kLong;
inline constexpr auto kDouble = Type::kDouble;
inline constexpr auto kList = Type::kList;
inline constexpr auto kClass = Type::kClass;
inline constexpr auto kPassword = Type::kPassword;
inline constexpr auto kHigh = Importance::kHigh;
inline constexpr auto kMedium = Importance::kMedium;
inline constexpr auto kLow = Importance::kLow;
inline constexpr auto kReadOnly = Dynamic::kReadOnly;
inline constexpr auto kPerBroker = Dynamic::kPerBroker;
inline constexpr auto kClusterWide = Dynamic::kClusterWide;
inline constexpr std::nullopt_t kNull = std::nullopt;

inline constexpr Valid kAny{};
constexpr Valid at_least(double low) { return {Valid::Kind::at_least, low, 0, {}}; }
constexpr Valid between(double low, double high) { return {Valid::Kind::between, low, high, {}}; }
constexpr Valid one_of(std::string_view words) { return {Valid::Kind::one_of, 0, 0, words}; }
constexpr Valid one_of_any_case(std::string_view words) {
  return {Valid::Kind::one_of_any_case, 0, 0, words};
}
constexpr Valid list_of(std::string_view words) { return {Valid::Kind::list_of, 0, 0, words}; }
constexpr Valid size_at_least(double low) { return {Valid::Kind::size, low, 0, {}}; }
inline constexpr Valid kGzipLevel{Valid::Kind::gzip_level, 0, 0, {}};
inline constexpr Valid kNonEmpty{Valid::Kind::non_empty, 0, 0, {}};
inline constexpr Valid kNonEmptyList{Valid::Kind::non_empty_list, 0, 0, {}};
inline constexpr Valid kNonNull{Valid::Kind::non_null, 0, 0, {}};
inline constexpr Valid kThrottledReplicas{Valid::Kind::throttled_replicas, 0, 0, {}};
inline constexpr Valid kShareOffsetReset{Valid::Kind::share_offset_reset, 0, 0, {}};
inline constexpr Valid kAddress{Valid::Kind::address, 0, 0, {}};
inline constexpr std::string_view kCompressionTypes = "uncompressed, zstd, lz4, snappy, gzip, producer";

// Reasons of refused settings.
inline constexpr std::string_view kOneProcess = "broker and controller run in one process in this release";
inline constexpr std::string_view kNoCordon = "new partitions go by free space alone in this release";
inline constexpr std::string_view kFolderKnown =
    "the metadata is in the same process: a failed folder is known at once";
inline constexpr std::string_view kAlwaysControlled = "a broker always hands over before it stops";
inline constexpr std::string_view kNoReplication = "a cluster of several brokers comes with a later release";
inline constexpr std::string_view kNoQuorum = "a cluster of several controllers comes with a later release";
inline constexpr std::string_view kMetadataLog = "the metadata log is not tuned in this release";
inline constexpr std::string_view kNoPlugins = "Java classes cannot be loaded here";
inline constexpr std::string_view kNoCreationRate = "the rate of new connections is not limited yet";
inline constexpr std::string_view kNoOverrides = "max.connections.per.ip has no exceptions yet";
inline constexpr std::string_view kSystemBacklog = "the backlog is the system's: net.core.somaxconn";
inline constexpr std::string_view kSystemBuffers = "the kernel sizes socket buffers by itself";
inline constexpr std::string_view kFixedLoad = "the map of keys is filled to nine tenths";
inline constexpr std::string_view kFixedPieces = "the cleaner reads and writes in pieces of a megabyte";
inline constexpr std::string_view kNoCheckpoints = "checkpoints follow the journal here, not a timer";
inline constexpr std::string_view kNoTiering = "tiered storage does not exist here";
inline constexpr std::string_view kNoPreallocation =
    "space is reserved ahead in steps, and a file's size is always the end of its log";
inline constexpr std::string_view kNoTransactions = "transactions come with a later release";
inline constexpr std::string_view kNoGroups = "groups come with a later release";
inline constexpr std::string_view kNoNewerGroups = "the newer group protocol comes with a later release";
inline constexpr std::string_view kNoStreamsGroups = "streams groups come with a later release";
inline constexpr std::string_view kNoShareGroups = "share groups come with a later release";
inline constexpr std::string_view kNoTls =
    "TLS comes with a later release; pretending it would leave data open";
inline constexpr std::string_view kNoSasl =
    "authentication comes with a later release; pretending it would let anybody in";
inline constexpr std::string_view kNoAccess =
    "access control comes with a later release; pretending it would allow everything";

// Reasons of ignored ones.
inline constexpr std::string_view kThreads = "a thread pool of Kafka's; here each core has one shard";
inline constexpr std::string_view kCleaners = "a thread pool of Kafka's; here each shard has one cleaner";
inline constexpr std::string_view kPurgatory = "bookkeeping of Kafka's that has no counterpart here";
inline constexpr std::string_view kJmx = "metrics of the JVM; here GET /metrics has them";
inline constexpr std::string_view kZooKeeper = "ZooKeeper's, which Kafka 4.0 left behind";
inline constexpr std::string_view kRemoved = "removed in Kafka 4.0";

struct StatusAndNote {
  Status status;
  std::string_view note;
};
// `test`: "PATH: TEXT", the file under tests/ and the beginning of the TEST_CASE's or function's name in it,
// that sets another value and sees the effect (tests/checks/config_tests.py looks whether it is there).
constexpr StatusAndNote honoured(std::string_view test) { return {Status::honoured, test}; }
constexpr StatusAndNote refused(std::string_view reason) { return {Status::refused, reason}; }
constexpr StatusAndNote ignored(std::string_view reason) { return {Status::ignored, reason}; }

using Default = std::optional<std::string_view>;

constexpr Setting broker(std::string_view name, Type type, Default value, Valid valid, Importance importance,
                         Dynamic dynamic, StatusAndNote status, std::string_view doc) {
  return {name, Scope::broker, type, value, valid, importance, dynamic, status.status, status.note, doc};
}
constexpr Setting topic(std::string_view name, Type type, Default value, Valid valid,
                        std::string_view synonym, StatusAndNote status, std::string_view doc) {
  return {name,         Scope::topic,  type,        value, valid,  kMedium,
          kClusterWide, status.status, status.note, doc,   synonym};
}
// `synonym`: the broker's that gives its default, or empty.
constexpr Setting group(std::string_view name, Type type, Default value, Valid valid,
                        std::string_view synonym, StatusAndNote status, std::string_view doc) {
  return {name,         Scope::group,  type,        value, valid,  kMedium,
          kClusterWide, status.status, status.note, doc,   synonym};
}
constexpr Setting client_metrics(std::string_view name, Type type, Default value, StatusAndNote status,
                                 std::string_view doc) {
  return {name,    Scope::client_metrics, type,          value,       kAny,
          kMedium, kClusterWide,          status.status, status.note, doc};
}
// A name that Kafka 4.3 does not document.
constexpr Setting beyond_kafka(Setting row) {
  row.kafka = false;
  return row;
}
constexpr Setting accepting(Setting row, std::string_view values) {
  row.also_accepted = values;
  return row;
}
// `kafka`: Kafka's default where ours differs.
constexpr Setting differing(Setting row, Default kafka) {
  row.kafka_default = kafka;
  return row;
}

}  // namespace rows
}  // namespace tidemark::config
