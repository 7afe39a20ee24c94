// java.util.Properties' format: lines joined by a backslash at the end, # and ! comments, = or : or a space
// after the key, and backslash escapes. Bytes above 127 are taken as they are (Java would read Latin-1).
#include <fmt/format.h>

#include <optional>

#include "config/value.h"
#include "config/written.h"

namespace tidemark::config {
namespace {

constexpr size_t kMaxKeyBytes = 512;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

// Physical lines, whichever way they end.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  std::optional<std::string_view> next() {
    if (rest_.empty()) return std::nullopt;
    ++number_;
    const size_t end = rest_.find_first_of("\r\n");
    const std::string_view line = rest_.substr(0, end);
    if (end == std::string_view::npos) {
      rest_ = {};
    } else {
      const bool two = rest_[end] == '\r' && end + 1 < rest_.size() && rest_[end + 1] == '\n';
      rest_.remove_prefix(end + (two ? 2 : 1));
    }
    return line;
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  std::string_view rest_;
  int number_ = 0;
};

std::string_view without_leading_blanks(std::string_view line) {
  size_t at = 0;
  while (at < line.size() && is_blank(line[at])) ++at;
  return line.substr(at);
}

bool continues(std::string_view line) {
  size_t backslashes = 0;
  while (backslashes < line.size() && line[line.size() - 1 - backslashes] == '\\') ++backslashes;
  return backslashes % 2 == 1;
}

void append_utf8(std::string& out, uint32_t point) {
  if (point >= 0xD800 && point <= 0xDFFF) point = 0xFFFD;
  const auto byte = [&](uint32_t value) { out.push_back(static_cast<char>(value)); };
  if (point < 0x80) {
    byte(point);
  } else if (point < 0x800) {
    byte(0xC0 | (point >> 6));
    byte(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    byte(0xE0 | (point >> 12));
    byte(0x80 | ((point >> 6) & 0x3F));
    byte(0x80 | (point & 0x3F));
  } else {
    byte(0xF0 | (point >> 18));
    byte(0x80 | ((point >> 12) & 0x3F));
    byte(0x80 | ((point >> 6) & 0x3F));
    byte(0x80 | (point & 0x3F));
  }
}

// The four digits of a \u escape, if `text` starts with them.
std::optional<uint32_t> four_hex_digits(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  uint32_t value = 0;
  for (const char c : text.substr(0, 4)) {
    uint32_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<uint32_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<uint32_t>(c - 'a' + 10);
    } else if (c >= 'A' && c <= 'F') {
      digit = static_cast<uint32_t>(c - 'A' + 10);
    } else {
      return std::nullopt;
    }
    value = value * 16 + digit;
  }
  return value;
}

// nullopt: a \u without its four digits.
std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out.push_back(text[i]);
      continue;
    }
    if (++i == text.size()) break;  // a backslash at the end of the file
    switch (text[i]) {
      case 't': out.push_back('\t'); break;
      case 'n': out.push_back('\n'); break;
      case 'r': out.push_back('\r'); break;
      case 'f': out.push_back('\f'); break;
      case 'u': {
        auto point = four_hex_digits(text.substr(i + 1));
        if (!point) return std::nullopt;
        i += 4;
        // Java writes what lies beyond 16 bits as two escapes.
        if (*point >= 0xD800 && *point < 0xDC00 && text.substr(i + 1).starts_with("\\u")) {
          const auto low = four_hex_digits(text.substr(i + 3));
          if (low && *low >= 0xDC00 && *low <= 0xDFFF) {
            point = 0x10000 + ((*point - 0xD800) << 10) + (*low - 0xDC00);
            i += 6;
          }
        }
        append_utf8(out, *point);
        break;
      }
      default: out.push_back(text[i]);
    }
  }
  return out;
}

// Where the key ends: before the first =, : or blank that no backslash escapes.
size_t key_length(std::string_view line) {
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\') {
      ++i;
    } else if (line[i] == '=' || line[i] == ':' || is_blank(line[i])) {
      return i;
    }
  }
  return line.size();
}

}  // namespace

Result<std::vector<WrittenSetting>> parse_properties(std::string_view file_name, std::string_view text) {
  if (text.size() > kMaxConfigFileBytes) {
    return fail(Error::config(fmt::format("{}: larger than {} bytes", file_name, kMaxConfigFileBytes)));
  }
  std::vector<WrittenSetting> settings;
  Lines lines(text);
  while (const auto first = lines.next()) {
    const std::string_view start = without_leading_blanks(*first);
    if (start.empty() || start.front() == '#' || start.front() == '!') continue;
    const std::string where = fmt::format("{}:{}", file_name, lines.number());
    const auto malformed = [&](std::string_view why) {
      return fail(Error::config(fmt::format("{}: {}", where, why)));
    };
    std::string logical(start);
    while (continues(logical)) {
      logical.pop_back();
      const auto more = lines.next();
      if (!more) break;
      logical.append(without_leading_blanks(*more));
    }
    if (logical.find('\0') != std::string::npos) return malformed("a zero byte: this is not a text file");

    const size_t key_end = key_length(logical);
    std::string_view rest = without_leading_blanks(std::string_view(logical).substr(key_end));
    if (!rest.empty() && (rest.front() == '=' || rest.front() == ':')) {
      rest = without_leading_blanks(rest.substr(1));
    }
    auto name = unescaped(std::string_view(logical).substr(0, key_end));
    auto value = unescaped(rest);
    if (!name || !value) return malformed("\\u needs four hexadecimal digits");
    if (name->empty()) return malformed("a line without a key");
    if (name->size() > kMaxKeyBytes) return malformed("a key longer than 512 bytes");
    if (value->size() > kMaxValueBytes) return malformed(fmt::format("{}: longer than 65536 bytes", *name));
    if (settings.size() == kMaxWrittenSettings) return malformed("more than 10000 settings");
    settings.push_back({std::move(*name), std::move(*value), where});
  }
  return settings;
}

Result<WrittenSetting> parse_override(std::string_view argument) {
  const size_t equals = argument.find('=');
  const std::string_view name = trimmed(argument.substr(0, equals));
  if (equals == std::string_view::npos || name.empty() || name.size() > kMaxKeyBytes) {
    return fail(Error::config(fmt::format("--set {}: it must be KEY=VALUE", argument.substr(0, 200))));
  }
  return WrittenSetting{std::string(name), std::string(trimmed(argument.substr(equals + 1))), "--set"};
}

}  // namespace tidemark::config
