// A log as its folder holds it, after the journals were replayed into it: where it ends, and what is derived
// from it. Blocking; runs before the folder serves, for many logs in turn. Reads what the last snapshot does
// not cover, and the whole log where there is none.
#pragma once

#include "storage/journal_replay.h"
#include "storage/key_value_store.h"
#include "storage/log.h"

namespace tidemark::storage {

struct LogRecoveryOptions {
  uint32_t index_interval_bytes = 4096;
  Planted planted = Planted::none;  // DataFolder's
};

struct RecoveryStats {
  uint64_t scanned_bytes = 0;
  uint64_t cut_bytes = 0;  // torn tails that no answer covered
};

// Damage below what was answered for, or bytes that the disk does not give, come back in
// RecoveredLog::damage: the log is there, offline. Error: anything else, a full disk for one.
Result<RecoveredLog> recover_log(FileSystem& files, const std::string& data_folder,
                                 const ReplayedLog& replayed, KeyValueStore* derived,
                                 const LogRecoveryOptions& options, runtime::WallTime now,
                                 RecoveryStats& stats);

}  // namespace tidemark::storage
