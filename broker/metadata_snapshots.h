// The snapshot files in the metadata log's folder: OFFSET-EPOCH.checkpoint, where Kafka has them. A file with
// its final name is whole and durable: it is written as .part, synced, renamed, and its folder synced. Two
// are kept, and the log from the older one on, so that a damaged one costs nothing. Blocking: for a lane.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "replication/controller/snapshot.h"
#include "storage/file.h"

namespace tidemark::broker {

class MetadataSnapshots {
 public:
  // `folder`: __cluster_metadata-0.
  MetadataSnapshots(storage::FileSystem& files, std::string folder)
      : files_(files), folder_(std::move(folder)) {}

  struct Loaded {
    replication::SnapshotId id;
    std::shared_ptr<const replication::MetadataImage> image;
    uint64_t bytes = 0;
  };
  struct Found {
    std::optional<Loaded> newest;      // that can be read
    std::vector<std::string> refused;  // newer ones that cannot, and why
  };
  // Removes what a crash left half written. Error of kind format: a newer release wrote one.
  Result<Found> load(const std::string& cluster_id);
  // Durable on return.
  Result<void> write(replication::SnapshotId id, std::span<const std::byte> bytes);
  // All but these. REQUIRES: nobody needs the others.
  Result<void> remove_others(std::span<const replication::SnapshotId> kept);

 private:
  [[nodiscard]] std::string path(std::string_view name) const { return folder_ + "/" + std::string(name); }
  Result<Loaded> read(replication::SnapshotId id, const std::string& cluster_id);

  storage::FileSystem& files_;
  const std::string folder_;
};

}  // namespace tidemark::broker
