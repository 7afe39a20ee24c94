// Structured logging: one line per event, an event in plain words and key=value fields. The daemon's Log
// writes to stderr (spdlog_log.h); the simulator's collects. Any thread may log; a shard never waits for the
// terminal. What a stranger can trigger goes through a LogLimiter.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/runtime/time.h"

namespace tidemark::broker {

enum class LogLevel : uint8_t { debug, info, warn, error };

struct LogField {
  template <class T>
  LogField(std::string_view k, const T& v)
      : key(k), value(fmt::format("{}", v)), is_text(!std::is_arithmetic_v<T>) {}
  std::string_view key;
  std::string value;
  bool is_text;  // JSON quotes it
};

class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, std::string_view event, std::span<const LogField> fields) = 0;
  // Ask before fields are made for many lines that are mostly left out.
  [[nodiscard]] virtual bool wants(LogLevel) const { return true; }

  void debug(std::string_view event, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::debug, event, {fields.begin(), fields.size()});
  }
  void info(std::string_view event, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::info, event, {fields.begin(), fields.size()});
  }
  void warn(std::string_view event, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::warn, event, {fields.begin(), fields.size()});
  }
  void error(std::string_view event, std::initializer_list<LogField> fields = {}) {
    write(LogLevel::error, event, {fields.begin(), fields.size()});
  }
};

// So many events a second, and a count of those that were left out. One loop's.
class LogLimiter {
 public:
  explicit LogLimiter(uint32_t per_second) : per_second_(per_second) {}
  // How many were left out since the last one, if this one may be logged.
  [[nodiscard]] std::optional<uint64_t> admit(runtime::MonoTime now);

 private:
  const uint32_t per_second_;
  runtime::MonoTime second_{};  // when the current second began
  uint32_t used_ = 0;
  uint64_t left_out_ = 0;
};

enum class LogFormat : uint8_t { text, json };

// The part of a line behind time and level. Text: event key=value key="two words". JSON: members, without the
// braces.
[[nodiscard]] std::string format_event(LogFormat format, std::string_view event,
                                       std::span<const LogField> fields);

}  // namespace tidemark::broker
