// The File and FileSystem seam: everything in the daemon that touches a disk goes through here. Production:
// POSIX; simulator: synced and unsynced sectors, a crash keeps any subset. All calls block: they run in a
// Lane, or before a node serves. Positions and sizes are bytes; paths are absolute or relative to the
// process, with '/' between parts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "protocol/error.h"

namespace tidemark::storage {

class File {
 public:
  virtual ~File() = default;
  // Fills `buffer` from `position`; fewer bytes only at the end of the file.
  virtual Result<size_t> read(uint64_t position, std::span<std::byte> buffer) = 0;
  // The same where nothing has to be waited for: the system holds these bytes in memory. nullopt: it does
  // not, or cannot tell. Any thread, also a shard's.
  virtual std::optional<size_t> read_now(uint64_t /*position*/, std::span<std::byte> /*buffer*/) {
    return std::nullopt;
  }
  // Writes all parts one after the other from `position`; grows the file where needed. Not durable before
  // sync_data().
  virtual Result<void> write(uint64_t position, std::span<const std::span<const std::byte>> parts) = 0;
  // fdatasync: the data and the size are durable after success. A failure is final: what was not synced by
  // then must not be trusted, and a second call proves nothing (durability.md, rule 13).
  virtual Result<void> sync_data() = 0;
  virtual Result<void> truncate(uint64_t size) = 0;
  virtual Result<uint64_t> size() = 0;
  // Takes disk space for [from, from+length) without changing the size: later writes there do not meet a full
  // disk.
  virtual Result<void> reserve(uint64_t from, uint64_t length) = 0;

  Result<void> write(uint64_t position, std::span<const std::byte> bytes) {
    return write(position, std::span<const std::span<const std::byte>>(&bytes, 1));
  }
};

// Held while it lives; the operating system gives it up when the process ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// Syncs the whole file system of a folder in one go: for many files far cheaper than one after the other, but
// it waits for what strangers have written there, too. Any lane; one at a time runs.
class WholeSync {
 public:
  virtual ~WholeSync() = default;
  // True: whatever was written before the call and is covered is durable, names too. False: not known; each
  // file has to be synced. An error is final, as a File's is, for all files.
  virtual Result<bool> sync() = 0;
  // Not where a link or a mount leads elsewhere.
  [[nodiscard]] virtual bool covers(const std::string& folder) = 0;
};

// Logs, from which on it is.
inline constexpr size_t kWholeSyncFrom = 64;

enum class OpenMode : uint8_t {
  read,        // must exist
  read_write,  // must exist
  create,      // read and write, made if missing
};

struct DirEntry {
  std::string name;
  bool is_dir = false;
  uint64_t size = 0;
};

struct DiskSpace {
  uint64_t total = 0;
  uint64_t available = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  // Atomic; replaces `to`. Durable after sync_dir of the folder(s).
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  // A file or an empty folder. One that is not there is no error.
  virtual Result<void> remove(const std::string& path) = 0;
  virtual Result<void> create_dir(const std::string& path) = 0;  // parents too; an existing one is no error
  virtual Result<void> sync_dir(const std::string& path) = 0;
  virtual Result<std::vector<DirEntry>> list(const std::string& path) = 0;  // sorted by name
  virtual Result<bool> exists(const std::string& path) = 0;
  virtual Result<DiskSpace> space(const std::string& path) = 0;
  // `give_back` is called, on any thread, where an open finds no descriptor left: it closes files that nobody
  // uses, and says whether there were any. Then, or after a pause, the open is tried again, as long as it
  // takes: that others have used them up is no failure of the disk. Without it such an open fails. Set while
  // nothing is being opened.
  virtual void on_no_descriptors(std::function<bool()> /*give_back*/) {}
  // Hears of every failure from now on, so it is made before the first write. `own_file`: one of ours in the
  // folder, which is there. Null: this system has none that tells of failures.
  virtual std::unique_ptr<WholeSync> whole_sync(const std::string& /*folder*/,
                                                const std::string& /*own_file*/) {
    return nullptr;
  }
  // Error (kind io, "held by another process") if somebody holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

// Null: there is no such file.
inline Result<std::unique_ptr<File>> open_if_there(FileSystem& files, const std::string& path,
                                                   OpenMode mode) {
  auto file = files.open(path, mode);
  if (file) return file;
  TRY_ASSIGN(const bool exists, files.exists(path));
  if (exists) return fail(file.error());
  return std::unique_ptr<File>();
}

// A longer name may need space; giving space back must not.
inline Result<void> rename_or_remove(FileSystem& files, const std::string& from, const std::string& to) {
  auto gone = files.rename(from, to);
  if (!gone && gone.error().kind() == ErrorKind::no_space) return files.remove(from);
  return gone;
}

// A file, or a folder with the files in it.
inline Result<void> remove_all(FileSystem& files, const std::string& path) {
  if (auto inside = files.list(path)) {
    for (const DirEntry& entry : *inside) TRY(files.remove(path + "/" + entry.name));
  }
  return files.remove(path);
}

}  // namespace tidemark::storage
