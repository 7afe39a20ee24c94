// Points in time as people write them: milliseconds since 1970, or ISO 8601 in UTC or with an offset; and
// durations. Pure.
#pragma once

#include <string_view>

#include "protocol/error.h"

namespace tidemark::cli {

// "1767322800123", "2026-01-02", "2026-01-02T03:04:05[.123][Z|+01:00]" to ms since the epoch. Error (config):
// anything else, dates that are none.
Result<int64_t> parse_timestamp(std::string_view text);

// ISO 8601 as Java's Duration has it: "P7D", "PT1H30M", "P1DT0.5S" to ms. Error (config): anything else.
Result<int64_t> parse_duration(std::string_view text);

}  // namespace tidemark::cli
