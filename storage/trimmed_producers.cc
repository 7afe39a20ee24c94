#include "storage/trimmed_producers.h"

#include <fmt/format.h>

namespace tidemark::storage {
namespace {

std::string path_in(const std::string& folder) { return fmt::format("{}/{}", folder, kTrimmedProducersName); }

}  // namespace

Result<void> write_trimmed_producers(FileSystem& files, const std::string& folder, const DerivedFrom& from,
                                     const ProducerState& producers) {
  const std::string path = path_in(folder);
  const std::string fresh = path + ".new";
  const std::string content = encode_producer_snapshot(from, producers);
  const auto write = [&]() -> Result<void> {
    TRY_ASSIGN(auto file, files.open(fresh, OpenMode::create));
    TRY(file->truncate(0));
    TRY(file->write(0, std::as_bytes(std::span(content))));
    TRY(file->sync_data());
    TRY(files.rename(fresh, path));
    return files.sync_dir(folder);
  };
  auto written = write();
  if (!written && written.error().kind() == ErrorKind::no_space) TRY(files.remove(fresh));
  return written;
}

Result<std::optional<ProducerSnapshot>> read_trimmed_producers(FileSystem& files, const std::string& folder,
                                                               LogId log, runtime::WallTime now) {
  const std::string path = path_in(folder);
  TRY_ASSIGN(const bool exists, files.exists(path));
  if (!exists) return std::optional<ProducerSnapshot>();
  TRY_ASSIGN(const auto file, files.open(path, OpenMode::read));
  TRY_ASSIGN(const uint64_t size, file->size());
  std::string content(size, '\0');
  TRY_ASSIGN(const size_t read, file->read(0, std::as_writable_bytes(std::span(content))));
  content.resize(read);
  auto snapshot = decode_producer_snapshot(content, now);
  if (!snapshot)
    return fail(Error(snapshot.error().kind(), snapshot.error().code(),
                      fmt::format("{}: {}", path, snapshot.error().message())));
  if (snapshot->from.log != log) return std::optional<ProducerSnapshot>();
  return std::optional(std::move(*snapshot));
}

Result<void> remove_trimmed_producers(FileSystem& files, const std::string& folder) {
  TRY(files.remove(path_in(folder)));
  return files.sync_dir(folder);
}

Result<bool> lower_trimmed_producers(FileSystem& files, const std::string& folder, LogId log, Offset end,
                                     runtime::WallTime now) {
  TRY_ASSIGN(const auto snapshot, read_trimmed_producers(files, folder, log, now));
  if (!snapshot) return true;
  const DerivedFrom from{log, end, kNoLeaderEpoch};
  const auto written = write_trimmed_producers(files, folder, from, snapshot->state.below(end));
  if (written) return true;
  if (written.error().kind() != ErrorKind::no_space) return fail(written.error());
  TRY(remove_trimmed_producers(files, folder));
  return false;
}

}  // namespace tidemark::storage
