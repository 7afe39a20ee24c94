#include "storage/posix/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "storage/posix/posix_file.h"

namespace tidemark::storage {
namespace {

constexpr mode_t kFileMode = 0640;
constexpr mode_t kFolderMode = 0750;

constexpr auto kPause = std::chrono::milliseconds(20);

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(int descriptor) : descriptor_(descriptor) {}
  PosixLock(const PosixLock&) = delete;
  PosixLock& operator=(const PosixLock&) = delete;
  // Closing gives the lock up. The file stays: removing it would let two processes lock two files of one
  // name.
  ~PosixLock() override { ::close(descriptor_); }

 private:
  const int descriptor_;
};

// Linux reports a failed write of any file once to each descriptor that was open by then, and one that
// nobody was told of to the next descriptor too. So an error of the first call may be old, or not: whom it
// concerns only the files' own syncs tell, and nobody is told twice. A file system may leave the flush of the
// disk out where it has nothing to commit: the sync of a file has it.
class PosixWholeSync final : public WholeSync {
 public:
  PosixWholeSync(int descriptor, std::unique_ptr<File> own_file, dev_t device, std::string folder)
      : folder_(std::move(folder)),
        own_file_(std::move(own_file)),
        descriptor_(descriptor),
        device_(device) {}
  PosixWholeSync(const PosixWholeSync&) = delete;
  PosixWholeSync& operator=(const PosixWholeSync&) = delete;
  ~PosixWholeSync() override { ::close(descriptor_); }

  Result<bool> sync() override {
    const std::lock_guard lock(mutex_);
    if (distrusted_) return false;
    const bool is_first = std::exchange(is_first_, false);
    if (failed_ == 0 && ::syncfs(descriptor_) != 0) {
      distrusted_ = is_first;
      if (distrusted_) return false;
      failed_ = errno;
    }
    if (failed_ != 0) return fail(posix_error(failed_, folder_, "sync the file system"));
    TRY(own_file_->sync_data());
    return true;
  }
  [[nodiscard]] bool covers(const std::string& folder) override {
    struct stat status{};
    return ::stat(folder.c_str(), &status) == 0 && status.st_dev == device_;
  }

 private:
  const std::string folder_;
  const std::unique_ptr<File> own_file_;
  const int descriptor_;
  const dev_t device_;
  std::mutex mutex_;
  bool is_first_ = true;
  bool distrusted_ = false;
  int failed_ = 0;  // errno
};

// syncfs() returns the errors of writing back since Linux 5.8, and those of the commit since 5.17.
bool syncfs_tells() {
  utsname system{};
  int major = 0;
  int minor = 0;
  if (::uname(&system) != 0 || std::sscanf(system.release, "%d.%d", &major, &minor) != 2) return false;
  return major > 5 || (major == 5 && minor >= 17);
}

// What somebody has set wrong, and no disk's failure.
Error owners_error(int code, const std::string& path, const char* verb) {
  Error error = posix_error(code, path, verb);
  const bool is_set = code == EACCES || code == EPERM || code == ENOTDIR;
  return is_set ? Error::config(error.message()) : error;
}

// The process id that a lock file holds; empty if it holds none.
std::string holder(int descriptor) {
  std::array<char, 20> text{};
  const ssize_t n = ::pread(descriptor, text.data(), text.size(), 0);
  const std::string_view read(text.data(), n > 0 ? static_cast<size_t>(n) : 0);
  const auto end = std::find_if(read.begin(), read.end(), [](char c) { return c < '0' || c > '9'; });
  return {read.begin(), end};
}

}  // namespace

int PosixFileSystem::open_descriptor(const std::string& path, int flags, unsigned mode) const {
  while (true) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (descriptor >= 0 || (errno != EINTR && errno != EMFILE && errno != ENFILE)) return descriptor;
    if (errno == EINTR) continue;
    if (!give_back_) return descriptor;
    if (!give_back_()) std::this_thread::sleep_for(kPause);
  }
}

Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path, OpenMode mode) {
  int flags = O_RDWR;
  if (mode == OpenMode::read) flags = O_RDONLY;
  if (mode == OpenMode::create) flags = O_RDWR | O_CREAT;
  const int descriptor = open_descriptor(path, flags, kFileMode);
  if (descriptor < 0) return fail(posix_error(errno, path, "open"));
  return std::make_unique<PosixFile>(descriptor, path);
}

Result<void> PosixFileSystem::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return fail(posix_error(errno, fmt::format("{} to {}", from, to), "rename"));
  return {};
}

Result<void> PosixFileSystem::remove(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  // unlink() of a folder: EISDIR on Linux, EPERM in POSIX.
  const int code = errno;
  if ((code == EISDIR || code == EPERM) && (::rmdir(path.c_str()) == 0 || errno == ENOENT)) return {};
  return fail(posix_error(code == EISDIR ? errno : code, path, "remove"));
}

Result<void> PosixFileSystem::create_dir(const std::string& path) {
  if (::mkdir(path.c_str(), kFolderMode) == 0) return {};
  if (errno == ENOENT) {
    const size_t end = path.find_last_not_of('/');
    const size_t slash = path.rfind('/', end);
    if (slash == std::string::npos || slash == 0) return fail(posix_error(ENOENT, path, "create the folder"));
    TRY(create_dir(path.substr(0, slash)));
    if (::mkdir(path.c_str(), kFolderMode) == 0) return {};
  }
  const int code = errno;
  struct stat status{};
  if (code == EEXIST && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
  return fail(owners_error(code, path, "create the folder"));
}

Result<void> PosixFileSystem::sync_dir(const std::string& path) {
  const int descriptor = open_descriptor(path, O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return fail(posix_error(errno, path, "open the folder"));
  const int failed = ::fsync(descriptor);
  const int code = errno;
  ::close(descriptor);
  if (failed != 0) return fail(posix_error(code, path, "sync the folder"));
  return {};
}

std::unique_ptr<WholeSync> PosixFileSystem::whole_sync(const std::string& folder,
                                                       const std::string& own_file) {
  if (!syncfs_tells()) return nullptr;
  auto file = open(own_file, OpenMode::read_write);
  if (!file) return nullptr;
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0) return nullptr;
  const int descriptor = open_descriptor(folder, O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return nullptr;
  auto whole = std::make_unique<PosixWholeSync>(descriptor, std::move(*file), status.st_dev, folder);
  struct statfs system{};
  if (::fstatfs(descriptor, &system) != 0 || !whole->covers(own_file)) return nullptr;
  switch (static_cast<uint64_t>(system.f_type)) {
    case TMPFS_MAGIC:
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC: return whole;
    default: return nullptr;  // overlays and networks are not known to tell
  }
}

Result<std::vector<DirEntry>> PosixFileSystem::list(const std::string& path) {
  const int descriptor = open_descriptor(path, O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return fail(posix_error(errno, path, "list"));
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(descriptor), ::closedir);
  if (!dir) return fail(posix_error(errno, path, "list"));
  std::vector<DirEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) {
      if (errno != 0) return fail(posix_error(errno, path, "list"));
      break;
    }
    const std::string_view name(entry->d_name);
    if (name == "." || name == "..") continue;
    if (entry->d_type == DT_DIR) {  // also where the disk gives nothing else of it
      entries.push_back({std::string(name), true, 0});
      continue;
    }
    struct stat status{};
    if (::fstatat(::dirfd(dir.get()), entry->d_name, &status, 0) != 0) {
      if (errno == ENOENT) continue;  // removed meanwhile, or a dangling link
      return fail(posix_error(errno, fmt::format("{}/{}", path, name), "stat"));
    }
    const bool is_dir = S_ISDIR(status.st_mode);
    entries.push_back({std::string(name), is_dir, is_dir ? 0 : static_cast<uint64_t>(status.st_size)});
  }
  std::sort(entries.begin(), entries.end(),
            [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
  return entries;
}

Result<bool> PosixFileSystem::exists(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return fail(posix_error(errno, path, "stat"));
}

Result<DiskSpace> PosixFileSystem::space(const std::string& path) {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0) return fail(posix_error(errno, path, "read the free space"));
  return DiskSpace{static_cast<uint64_t>(status.f_blocks) * status.f_frsize,
                   static_cast<uint64_t>(status.f_bavail) * status.f_frsize};
}

Result<std::unique_ptr<FileLock>> PosixFileSystem::lock(const std::string& path) {
  const int descriptor = open_descriptor(path, O_RDWR | O_CREAT, kFileMode);
  if (descriptor < 0) return fail(owners_error(errno, path, "open"));
  auto lock = std::make_unique<PosixLock>(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail(posix_error(errno, path, "lock"));
    const std::string pid = holder(descriptor);
    if (pid == std::to_string(::getpid()))
      return fail(Error::config(fmt::format("{} is held by this process: one folder has two names", path)));
    return fail(
        Error::config(fmt::format("{} is held by another process{}: stop it, or use another --data-dir", path,
                                  pid.empty() ? "" : fmt::format(" (pid {})", pid))));
  }
  // Only words for a human: a failure to write them is no reason not to start.
  const std::string text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(descriptor, 0) == 0) (void)!::pwrite(descriptor, text.data(), text.size(), 0);
  return lock;
}

}  // namespace tidemark::storage
