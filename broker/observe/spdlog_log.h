// The daemon's Log: spdlog, on stderr, written by a thread of its own. When stderr does not drain, the oldest
// waiting lines are dropped: a shard never waits for a terminal.
#pragma once

#include <memory>

#include "broker/observe/log.h"

namespace tidemark::broker {

struct LogOptions {
  LogFormat format = LogFormat::text;
  LogLevel least = LogLevel::info;
};

// Destroying it writes out what waits.
[[nodiscard]] std::unique_ptr<Log> make_stderr_log(LogOptions options);

}  // namespace tidemark::broker
