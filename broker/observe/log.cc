#include "broker/observe/log.h"

#include "protocol/json_text.h"

namespace tidemark::broker {
namespace {

// JSON's escapes, which text lines use too: whatever a client sends stays on one line.
using protocol::append_json_escaped;

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
  }
  return false;
}

}  // namespace

std::optional<uint64_t> LogLimiter::admit(runtime::MonoTime now) {
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    used_ = 0;
  }
  if (used_ == per_second_) {
    ++left_out_;
    return std::nullopt;
  }
  ++used_;
  return std::exchange(left_out_, 0);
}

std::string format_event(LogFormat format, std::string_view event, std::span<const LogField> fields) {
  std::string line;
  if (format == LogFormat::text) {
    append_json_escaped(line, event);
    for (const LogField& field : fields) {
      line += ' ';
      line += field.key;
      line += '=';
      if (needs_quotes(field.value)) {
        append_quoted(line, field.value);
      } else {
        line += field.value;
      }
    }
    return line;
  }
  line = "\"event\":";
  append_quoted(line, event);
  for (const LogField& field : fields) {
    line += ',';
    append_quoted(line, field.key);
    line += ':';
    if (field.is_text) {
      append_quoted(line, field.value);
    } else {
      line += field.value;
    }
  }
  return line;
}

}  // namespace tidemark::broker
