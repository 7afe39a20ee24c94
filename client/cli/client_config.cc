#include "client/cli/client_config.h"

#include "client/cli/text_file.h"
#include "client/core/client_properties.h"
#include "config/written.h"

namespace tidemark::cli {

Result<void> apply_config_file(const std::string& path, GlobalOptions& out) {
  TRY_ASSIGN(const std::string text, read_text_file(path, config::kMaxConfigFileBytes));
  TRY_ASSIGN(const std::vector<config::WrittenSetting> written, config::parse_properties(path, text));
  for (const config::WrittenSetting& each : written) {
    const Result<void> applied = client::apply_property(each.name, each.value, out);
    if (!applied) return fail(Error::config(fmt::format("{}: {}", each.where, applied.error().message())));
  }
  return {};
}

}  // namespace tidemark::cli
