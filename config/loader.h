// From a file and the command line to a NodeConfig: main's only entry. Reading the file is the one thing in
// this folder that touches the disk; everything after is a pure function of its text.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/node_config.h"
#include "config/written.h"

namespace tidemark::config {

// The whole file. INVALID_CONFIG: it cannot be read, is no regular file, or is larger than
// kMaxConfigFileBytes.
Result<std::string> read_config_file(const std::string& path);

// By its name (.yaml, .yml, .properties, .conf), else by its first line that is no comment.
bool is_properties_file(std::string_view file_name, std::string_view text);
// In whichever of the two formats it is.
Result<std::vector<WrittenSetting>> parse_config_file(std::string_view file_name, std::string_view text);

// Judges what was written: unknown names, types, ranges, what this release refuses, and what must agree.
// `overrides` win over `file`; in each, the later entry of a name wins. INVALID_CONFIG with a line for each
// error: where, which key, why, and the nearest known name.
Result<NodeConfig> make_node_config(std::span<const WrittenSetting> file,
                                    std::span<const WrittenSetting> overrides);

// The three together; no path: only defaults and overrides.
Result<NodeConfig> load_node_config(const std::optional<std::string>& path,
                                    std::span<const WrittenSetting> overrides);

// The setting behind one of the daemon's own flags: --node-id, --data-dir, --listen, --http.
// REQUIRES: `flag` is one of these.
WrittenSetting flag_setting(std::string_view flag, std::string_view value);

}  // namespace tidemark::config
