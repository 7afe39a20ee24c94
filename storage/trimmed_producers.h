// `partition.producers` in a partition's folder: what is known of idempotent producers from records that were
// deleted (retention, DeleteRecords). No segment tells it any more, so it is not derived and does not go into
// the KeyValueStore: without it, a client that sends a deleted batch again would find it appended twice.
// Written, synced, before the log's start moves. The content is a producer snapshot of the batches wholly
// below its offset, which is the log's start. Blocking.
#pragma once

#include <optional>

#include "storage/file.h"
#include "storage/producer_snapshot.h"

namespace tidemark::storage {

inline constexpr std::string_view kTrimmedProducersName = "partition.producers";

// Durable on return, and whole or as before after a crash. no_space: it is as before.
Result<void> write_trimmed_producers(FileSystem& files, const std::string& folder, const DerivedFrom& from,
                                     const ProducerState& producers);
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
