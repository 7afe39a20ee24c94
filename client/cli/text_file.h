// A small file that the user names, whole.
#pragma once

#include <string>

#include "protocol/error.h"

namespace tidemark::cli {

// Error (config): it cannot be read, or is larger than `most_bytes`.
Result<std::string> read_text_file(const std::string& path, size_t most_bytes);

}  // namespace tidemark::cli
