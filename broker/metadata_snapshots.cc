#include "broker/metadata_snapshots.h"

#include <fmt/format.h>

#include <algorithm>

namespace tidemark::broker {

using replication::SnapshotId;

namespace {

constexpr std::string_view kPartSuffix = ".checkpoint.part";
// Of a million partitions it has some 100 MB.
constexpr uint64_t kMaxBytes = uint64_t{2} << 30;

}  // namespace

Result<MetadataSnapshots::Loaded> MetadataSnapshots::read(SnapshotId id, const std::string& cluster_id) {
  const std::string name = replication::snapshot_name(id);
  TRY_ASSIGN(const auto file, files_.open(path(name), storage::OpenMode::read));
  TRY_ASSIGN(const uint64_t size, file->size());
  if (size > kMaxBytes) return fail(Error::corruption(fmt::format("{}: {} bytes", name, size)));
  std::vector<std::byte> bytes(size);
  TRY_ASSIGN(const size_t read, file->read(0, bytes));
  bytes.resize(read);
  TRY_ASSIGN(auto image, replication::decode_snapshot(bytes, id, cluster_id));
  return Loaded{id, std::move(image), size};
}

Result<MetadataSnapshots::Found> MetadataSnapshots::load(const std::string& cluster_id) {
  TRY_ASSIGN(const auto entries, files_.list(folder_));
  std::vector<SnapshotId> ids;
  for (const storage::DirEntry& entry : entries) {
    if (entry.name.ends_with(kPartSuffix)) TRY(files_.remove(path(entry.name)));
    if (const auto id = replication::parse_snapshot_name(entry.name)) ids.push_back(*id);
  }
  std::sort(ids.rbegin(), ids.rend());
  Found found;
  for (const SnapshotId& id : ids) {
    auto loaded = read(id, cluster_id);
    if (loaded) {
      found.newest = std::move(*loaded);
      break;
    }
    if (loaded.error().kind() == ErrorKind::format) return fail(loaded.error());
    found.refused.emplace_back(loaded.error().message());
  }
  return found;
}

Result<void> MetadataSnapshots::write(SnapshotId id, std::span<const std::byte> bytes) {
  const std::string name = replication::snapshot_name(id);
  const std::string part = path(name + ".part");
  const auto fill = [&]() -> Result<void> {
    TRY_ASSIGN(const auto file, files_.open(part, storage::OpenMode::create));
    TRY(file->truncate(0));
    TRY(file->write(0, bytes));
    TRY(file->sync_data());
    return files_.rename(part, path(name));
  };
  if (auto filled = fill(); !filled) {
    (void)files_.remove(part);
    return filled;
  }
  return files_.sync_dir(folder_);
}

Result<void> MetadataSnapshots::remove_others(std::span<const SnapshotId> kept) {
  TRY_ASSIGN(const auto entries, files_.list(folder_));
  for (const storage::DirEntry& entry : entries) {
    const auto id = replication::parse_snapshot_name(entry.name);
    if (id && std::find(kept.begin(), kept.end(), *id) == kept.end()) TRY(files_.remove(path(entry.name)));
  }
  return {};
}

}  // namespace tidemark::broker
