// `--config FILE`: a client's settings in Kafka's properties format and with Kafka's names.
#pragma once

#include <string_view>

#include "client/cli/commands.h"

namespace tidemark::cli {

// Error (config), naming file, line and setting.
Result<void> apply_config_file(const std::string& path, GlobalOptions& out);

}  // namespace tidemark::cli
