// KeyValueStore on RocksDB: the production side of the seam, one instance per node. Tuned for little memory,
// not for speed: nothing waits for it. Blocking; the background lane's. RocksDB's headers stay in the .cc.
#pragma once

#include <memory>
#include <string>

#include "storage/key_value_store.h"

namespace tidemark::storage {

struct OpenedStore {
  std::unique_ptr<KeyValueStore> store;
  // Why the database that was there could not be used, and where it lies now; empty if nothing was wrong. The
  // caller logs it.
  std::string set_aside;
};

// Opens the database in the folder `path`, or makes it. A damaged one is moved to `path`.damaged (replacing
// an older one) and begun anew, because it holds only what the logs can give again. Errors: another process
// has it open, the disk is full or refuses, or a newer release wrote it (format).
Result<OpenedStore> open_rocksdb(const std::string& path);

}  // namespace tidemark::storage
