#include "storage/trimmed_producers.h"

#include <fmt/format.h>

namespace tidemark::storage {
namespace {

std::string path_in(const std::string& folder) { return fmt::format("{}/{}", folder, kTrimmedProducersName); }
std::string prepared_in(const std::string& folder) { return path_in(folder) + ".new"; }

Result<std::optional<ProducerSnapshot>> read(FileSystem& files, const std::string& path, LogId log,
                                             runtime::WallTime now) {
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

}  // namespace

Result<void> prepare_trimmed_producers(FileSystem& files, const std::string& folder, const DerivedFrom& from,
                                       const ProducerState& producers) {
  const std::string path = prepared_in(folder);
  const std::string content = encode_producer_snapshot(from, producers);
  const auto write = [&]() -> Result<void> {
    TRY_ASSIGN(auto file, files.open(path, OpenMode::create));
    TRY(file->truncate(0));
    TRY(file->write(0, std::as_bytes(std::span(content))));
    TRY(file->sync_data());
    return files.sync_dir(folder);
  };
  auto written = write();
  if (!written && written.error().kind() == ErrorKind::no_space) TRY(files.remove(path));
  return written;
}

Result<void> replace_trimmed_producers(FileSystem& files, const std::string& folder) {
  TRY(files.rename(prepared_in(folder), path_in(folder)));
  return files.sync_dir(folder);
}

Result<void> settle_trimmed_producers(FileSystem& files, const std::string& folder, LogId log,
                                      Offset log_start, runtime::WallTime now) {
  TRY_ASSIGN(const bool exists, files.exists(prepared_in(folder)));
  if (!exists) return {};
  const auto prepared = read(files, prepared_in(folder), log, now);
  // Torn: the start did not wait for it.
  if (!prepared && prepared.error().kind() != ErrorKind::corruption) return fail(prepared.error());
  if (prepared && *prepared && (*prepared)->from.offset <= log_start)
    return replace_trimmed_producers(files, folder);
  return files.remove(prepared_in(folder));
}

Result<std::optional<ProducerSnapshot>> read_trimmed_producers(FileSystem& files, const std::string& folder,
                                                               LogId log, runtime::WallTime now) {
  return read(files, path_in(folder), log, now);
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
  const auto prepared = prepare_trimmed_producers(files, folder, from, snapshot->state.below(end));
  if (prepared) {
    TRY(replace_trimmed_producers(files, folder));
    return true;
  }
  if (prepared.error().kind() != ErrorKind::no_space) return fail(prepared.error());
  TRY(remove_trimmed_producers(files, folder));
  return false;
}

}  // namespace tidemark::storage
