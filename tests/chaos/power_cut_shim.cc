// Preloaded into tidemarkd: writes down, in order, what it does to the files below a folder, so that
// power_cut.py can build what a power cut at any point would have left. POWER_CUT_FOLDER names the folder,
// POWER_CUT_LOG the log (outside of it), POWER_CUT_SYNC_US how much longer every sync takes. Once there is a
// file named like the log with ".kill" behind it, the process kills itself: between two records, so none is
// missing.
//
// What changes files happens and is written down under one mutex, so the log's order is the true one, with
// the time at which the call began. A sync runs outside of the mutex and leaves two records: it covers what
// stands before its beginning, and only once its end stands there. Calls that are not modelled abort the
// process; what goes past the C library is found when power_cut.py compares the replayed log with the real
// folder.
#include <dlfcn.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>  // not fcntl.h, whose open() has no third parameter
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

enum Op : uint32_t { kCreate, kMakeDir, kWrite, kTruncate, kRename, kRemove, kSyncBegin, kSyncEnd };

// power_cut.py reads this as '<QQQIIII'; then come `first` and `second` bytes.
struct Record {
  uint64_t time_ns, inode, position;
  uint32_t op, first, second, unused;
};

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
char folder[PATH_MAX];  // empty: nothing is recorded yet
size_t folder_length = 0;
int log_file = -1;
char kill_file[PATH_MAX];
useconds_t sync_us = 0;
std::atomic<uint64_t> syncs{0};

[[noreturn]] void refuse(const char* what, const char* detail) {
  dprintf(2, "power_cut_shim: %s is not modelled: %s\n", what, detail);
  abort();
}

__attribute__((constructor)) void begin() {
  const char* root = getenv("POWER_CUT_FOLDER");
  const char* log = getenv("POWER_CUT_LOG");
  const char* slow = getenv("POWER_CUT_SYNC_US");
  if (root == nullptr || log == nullptr) return;
  if (slow != nullptr) sync_us = static_cast<useconds_t>(atoi(slow));
  log_file =
      static_cast<int>(syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (log_file < 0 || strlen(root) >= sizeof folder) refuse("the log", log);
  snprintf(kill_file, sizeof kill_file, "%s.kill", log);
  folder_length = strlen(root);
  memcpy(folder, root, folder_length + 1);
}

bool is_inside(const char* path) {
  return folder_length > 0 && strncmp(path, folder, folder_length) == 0 &&
         (path[folder_length] == '/' || path[folder_length] == '\0');
}

struct Path {
  char text[PATH_MAX + 1];
  bool inside;
};

// What an open descriptor names; "... (deleted)" if it has no name any more.
Path path_of(int descriptor) {
  char link[32];
  Path path{};
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const int saved = errno;
  if (readlink(link, path.text, PATH_MAX) < 0) path.text[0] = '\0';
  errno = saved;
  path.inside = is_inside(path.text);
  return path;
}

// Absolute; not yet normal.
Path path_at(int dir, const char* name) {
  if (folder_length == 0) return {};
  Path path{};
  if (name[0] == '/') {
    snprintf(path.text, sizeof path.text, "%s", name);
  } else {
    Path base{};
    if (dir != AT_FDCWD) {
      base = path_of(dir);
    } else if (syscall(SYS_getcwd, base.text, PATH_MAX) < 0) {
      refuse("a path", name);
    }
    if (snprintf(path.text, sizeof path.text, "%s/%s", base.text, name) >= PATH_MAX) refuse("a path", name);
  }
  path.inside = is_inside(path.text);
  return path;
}

uint64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

uint64_t inode_of(int descriptor) {
  struct stat status{};
  return fstat(descriptor, &status) == 0 ? status.st_ino : 0;
}

uint64_t inode_of(const char* path) {
  struct stat status{};
  return lstat(path, &status) == 0 ? status.st_ino : 0;
}

// REQUIRES: the mutex is held.
void append(Record record, const void* first, const void* second) {
  const int saved = errno;
  const iovec parts[] = {{&record, sizeof record},
                         {const_cast<void*>(first), record.first},
                         {const_cast<void*>(second), record.second}};
  const auto wanted = static_cast<long>(sizeof record + record.first + record.second);
  if (syscall(SYS_writev, log_file, parts, 3) != wanted) refuse("a full disk", "the log");
  if (access(kill_file, F_OK) == 0) kill(getpid(), SIGKILL);
  errno = saved;
}

void append(Op op, uint64_t time_ns, uint64_t inode, uint64_t position, const char* from = "",
            const char* to = "") {
  append({time_ns, inode, position, op, static_cast<uint32_t>(strlen(from)),
          static_cast<uint32_t>(strlen(to)), 0},
         from, to);
}

struct Locked {
  Locked() {
    pthread_mutex_lock(&mutex);
    time_ns = now();  // later than that of every record there is
  }
  ~Locked() { pthread_mutex_unlock(&mutex); }
  uint64_t time_ns;
};

int opened(int dir, const char* name, int flags, mode_t mode) {
  const auto call = [&] { return static_cast<int>(syscall(SYS_openat, dir, name, flags, mode)); };
  if ((flags & (O_CREAT | O_TRUNC | O_DSYNC)) == 0 && (flags & O_TMPFILE) != O_TMPFILE) return call();
  const Path path = path_at(dir, name);
  if (!path.inside) return call();
  if ((flags & O_DSYNC) != 0 || (flags & O_TMPFILE) == O_TMPFILE)
    refuse("O_SYNC, O_DSYNC or O_TMPFILE", path.text);
  const Locked lock;
  const bool existed = inode_of(path.text) != 0;
  const int file = call();
  if (file < 0) return file;
  if (!existed) append(kCreate, lock.time_ns, inode_of(file), 0, path.text);
  if (existed && (flags & O_TRUNC) != 0) append(kTruncate, lock.time_ns, inode_of(file), 0);
  return file;
}

ssize_t written(int file, const iovec* parts, int count, off_t position, bool positioned) {
  const auto call = [&] {
    return positioned ? syscall(SYS_pwritev, file, parts, count, position, 0L)
                      : syscall(SYS_writev, file, parts, count);
  };
  if (folder_length == 0 || !path_of(file).inside) return call();
  const Locked lock;
  struct stat status{};
  if (fstat(file, &status) != 0) refuse("a write", "fstat");
  if ((syscall(SYS_fcntl, file, F_GETFL) & O_APPEND) != 0) {
    position = status.st_size;
  } else if (!positioned) {
    position = lseek(file, 0, SEEK_CUR);
  }
  const ssize_t taken = call();
  uint64_t left = taken > 0 ? static_cast<uint64_t>(taken) : 0;
  for (int i = 0; i < count && left > 0; ++i) {
    const uint64_t part = parts[i].iov_len < left ? parts[i].iov_len : left;
    append({lock.time_ns, status.st_ino, static_cast<uint64_t>(position), kWrite, static_cast<uint32_t>(part),
            0, 0},
           parts[i].iov_base, nullptr);
    position += static_cast<off_t>(part);
    left -= part;
  }
  return taken;
}

int synced(int file, long number) {
  if (folder_length == 0 || !path_of(file).inside) return static_cast<int>(syscall(number, file));
  const uint64_t inode = number == SYS_syncfs ? 0 : inode_of(file);
  const uint64_t sync = ++syncs;
  {
    const Locked lock;
    append(kSyncBegin, lock.time_ns, inode, sync);
  }
  if (sync_us > 0) usleep(sync_us);
  const auto status = static_cast<int>(syscall(number, file));
  const Locked lock;
  if (status == 0) append(kSyncEnd, lock.time_ns, inode, sync);
  return status;
}

int removed(int dir, const char* name, int flags) {
  const Path path = path_at(dir, name);
  const Locked lock;
  const uint64_t inode = path.inside ? inode_of(path.text) : 0;
  const auto status = static_cast<int>(syscall(SYS_unlinkat, dir, name, flags));
  if (path.inside && status == 0) append(kRemove, lock.time_ns, inode, 0, path.text);
  return status;
}

int renamed(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) {
  const Path old = path_at(from_dir, from);
  const Path target = path_at(to_dir, to);
  if (old.inside != target.inside || (old.inside && flags != 0)) refuse("such a rename", old.text);
  const Locked lock;
  const auto status = static_cast<int>(syscall(SYS_renameat2, from_dir, from, to_dir, to, flags));
  if (old.inside && status == 0)
    append(kRename, lock.time_ns, inode_of(target.text), 0, old.text, target.text);
  return status;
}

int made_dir(int dir, const char* name, mode_t mode) {
  const Path path = path_at(dir, name);
  const Locked lock;
  const auto status = static_cast<int>(syscall(SYS_mkdirat, dir, name, mode));
  if (path.inside && status == 0) append(kMakeDir, lock.time_ns, inode_of(path.text), 0, path.text);
  return status;
}

void refuse_inside(const char* what, int file) {
  const Path path = path_of(file);
  if (path.inside) refuse(what, path.text);
}

void refuse_inside(const char* what, const char* name) {
  const Path path = path_at(AT_FDCWD, name);
  if (path.inside) refuse(what, path.text);
}

bool writes(const char* mode) { return strpbrk(mode, "wa+") != nullptr; }

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

int open(const char* path, int flags, mode_t mode) { return opened(AT_FDCWD, path, flags, mode); }
int open64(const char* path, int flags, mode_t mode) { return opened(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char* path, int flags, mode_t mode) { return opened(dir, path, flags, mode); }
int openat64(int dir, const char* path, int flags, mode_t mode) { return opened(dir, path, flags, mode); }
int __open_2(const char* path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __open64_2(const char* path, int flags) { return opened(AT_FDCWD, path, flags, 0); }

ssize_t write(int file, const void* data, size_t size) {
  const iovec part{const_cast<void*>(data), size};
  return written(file, &part, 1, 0, false);
}
ssize_t writev(int file, const iovec* parts, int count) { return written(file, parts, count, 0, false); }
ssize_t pwritev(int file, const iovec* parts, int count, off_t at) {
  return written(file, parts, count, at, true);
}
ssize_t pwritev64(int file, const iovec* parts, int count, off_t at) {
  return written(file, parts, count, at, true);
}
ssize_t pwrite(int file, const void* data, size_t size, off_t at) {
  const iovec part{const_cast<void*>(data), size};
  return written(file, &part, 1, at, true);
}
ssize_t pwrite64(int file, const void* data, size_t size, off_t at) { return pwrite(file, data, size, at); }

int ftruncate(int file, off_t size) noexcept {
  if (folder_length == 0 || !path_of(file).inside)
    return static_cast<int>(syscall(SYS_ftruncate, file, size));
  const Locked lock;
  const auto status = static_cast<int>(syscall(SYS_ftruncate, file, size));
  if (status == 0) append(kTruncate, lock.time_ns, inode_of(file), static_cast<uint64_t>(size));
  return status;
}
int ftruncate64(int file, off_t size) noexcept { return ftruncate(file, size); }

int fsync(int file) { return synced(file, SYS_fsync); }
int fdatasync(int file) { return synced(file, SYS_fdatasync); }
// Of everything: inode 0.
int syncfs(int file) noexcept { return synced(file, SYS_syncfs); }

int rename(const char* from, const char* to) noexcept { return renamed(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat2(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) noexcept {
  return renamed(from_dir, from, to_dir, to, flags);
}
int unlink(const char* path) noexcept { return removed(AT_FDCWD, path, 0); }
int unlinkat(int dir, const char* path, int flags) noexcept { return removed(dir, path, flags); }
int rmdir(const char* path) noexcept { return removed(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char* path) noexcept {
  const int status = removed(AT_FDCWD, path, 0);
  return status != 0 && errno == EISDIR ? removed(AT_FDCWD, path, AT_REMOVEDIR) : status;
}
int mkdir(const char* path, mode_t mode) noexcept { return made_dir(AT_FDCWD, path, mode); }
int mkdirat(int dir, const char* path, mode_t mode) noexcept { return made_dir(dir, path, mode); }

// sync_file_range promises nothing: it is not even recorded. With KEEP_SIZE, fallocate changes no byte. The
// rest the daemon does not use today; it would have to be modelled.
#define REFUSED(type, name, parameters, arguments, condition, place)                \
  type name parameters {                                                            \
    if (condition) refuse_inside(#name, place);                                     \
    return reinterpret_cast<type(*) parameters>(dlsym(RTLD_NEXT, #name)) arguments; \
  }
#define BOTH(type, name, parameters, arguments, condition, place) \
  REFUSED(type, name, parameters, arguments, condition, place)    \
  REFUSED(type, name##64, parameters, arguments, condition, place)
BOTH(int, fallocate, (int file, int mode, off_t at, off_t size), (file, mode, at, size),
     mode != FALLOC_FL_KEEP_SIZE, file)
BOTH(int, posix_fallocate, (int file, off_t at, off_t size), (file, at, size), true, file)
BOTH(int, truncate, (const char* path, off_t size) noexcept, (path, size), true, path)
BOTH(FILE*, fopen, (const char* path, const char* mode), (path, mode), writes(mode), path)
REFUSED(ssize_t, copy_file_range, (int in, off_t* in_at, int out, off_t* out_at, size_t size, unsigned flags),
        (in, in_at, out, out_at, size, flags), true, out)
REFUSED(int, link, (const char* from, const char* to) noexcept, (from, to), true, to)
REFUSED(int, symlink, (const char* target, const char* path) noexcept, (target, path), true, path)

// Not through dlsym, which may want memory itself.
void* mmap(void* where, size_t size, int protection, int flags, int file, off_t at) noexcept {
  if (file >= 0 && (protection & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0)
    refuse_inside("a shared mapping", file);
  return reinterpret_cast<void*>(syscall(SYS_mmap, where, size, protection, flags, file, at));
}
void* mmap64(void* where, size_t size, int protection, int flags, int file, off_t at) noexcept {
  return mmap(where, size, protection, flags, file, at);
}

}  // extern "C"
#pragma GCC visibility pop
