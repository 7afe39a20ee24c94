// `--config FILE`: a client's settings in Kafka's properties format and with Kafka's names, and the list of
// broker addresses. A setting that we do not have is refused by name, and so is every security setting but
// "none": a connection that somebody believes to be encrypted must not be plain.
#pragma once

#include <string_view>

#include "client/cli/commands.h"

namespace tidemark::cli {

// Error (config), naming file, line and setting.
Result<void> apply_config_file(const std::string& path, GlobalOptions& out);
// "HOST:PORT,...", IPv6 addresses in brackets. Error (config).
Result<std::vector<runtime::Endpoint>> parse_bootstrap(std::string_view text);
// The names that a file may have.
[[nodiscard]] std::vector<std::string_view> client_setting_names();

}  // namespace tidemark::cli
