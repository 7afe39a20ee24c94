// A setting as somebody wrote it, before anything is checked: both file parsers and the command line give a
// list of these to make_node_config() (loader.h), which owns all judgement.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"

namespace tidemark::config {

struct WrittenSetting {
  std::string name;   // Kafka's name, or one of ours
  std::string value;  // text; lists separated by commas
  std::string where;  // "server.properties:12", "--set": opens every message about it
  bool operator==(const WrittenSetting&) const = default;
};

inline constexpr size_t kMaxConfigFileBytes = 1 << 20;
inline constexpr size_t kMaxWrittenSettings = 10'000;

// Kafka's server.properties, as java.util.Properties reads it. A name that occurs twice is listed twice.
Result<std::vector<WrittenSetting>> parse_properties(std::string_view file_name, std::string_view text);

// Our YAML: its sections become the settings that they stand for (node.id, listeners, ...). Unknown keys and
// sections that this release does not have are errors; all errors come in one message, a line each.
Result<std::vector<WrittenSetting>> parse_yaml(std::string_view file_name, std::string_view text);

// `--set KEY=VALUE`.
Result<WrittenSetting> parse_override(std::string_view argument);

}  // namespace tidemark::config
