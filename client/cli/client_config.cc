#include "client/cli/client_config.h"

#include "client/core/client_properties.h"
#include "config/written.h"
#include "storage/posix/posix_file_system.h"

namespace tidemark::cli {
namespace {

Result<std::string> read_file(const std::string& path) {
  storage::PosixFileSystem files;
  TRY_ASSIGN(const std::unique_ptr<storage::File> file, files.open(path, storage::OpenMode::read));
  TRY_ASSIGN(const uint64_t size, file->size());
  if (size > config::kMaxConfigFileBytes)
    return fail(Error::config(fmt::format("{} has more than {} bytes", path, config::kMaxConfigFileBytes)));
  std::string text(size, '\0');
  TRY_ASSIGN(const size_t got, file->read(0, std::as_writable_bytes(std::span(text))));
  text.resize(got);
  return text;
}

}  // namespace

Result<void> apply_config_file(const std::string& path, GlobalOptions& out) {
  const Result<std::string> text = read_file(path);
  if (!text) return fail(Error::config(text.error().message()));
  TRY_ASSIGN(const std::vector<config::WrittenSetting> written, config::parse_properties(path, *text));
  for (const config::WrittenSetting& each : written) {
    const Result<void> applied = client::apply_property(each.name, each.value, out);
    if (!applied) return fail(Error::config(fmt::format("{}: {}", each.where, applied.error().message())));
  }
  return {};
}

}  // namespace tidemark::cli
