// The text of `tidemarkd --check-config FILE`. A pure function.
#pragma once

#include <cstddef>
#include <string>

#include "config/node_config.h"
#include "config/setting.h"

namespace tidemark::config {

struct StatusCounts {
  size_t honoured = 0;
  size_t refused = 0;
  size_t ignored = 0;
  bool operator==(const StatusCounts&) const = default;
};

// Rows of the whole table, all scopes.
StatusCounts count_table();
// Settings that were written down for this node. (Refused ones stand at an accepted value, or it would be no
// NodeConfig.)
StatusCounts count_written(const NodeConfig& node);

// What this node is, every honoured broker setting with its value and where it came from, the counts, and the
// warnings.
std::string check_config(const NodeConfig& node);

}  // namespace tidemark::config
