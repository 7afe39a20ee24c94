// What the command line asks for, one struct a verb, and the functions that do it. command_line.cc fills the
// structs; each family has a .cc file of its own.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "client/cli/output.h"
#include "client/core/options.h"

namespace tidemark::cli {

struct GlobalOptions : client::ClientOptions {
  OutputFormat format = OutputFormat::automatic;
};

struct TopicCreate {
  std::vector<std::string> names;
  int32_t partitions = -1;
  int16_t replication = -1;
  std::vector<std::string> configs;  // key=value
  bool validate_only = false;
};
struct TopicList {
  bool internal = false;
};
struct TopicDescribe {
  std::vector<std::string> names;
};
struct TopicAlter {
  std::string name;
  int32_t partitions = 0;  // 0: as it is
  std::vector<std::string> configs;
  std::vector<std::string> removed;
};
struct TopicDelete {
  std::vector<std::string> names;
};
struct TopicTrim {
  std::string name;
  std::string before;  // as StartOffset has it
  std::vector<int32_t> partitions;
};
struct Produce {
  std::string topic;
  std::optional<std::string> key;
  std::vector<std::string> headers;  // key=value
  int32_t partition = -1;
  std::string codec;  // empty: as configured
  std::string acks;
  std::string format = "%v\\n";
  bool empty_is_null = false;
};
struct Consume {
  std::vector<std::string> topics;
  std::string group;                     // empty: by partition
  std::vector<std::int32_t> partitions;  // empty: all
  std::string offset = "start";
  int64_t count = -1;  // -1: no end
  bool until_end = false;
  std::optional<std::string> format;
  std::string isolation;
};
// Whichever comes first; neither (-1): ten seconds.
struct PerfLimits {
  int64_t records = -1;
  double seconds = -1;
};
struct PerfLoad {
  int64_t record_bytes = 100;  // of a value
  int64_t rate = 0;            // records a second; 0: as many as can be
  std::string acks;            // empty, none, -1: as configured
  std::string codec;
  std::optional<bool> idempotent;
  int64_t batch_bytes = -1;
  int64_t linger_ms = -1;
};
struct PerfProduce {
  std::string topic;
  int32_t partition = -1;  // -1: the partitioner's choice
  PerfLimits limits;
  PerfLoad load;
};
struct PerfConsume {
  std::vector<std::string> topics;
  std::vector<int32_t> partitions;  // empty: all
  std::string offset = "start";
  PerfLimits limits;
};
// The run, number and due time that each value carries.
inline constexpr int64_t kPerfMarkBytes = 24;
struct PerfLatency {
  std::string topic;
  PerfLimits limits;
  PerfLoad load{.rate = 1'000, .acks = {}, .codec = {}, .idempotent = {}, .linger_ms = 0};
};
struct ConfigGet {
  std::string type;
  std::string name;
  std::vector<std::string> keys;
  bool all = false;
};
struct ConfigAlter {
  std::string type;
  std::string name;
  std::vector<std::string> set;    // key=value
  std::vector<std::string> unset;  // key
};

// Whose quota; with --NAME-defaults the default of that type.
struct QuotaWho {
  std::optional<std::string> user;
  std::optional<std::string> client;
  std::optional<std::string> ip;
  bool user_defaults = false;
  bool client_defaults = false;
  bool ip_defaults = false;
};
struct QuotaList {
  std::string type;  // user, client-id, ip; empty: all
};
struct QuotaDescribe {
  QuotaWho who;
};
struct QuotaSet {
  QuotaWho who;
  std::vector<std::string> quotas;  // key=value
  bool validate_only = false;
};
struct QuotaDelete {
  QuotaWho who;
  std::vector<std::string> keys;  // empty: all that it has
};

struct GroupList {
  std::vector<std::string> states;  // empty: all
};
struct GroupDescribe {
  std::vector<std::string> names;
  bool members = false;  // none of the three: all there is to say
  bool lag = false;
  bool rebalances = false;
};
// Topics as TOPIC or TOPIC:PARTITION,PARTITION...
struct GroupReset {
  std::string name;
  std::vector<std::string> topics;
  bool all_topics = false;
  bool dry_run = false;
  // Exactly one of these.
  bool to_earliest = false;
  bool to_latest = false;
  bool to_current = false;
  std::optional<int64_t> to_offset;
  std::optional<int64_t> shift_by;
  std::string to_datetime;
  std::string by_duration;
  std::string from_file;
  std::string to;  // start, end, N, @TIME
};
struct GroupDelete {
  std::vector<std::string> names;
};
struct GroupDeleteOffsets {
  std::string name;
  std::vector<std::string> topics;
};

struct LogDump {
  std::vector<std::string> files;
  bool records = false;
};
struct LogVerify {
  std::string folder;
};

// All of them return the process's exit status.
int topic_create(const GlobalOptions& global, const TopicCreate& command);
int topic_list(const GlobalOptions& global, const TopicList& command);
int topic_describe(const GlobalOptions& global, const TopicDescribe& command);
int topic_alter(const GlobalOptions& global, const TopicAlter& command);
int topic_delete(const GlobalOptions& global, const TopicDelete& command);
int topic_trim(const GlobalOptions& global, const TopicTrim& command);
int produce(const GlobalOptions& global, const Produce& command);
int consume(const GlobalOptions& global, const Consume& command);
int group_list(const GlobalOptions& global, const GroupList& command);
int group_describe(const GlobalOptions& global, const GroupDescribe& command);
int group_reset(const GlobalOptions& global, const GroupReset& command);
int group_delete(const GlobalOptions& global, const GroupDelete& command);
int group_delete_offsets(const GlobalOptions& global, const GroupDeleteOffsets& command);
int cluster_info(const GlobalOptions& global);
// 1 where something is wrong.
int cluster_health(const GlobalOptions& global);
int perf_produce(const GlobalOptions& global, const PerfProduce& command);
int perf_consume(const GlobalOptions& global, const PerfConsume& command);
int perf_latency(const GlobalOptions& global, const PerfLatency& command);
int config_get(const GlobalOptions& global, const ConfigGet& command);
int config_alter(const GlobalOptions& global, const ConfigAlter& command);
int quota_list(const GlobalOptions& global, const QuotaList& command);
int quota_describe(const GlobalOptions& global, const QuotaDescribe& command);
int quota_set(const GlobalOptions& global, const QuotaSet& command);
int quota_delete(const GlobalOptions& global, const QuotaDelete& command);
int log_dump(const GlobalOptions& global, const LogDump& command);
int log_verify(const GlobalOptions& global, const LogVerify& command);

// The whole command.
int run_command_line(int argc, char** argv);

}  // namespace tidemark::cli
