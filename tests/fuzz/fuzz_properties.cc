// A server.properties file. What was read, written down again with every escape, is read the same; every
// value that is right has one canonical form; and the list becomes a configuration or an error. Values are
// also read as patterns: as they stand, and quoted, which match themselves.
#include "config/loader.h"
#include "config/pattern.h"
#include "config/report.h"
#include "config/settings.h"
#include "config/value.h"
#include "protocol/invariant.h"

using namespace tidemark;
using namespace tidemark::config;

namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\f': out += "\\f"; break;
      case '\0': out += "\\u0000"; break;
      case '\\':
      case ' ':
      case '=':
      case ':':
      case '#':
      case '!':
        out += '\\';
        out += c;
        break;
      default: out += c;
    }
  }
  return out;
}

void check_written_again(const std::vector<WrittenSetting>& settings) {
  std::string text;
  for (const WrittenSetting& setting : settings) {
    text += fmt::format("{}={}\n", escaped(setting.name), escaped(setting.value));
  }
  if (text.size() > kMaxConfigFileBytes) return;
  const auto again = parse_properties("f", text);
  INVARIANT(again.has_value(), "{}", again.error().message());
  INVARIANT(again->size() == settings.size(), "{} became {}", settings.size(), again->size());
  for (size_t i = 0; i < settings.size(); ++i) {
    INVARIANT((*again)[i].name == settings[i].name && (*again)[i].value == settings[i].value, "{}",
              settings[i].name);
  }
}

void check_canonical(const WrittenSetting& written) {
  for (const Scope scope : {Scope::broker, Scope::topic, Scope::group, Scope::client_metrics}) {
    const Setting* setting = find_setting(scope, written.name);
    if (setting == nullptr || !check_value(*setting, written.value)) continue;
    const std::string canonical = canonical_value(*setting, written.value);
    INVARIANT(check_value(*setting, canonical), "{} = {}", written.name, canonical);
    INVARIANT(canonical_value(*setting, canonical) == canonical, "{} = {}", written.name, canonical);
  }
}

void check_patterns(std::string_view text) {
  if (const auto pattern = Pattern::compile(text)) static_cast<void>(pattern->matches(text));
  if (text.find("\\E") != text.npos || text.ends_with('\\')) return;
  const auto quoted = Pattern::compile(fmt::format("\\Q{}\\E", text));
  INVARIANT(!quoted || text.size() > Pattern::kMaxText || quoted->matches(text), "{}", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(is_properties_file("f", text));
  static_cast<void>(parse_override(text));
  const auto written = parse_properties("f", text);
  if (!written) {
    INVARIANT(written.error().message().starts_with("f:"), "no line in: {}", written.error().message());
    return 0;
  }
  check_written_again(*written);
  for (const WrittenSetting& setting : *written) {
    check_canonical(setting);
    check_patterns(setting.value);
  }
  const auto node = make_node_config(*written, {});
  if (!node) {
    INVARIANT(node.error().code() == ErrorCode::INVALID_CONFIG, "{}", node.error().to_string());
    return 0;
  }
  INVARIANT(!check_config(*node).empty(), "an empty report");
  return 0;
}
