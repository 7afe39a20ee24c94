#include "client/cli/text_file.h"

#include <fmt/format.h>

#include "storage/posix/posix_file_system.h"

namespace tidemark::cli {
namespace {

Result<std::string> read(const std::string& path, size_t most_bytes) {
  storage::PosixFileSystem files;
  TRY_ASSIGN(const std::unique_ptr<storage::File> file, files.open(path, storage::OpenMode::read));
  TRY_ASSIGN(const uint64_t size, file->size());
  if (size > most_bytes)
    return fail(Error::config(fmt::format("{} has more than {} bytes", path, most_bytes)));
  std::string text(size, '\0');
  TRY_ASSIGN(const size_t got, file->read(0, std::as_writable_bytes(std::span(text))));
  text.resize(got);
  return text;
}

}  // namespace

Result<std::string> read_text_file(const std::string& path, size_t most_bytes) {
  Result<std::string> text = read(path, most_bytes);
  if (!text) return fail(Error::config(text.error().message()));
  return text;
}

}  // namespace tidemark::cli
