// Which leader epoch starts at which offset of one log (KIP-101, KIP-279): what OffsetForLeaderEpoch answers
// from, and what followers and new leaders truncate by. Owned by the log, used on its shard; pure. It holds
// one entry for every epoch that has a record, so the log bounds it. Derived: batch headers give it again.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/error.h"
#include "protocol/ids.h"

namespace tidemark::storage {

inline constexpr std::string_view kLeaderEpochCheckpointName = "leader-epoch-checkpoint";

struct EpochEntry {
  LeaderEpoch epoch;
  Offset start_offset;
  bool operator==(const EpochEntry&) const = default;
};
// Undefined (-1, -1) where nothing can be said.
struct EpochEnd {
  LeaderEpoch epoch = kNoLeaderEpoch;
  Offset end_offset = kNoOffset;
  bool operator==(const EpochEnd&) const = default;
};

class LeaderEpochCache {
 public:
  // A batch of `epoch` starts at `start_offset`. Entries that contradict it (an epoch or start at or above)
  // go. Changes nothing (false) for the latest epoch again, and for a batch without an epoch.
  bool assign(LeaderEpoch epoch, Offset start_offset);

  // The largest epoch at or below `requested`, and where it ends: where the first epoch above `requested`
  // starts, or the log's end for the latest. Below the earliest: (requested, the earliest's start).
  // Undefined: above the latest, or nothing is known.
  [[nodiscard]] EpochEnd end_offset_for(LeaderEpoch requested, Offset log_end) const;
  [[nodiscard]] std::optional<LeaderEpoch> epoch_for_offset(Offset offset) const;
  [[nodiscard]] std::optional<EpochEntry> latest() const;
  [[nodiscard]] std::optional<EpochEntry> earliest() const;

  // The log ends at `end`: removes the epochs that start there or above.
  void truncate_from_end(Offset end);
  // The log starts at `start`: removes the epochs that end there or below; the one that holds `start` begins
  // there.
  void truncate_from_start(Offset start);
  void clear() { entries_.clear(); }

  [[nodiscard]] std::span<const EpochEntry> entries() const { return entries_; }
  bool operator==(const LeaderEpochCache&) const = default;

 private:
  std::vector<EpochEntry> entries_;  // Invariant: epochs and start offsets both rise
};

// Kafka's leader-epoch-checkpoint, version 0: lines of text.
[[nodiscard]] std::string encode_leader_epoch_checkpoint(const LeaderEpochCache& cache);
// Error (corruption): anything but what Kafka would read and this cache can hold. An empty file is empty.
Result<LeaderEpochCache> parse_leader_epoch_checkpoint(std::string_view text);

}  // namespace tidemark::storage
