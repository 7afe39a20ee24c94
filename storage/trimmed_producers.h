// `partition.producers` in a partition's folder: what is known of idempotent producers from records that were
// deleted (retention, DeleteRecords). No segment tells it any more, so it is not derived and does not go into
// the KeyValueStore: without it, a client that sends a deleted batch again would find it appended twice.
// Written, synced, before the segments go. The content is a producer snapshot of the batches below its
// offset, which is a segment's base. Blocking.
#pragma once

#include <optional>

#include "storage/file.h"
#include "storage/producer_snapshot.h"

namespace tidemark::storage {

inline constexpr std::string_view kTrimmedProducersName = "partition.producers";

// Durable on return, and whole or as before after a crash. no_space: then there is none, not even an older
// one, whose gaps would refuse a producer that goes on.
Result<void> write_trimmed_producers(FileSystem& files, const std::string& folder, const DerivedFrom& from,
                                     const ProducerState& producers);
// nullopt: there is none of this log. Error: corruption, or the disk.
Result<std::optional<ProducerSnapshot>> read_trimmed_producers(FileSystem& files, const std::string& folder,
                                                               LogId log, runtime::WallTime now);
// The same after the log was cut to `end`: nothing it tells is from behind that, and it is so durably.
Result<std::optional<ProducerSnapshot>> cut_trimmed_producers(FileSystem& files, const std::string& folder,
                                                              LogId log, Offset end, runtime::WallTime now);

}  // namespace tidemark::storage
