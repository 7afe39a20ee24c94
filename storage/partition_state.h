// `partition.state` in each partition's folder (a double-written file): which incarnation of which replica
// lives there, and what its journal records would say if they had not been freed: where the log starts, and
// for a write.caching log up to where its segments were synced. And how far the log cleaner has come: it
// works below the checkpoint, where no journal record could tell.
#pragma once

#include "storage/double_written_file.h"
#include "storage/format/journal_format.h"
#include "storage/format/segment_scan.h"

namespace tidemark::storage {

inline constexpr std::string_view kPartitionStateName = "partition.state";

struct PartitionState {
  LogId log;
  Uuid topic_id;
  PartitionId partition;
  bool journaled = true;
  Offset log_start;
  Offset synced;         // write.caching: everything below was synced at a checkpoint
  bool damaged = false;  // for good: a start found its journal destroyed, and nothing vouches for it
  // Below, no key has a newer record that is below, too: where the log cleaner came last. kNoOffset: it never
  // came to an end.
  Offset cleaned_to = kNoOffset;
  // Below, offsets may be missing: up to here the log cleaner has exchanged segments, or was about to.
  // Invariant: 0, or where a segment begins, or the log's end.
  Offset gaps_below{};
  // The data folder whose logs `log` tells it from. Zero: of a release that took one folder alone.
  Uuid home{};
  bool operator==(const PartitionState&) const = default;
};

// Where it lies in a partition's folder.
[[nodiscard]] std::string partition_state_path(const std::string& folder);
[[nodiscard]] std::vector<std::byte> encode_partition_state(const PartitionState& state);
// nullopt: no such file, or both slots unreadable. Error: a newer format, or the disk.
Result<std::optional<PartitionState>> read_partition_state(FileSystem& files, const std::string& folder);
Result<void> write_partition_state(FileSystem& files, const std::string& folder, const PartitionState& state,
                                   bool sync);

}  // namespace tidemark::storage
