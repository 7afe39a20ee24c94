// `partition.producers` in a partition's folder: what is known of idempotent producers from records that were
// deleted (retention, DeleteRecords). No segment tells it any more, so it is not derived and does not go into
// the KeyValueStore: without it, a client that sends a deleted batch again would find it appended twice.
// The content is a producer snapshot of the batches wholly below its offset, which is the log's start. The
// next one is prepared, synced, before the start moves, and takes its place once it has: what is in force
// never knows more than was deleted, or a truncation could not be taken out of it. Blocking.
#pragma once

#include <optional>

#include "storage/file.h"
#include "storage/producer_snapshot.h"

namespace tidemark::storage {

inline constexpr std::string_view kTrimmedProducersName = "partition.producers";

// Durable on return. no_space: there is none.
Result<void> prepare_trimmed_producers(FileSystem& files, const std::string& folder, const DerivedFrom& from,
                                       const ProducerState& producers);
// What was prepared is in force, durably, whole or as before after a crash.
Result<void> replace_trimmed_producers(FileSystem& files, const std::string& folder);
// At a start: the same, if the log's start has reached what was prepared; otherwise that is removed.
Result<void> settle_trimmed_producers(FileSystem& files, const std::string& folder, LogId log,
                                      Offset log_start, runtime::WallTime now);
// nullopt: there is none of this log. Error: corruption, or the disk.
Result<std::optional<ProducerSnapshot>> read_trimmed_producers(FileSystem& files, const std::string& folder,
                                                               LogId log, runtime::WallTime now);

// For a log that is about to end at `end`, below what is kept (its start lies inside of a batch), or was
// found to: what is kept is from below that. False: the disk is full, and there is none any more.
Result<bool> lower_trimmed_producers(FileSystem& files, const std::string& folder, LogId log, Offset end,
                                     runtime::WallTime now);

// Durable on return.
Result<void> remove_trimmed_producers(FileSystem& files, const std::string& folder);

}  // namespace tidemark::storage
