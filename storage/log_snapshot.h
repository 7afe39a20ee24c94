// A log's snapshot: what a checkpoint leaves of its derived state in the key-value store, so that the next
// start reads only what came later. Never needed: a start without it reads the log.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/log.h"

namespace tidemark::storage {

// The derived state of one log at one offset (durability.md, rule 12), as the key-value store holds it.
struct LogSnapshot {
  LogId log;
  Offset offset;        // of everything below: from here on recovery reads the segments
  LeaderEpoch epoch;    // of the last record below `offset`
  Offset segment_base;  // where `offset` lies, or would
  uint64_t position = 0;
  SavedIndexes indexes;   // of that segment
  std::string epochs;     // leader-epoch-checkpoint text
  std::string producers;  // producer snapshot
};
[[nodiscard]] std::string snapshot_key(LogId log);
[[nodiscard]] std::string encode_log_snapshot(const LogSnapshot& snapshot);
// nullopt: not one of ours, or damaged: it is derived again.
[[nodiscard]] std::optional<LogSnapshot> decode_log_snapshot(std::string_view value);

}  // namespace tidemark::storage
