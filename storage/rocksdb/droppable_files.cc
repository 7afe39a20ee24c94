#include "storage/rocksdb/droppable_files.h"

#include <utility>

namespace tidemark::storage {
namespace {

using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class DroppableFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  DroppableFile(DroppableFiles& files, std::unique_ptr<FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)), files_(files) {}

  IOStatus Append(const Slice& data, const IOOptions& o, IODebugContext* d) override {
    return attempt([&] { return target()->Append(data, o, d); });
  }
  IOStatus Append(const Slice& data, const IOOptions& o, const rocksdb::DataVerificationInfo& v,
                  IODebugContext* d) override {
    return attempt([&] { return target()->Append(data, o, v, d); });
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t at, const IOOptions& o, IODebugContext* d) override {
    return attempt([&] { return target()->PositionedAppend(data, at, o, d); });
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t at, const IOOptions& o,
                            const rocksdb::DataVerificationInfo& v, IODebugContext* d) override {
    return attempt([&] { return target()->PositionedAppend(data, at, o, v, d); });
  }
  IOStatus Truncate(uint64_t size, const IOOptions& o, IODebugContext* d) override {
    return attempt([&] { return target()->Truncate(size, o, d); });
  }
  IOStatus Flush(const IOOptions& o, IODebugContext* d) override {
    return attempt([&] { return target()->Flush(o, d); });
  }
  IOStatus Sync(const IOOptions& o, IODebugContext* d) override {
    return attempt([&] { return target()->Sync(o, d); });
  }
  IOStatus Fsync(const IOOptions& o, IODebugContext* d) override {
    return attempt([&] { return target()->Fsync(o, d); });
  }
  IOStatus RangeSync(uint64_t at, uint64_t bytes, const IOOptions& o, IODebugContext* d) override {
    return attempt([&] { return target()->RangeSync(at, bytes, o, d); });
  }
  IOStatus Close(const IOOptions& o, IODebugContext* d) override {
    return files_.absorb(target()->Close(o, d));
  }

 private:
  template <class Write>
  IOStatus attempt(Write write) {
    return files_.dropped() ? IOStatus::OK() : files_.absorb(write());
  }

  DroppableFiles& files_;
};

IOStatus wrap(DroppableFiles& files, IOStatus opened, std::unique_ptr<FSWritableFile>* file) {
  if (opened.ok()) *file = std::make_unique<DroppableFile>(files, std::move(*file));
  if (opened.IsNoSpace()) (void)files.absorb(opened);
  return opened;
}

}  // namespace

IOStatus DroppableFiles::absorb(IOStatus status) {
  if (status.ok()) return status;
  std::unique_lock lock(current_);
  if (dropped_) return IOStatus::OK();
  std::unique_ptr<rocksdb::FSDirectory> folder;
  (void)target()->DeleteFile(folder_ + "/CURRENT", {}, nullptr);
  if (target()->NewDirectory(folder_, {}, &folder, nullptr).ok()) (void)folder->Fsync({}, nullptr);
  dropped_ = true;  // only now: what others remove must not come back
  lock.unlock();
  on_drop_(status);
  return IOStatus::OK();
}

IOStatus DroppableFiles::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                         std::unique_ptr<FSWritableFile>* file, IODebugContext* debug) {
  return wrap(*this, target()->NewWritableFile(path, options, file, debug), file);
}

IOStatus DroppableFiles::ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                            std::unique_ptr<FSWritableFile>* file, IODebugContext* debug) {
  return wrap(*this, target()->ReopenWritableFile(path, options, file, debug), file);
}

IOStatus DroppableFiles::ReuseWritableFile(const std::string& path, const std::string& old_path,
                                           const rocksdb::FileOptions& options,
                                           std::unique_ptr<FSWritableFile>* file, IODebugContext* debug) {
  return wrap(*this, target()->ReuseWritableFile(path, old_path, options, file, debug), file);
}

IOStatus DroppableFiles::RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                                    IODebugContext* debug) {
  const std::lock_guard lock(current_);
  return dropped_ ? IOStatus::OK() : target()->RenameFile(from, to, options, debug);
}

}  // namespace tidemark::storage
