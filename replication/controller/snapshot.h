// A snapshot of the metadata (KIP-630): what the records of __cluster_metadata-0 below an offset add up to,
// as records again, in a file `OFFSET-EPOCH.checkpoint` that Kafka's own tools read: a SnapshotHeader control
// batch, batches of metadata records numbered from 0, a SnapshotFooter. A start reads the newest one and only
// the log behind it. Pure; the files are the shell's (broker/metadata_snapshots.h).
#pragma once

#include <compare>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"
#include "protocol/ids.h"
#include "replication/controller/image.h"

namespace tidemark::replication {

struct SnapshotId {
  Offset end;         // behind the last record that it holds
  LeaderEpoch epoch;  // of that record
  auto operator<=>(const SnapshotId&) const = default;
};

[[nodiscard]] SnapshotId snapshot_id(const MetadataImage& image);
// 00000000000000000123-0000000004.checkpoint
[[nodiscard]] std::string snapshot_name(const SnapshotId& id);
[[nodiscard]] std::optional<SnapshotId> parse_snapshot_name(std::string_view name);

// `last_timestamp_ms`: of the newest record that the image knows of.
Result<std::vector<std::byte>> encode_snapshot(const MetadataImage& image, int64_t last_timestamp_ms);

// The image at `id`; who leads the controllers is not in it: the log behind it says that. Error of kind
// corruption: damaged, cut short, or not such a file; of kind format: a newer release wrote it.
Result<std::shared_ptr<const MetadataImage>> decode_snapshot(std::span<const std::byte> bytes, SnapshotId id,
                                                             std::string cluster_id);

}  // namespace tidemark::replication
