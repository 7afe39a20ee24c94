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
  std::string before;  // an offset, or "end"
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
  std::vector<std::int32_t> partitions;  // empty: all
  std::string offset = "start";
  int64_t count = -1;  // -1: no end
  bool until_end = false;
  std::optional<std::string> format;
  std::string isolation;
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
int cluster_info(const GlobalOptions& global);
int config_get(const GlobalOptions& global, const ConfigGet& command);
int config_alter(const GlobalOptions& global, const ConfigAlter& command);
int log_dump(const GlobalOptions& global, const LogDump& command);
int log_verify(const GlobalOptions& global, const LogVerify& command);

// The whole command.
int run_command_line(int argc, char** argv);

}  // namespace tidemark::cli
