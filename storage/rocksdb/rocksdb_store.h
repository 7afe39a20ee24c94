// KeyValueStore on RocksDB: the production side of the seam, one instance per node. Tuned for little memory,
// not for speed: nothing waits for it. Blocking; the background lane's. RocksDB's headers stay in the .cc.
#pragma once

#include <functional>
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
// has it open, the disk refuses, or a newer release wrote it (format).
//
// A write that fails, on a full disk or a bad one, drops the database: `on_drop` is told why, once and on any
// thread; until the process ends the store is empty and takes writes without effect, and the next open begins
// anew. So nothing that was removed from it can come back.
Result<OpenedStore> open_rocksdb(const std::string& path,
                                 std::function<void(const std::string& reason)> on_drop = {});

}  // namespace tidemark::storage
