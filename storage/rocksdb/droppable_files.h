// The files below a RocksDB database that may be given up. RocksDB ends the process when it writes to a file
// behind a failed write (an assertion), and a full disk or a bad one must not do that to a node. So the first
// write that fails drops the database: from then on writes are taken and go nowhere, and the next open begins
// anew, because the file that names the database's newest state is gone. What was in it is derived. Internal
// to rocksdb_store.cc.
#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>

namespace tidemark::storage {

class DroppableFiles : public rocksdb::FileSystemWrapper {
 public:
  // `on_drop` is called once, on whichever thread sees the failure.
  DroppableFiles(std::string folder, std::function<void(const rocksdb::IOStatus&)> on_drop)
      : FileSystemWrapper(rocksdb::FileSystem::Default()),
        folder_(std::move(folder)),
        on_drop_(std::move(on_drop)) {}

  [[nodiscard]] bool dropped() const { return dropped_; }
  // What a write's failure becomes: none.
  rocksdb::IOStatus absorb(rocksdb::IOStatus status);

  [[nodiscard]] const char* Name() const override { return "TidemarkDroppableFiles"; }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReuseWritableFile(const std::string& path, const std::string& old_path,
                                      const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  // A database that was dropped gets no new state.
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;

 private:
  const std::string folder_;
  const std::function<void(const rocksdb::IOStatus&)> on_drop_;
  std::mutex current_;  // of the file CURRENT's coming and going
  std::atomic<bool> dropped_ = false;
};

}  // namespace tidemark::storage
