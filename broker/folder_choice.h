// Which data folder a partition's log belongs to: at a start, from what the metadata and the folders say, and
// for a new log, from the space that they have. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "protocol/ids.h"

namespace tidemark::broker {

struct FolderState {
  Uuid id;             // Kafka's directory id
  bool online = true;  // it takes logs
  uint64_t free_bytes = 0;
  size_t partitions = 0;  // that it holds
  bool stalled = false;   // a journal of it waits for the disk
};

// The one with the most free space for each partition that it would then hold, so that folders fill at one
// pace whatever their sizes; one that is stalled only if all are. nullopt: none is online.
[[nodiscard]] std::optional<size_t> roomiest(std::span<const FolderState> folders);

// A log of the partition, found in a folder at the start.
struct LogCopy {
  size_t folder = 0;
  bool empty = false;  // it has never held a record
};

struct LogPlace {
  enum class Kind : uint8_t {
    found,      // `copy` is the log
    make,       // there is none yet: in `folder`
    absent,     // the folder that has it, or may have it, is not there
    ambiguous,  // several copies hold records, and the metadata means none of them
  };
  Kind kind = Kind::make;
  size_t copy = 0;  // of `copies`
  size_t folder = 0;
  std::vector<size_t> discard;  // of `copies`: what a creation that did not get to its end has left
};

// `directory`: what the metadata says. Of KIP-858's reserved ids, "lost" means a folder that is not there,
// and the others none yet. A log that stands in another folder than the metadata says was moved there by
// hand, as with Kafka; but never is a log made anew while the folder that may hold its records is away, or
// has lost it. The first folder is the one that a node of one folder has.
[[nodiscard]] LogPlace place_of(const Uuid& directory, std::span<const FolderState> folders,
                                std::span<const LogCopy> copies);

}  // namespace tidemark::broker
