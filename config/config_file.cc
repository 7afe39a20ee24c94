// Reading a configuration file and telling its format.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "config/loader.h"
#include "config/value.h"
#include "protocol/invariant.h"

namespace tidemark::config {

Result<std::string> read_config_file(const std::string& path) {
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (code || !std::filesystem::exists(status)) {
    return fail(Error::config(fmt::format("{}: {}", path, code ? code.message() : "no such file")));
  }
  if (std::filesystem::is_directory(status)) {
    return fail(Error::config(fmt::format("{}: a folder, not a file", path)));
  }
  // Not only regular files: `--config <(generate)` is a pipe. The bound is kept while reading.
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return fail(Error::config(fmt::format("{}: {}", path, std::strerror(errno))));
  std::string text(kMaxConfigFileBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return fail(Error::config(fmt::format("{}: cannot be read", path)));
  text.resize(static_cast<size_t>(stream.gcount()));
  if (text.size() > kMaxConfigFileBytes) {
    return fail(Error::config(fmt::format("{}: larger than {} bytes", path, kMaxConfigFileBytes)));
  }
  return text;
}

bool is_properties_file(std::string_view file_name, std::string_view text) {
  if (file_name.ends_with(".yaml") || file_name.ends_with(".yml")) return false;
  if (file_name.ends_with(".properties") || file_name.ends_with(".conf")) return true;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    if (!line.empty() && line.front() != '#') {
      // `name=value` with no YAML separator before the equals sign.
      const size_t equals = line.find('=');
      return equals != std::string_view::npos && line.substr(0, equals).find(": ") == std::string_view::npos;
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return false;
}

Result<std::vector<WrittenSetting>> parse_config_file(std::string_view file_name, std::string_view text) {
  return is_properties_file(file_name, text) ? parse_properties(file_name, text)
                                             : parse_yaml(file_name, text);
}

Result<NodeConfig> load_node_config(const std::optional<std::string>& path,
                                    std::span<const WrittenSetting> overrides) {
  std::vector<WrittenSetting> file;
  if (path) {
    TRY_ASSIGN(const std::string text, read_config_file(*path));
    TRY_ASSIGN(file, parse_config_file(*path, text));
  }
  return make_node_config(file, overrides);
}

WrittenSetting flag_setting(std::string_view flag, std::string_view value) {
  const auto setting = [&](std::string_view name, std::string text) {
    return WrittenSetting{std::string(name), std::move(text), std::string(flag)};
  };
  if (flag == "--node-id") return setting("node.id", std::string(value));
  if (flag == "--data-dir") return setting("log.dirs", std::string(value));
  if (flag == "--listen") return setting("listeners", fmt::format("PLAINTEXT://{}", value));
  INVARIANT(flag == "--http", "no setting stands behind {}", flag);
  return setting("http.address", std::string(value));
}

}  // namespace tidemark::config
