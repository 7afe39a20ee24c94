#include "tests/simulation/sim_file_system.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace tidemark::simulation {
namespace {

using storage::DirEntry;
using storage::OpenMode;

constexpr size_t kMaxName = 255;  // bytes, as everywhere

Unexpected refuse(int code, const std::string& path, const char* verb) {
  std::string message = fmt::format("{}: cannot {}: {}", path, verb, std::generic_category().message(code));
  return fail(code == ENOSPC ? Error::no_space(std::move(message)) : Error::io(std::move(message)));
}

// While the process dies, what its destructors still ask for does not happen.
Unexpected dead(const std::string& path) { return refuse(EIO, path, "use a dying process's disk"); }

class SimLock final : public storage::FileLock {
 public:
  explicit SimLock(std::shared_ptr<SimInode> inode) : inode_(std::move(inode)) { inode_->locked = true; }
  ~SimLock() override { inode_->locked = false; }
  SimLock(const SimLock&) = delete;
  SimLock& operator=(const SimLock&) = delete;

 private:
  const std::shared_ptr<SimInode> inode_;
};

}  // namespace

class SimWholeSync final : public storage::WholeSync {
 public:
  SimWholeSync(SimDisk& disk, std::string folder) : disk_(disk), folder_(std::move(folder)) {}

  Result<bool> sync() override {
    if (disk_.dying()) return dead(folder_);
    if (distrusted_) return false;
    const bool is_first = std::exchange(is_first_, false);
    disk_.operation(DiskOp::sync_all, folder_, 0, 0, [this] { disk_.sync_all(folder_, 0.5); });
    if (disk_.fails(disk_.faults.sync_fails, disk_.counts_.sync_failed, folder_)) {
      disk_.fail_sync_all(folder_);
      distrusted_ = is_first;
      failed_ = !is_first;
    }
    if (is_first && disk_.random_.chance(disk_.faults.distrusts)) distrusted_ = true;
    if (distrusted_) return false;
    if (failed_) return refuse(EIO, folder_, "sync the disk");
    disk_.sync_all(folder_, 1);
    ++disk_.counts_.synced_whole;
    return true;
  }

  [[nodiscard]] bool covers(const std::string& folder) override {
    return folder.starts_with(folder_) && !disk_.is_elsewhere(folder);
  }

 private:
  SimDisk& disk_;
  const std::string folder_;
  bool is_first_ = true;
  bool distrusted_ = false;
  bool failed_ = false;
};

class SimFile final : public storage::File {
 public:
  SimFile(SimDisk& disk, std::shared_ptr<SimInode> inode, std::string path, bool writable)
      : disk_(disk), inode_(std::move(inode)), path_(std::move(path)), writable_(writable) {
    ++inode_->handles;
    ++disk_.handles_;
  }
  SimFile(const SimFile&) = delete;
  SimFile& operator=(const SimFile&) = delete;
  ~SimFile() override {
    --inode_->handles;
    --disk_.handles_;
    disk_.closed(*inode_);
  }

  using File::write;
  Result<size_t> read(uint64_t position, std::span<std::byte> buffer) override {
    if (disk_.dying()) return dead(path_);
    disk_.operation(DiskOp::read, path_, position, buffer.size());
    if (disk_.fails(disk_.faults.read_fails, disk_.counts_.read_failed, path_))
      return refuse(EIO, path_, "read");
    return inode_->content.read(position, buffer);
  }

  // Takes no time, and never fails.
  std::optional<size_t> read_now(uint64_t position, std::span<std::byte> buffer) override {
    if (disk_.dying() || !disk_.random_.chance(0.5)) return std::nullopt;
    return inode_->content.read(position, buffer);
  }

  Result<void> write(uint64_t position, std::span<const std::span<const std::byte>> parts) override {
    if (disk_.dying()) return dead(path_);
    if (!writable_) return refuse(EBADF, path_, "write");
    uint64_t bytes = 0;
    for (const auto part : parts) bytes += part.size();
    if (bytes == 0) return {};
    const auto write_first = [&](uint64_t count) {
      uint64_t at = position;
      for (const auto part : parts) {
        const uint64_t taken = std::min<uint64_t>(part.size(), count);
        if (!disk_.allocate(*inode_, at + taken)) return;
        inode_->content.write(at, part.first(taken));
        at += taken;
        count -= taken;
      }
    };
    const auto write_some = [&] { write_first(disk_.random_.below(bytes)); };
    disk_.operation(DiskOp::write, path_, position, bytes, write_some);
    if (disk_.fails(disk_.faults.write_fails, disk_.counts_.write_failed, path_)) {
      write_some();
      return refuse(EIO, path_, "write");
    }
    if (!disk_.allocate(*inode_, position + bytes)) {
      write_some();
      return refuse(ENOSPC, path_, "write");
    }
    if (disk_.strikes(disk_.faults.writes_back, disk_.counts_.wrote_back))
      inode_->content.write_back(disk_.random_);
    write_first(bytes);
    return {};
  }

  Result<void> sync_data() override {
    if (disk_.dying()) return dead(path_);
    disk_.operation(DiskOp::sync, path_, 0, 0, [this] { inode_->content.sync(); });
    const bool has_failed = std::exchange(inode_->failed_unseen, false);  // and the first sync is told
    if (disk_.fails(disk_.faults.sync_fails, disk_.counts_.sync_failed, path_) || has_failed) {
      inode_->content.fail_sync(disk_.random_);
      return refuse(EIO, path_, "sync");
    }
    inode_->content.sync();
    return {};
  }

  Result<void> truncate(uint64_t size) override {
    if (disk_.dying()) return dead(path_);
    if (!writable_) return refuse(EINVAL, path_, "truncate");
    const auto cut = [&] {
      inode_->content.truncate(size);
      disk_.release(*inode_, size);
    };
    disk_.operation(DiskOp::truncate, path_, size, 0, cut);
    cut();
    return {};
  }

  Result<uint64_t> size() override {
    if (disk_.dying()) return dead(path_);
    disk_.operation(DiskOp::size, path_, 0, 0);
    return inode_->content.size();
  }

  Result<void> reserve(uint64_t from, uint64_t length) override {
    if (disk_.dying()) return dead(path_);
    if (!writable_) return refuse(EBADF, path_, "reserve");
    if (length == 0) return {};
    disk_.operation(DiskOp::reserve, path_, from, length);
    if (!disk_.allocate(*inode_, from + length)) return refuse(ENOSPC, path_, "reserve");
    return {};
  }

 private:
  SimDisk& disk_;
  const std::shared_ptr<SimInode> inode_;
  const std::string path_;
  const bool writable_;
};

Result<std::unique_ptr<storage::File>> SimFileSystem::open(const std::string& path, OpenMode mode) {
  if (disk_.dying()) return dead(path);
  disk_.operation(DiskOp::open, path, 0, 0);
  auto inode = disk_.find(path);
  if (!inode && mode == OpenMode::create) {
    const auto [dir, name] = disk_.find_parent(path);
    if (dir) {
      inode = std::make_shared<SimInode>(false);
      disk_.link(dir, name, inode);
      disk_.record({nullptr, "", dir, name, inode});
    }
  }
  if (!inode) return refuse(ENOENT, path, "open");
  if (inode->is_dir) return refuse(EISDIR, path, "open");
  return std::make_unique<SimFile>(disk_, std::move(inode), path, mode != OpenMode::read);
}

Result<void> SimFileSystem::rename(const std::string& from, const std::string& to) {
  if (disk_.dying()) return dead(from);
  const std::string both = fmt::format("{} to {}", from, to);
  const auto act = [&]() -> int {
    const auto [from_dir, from_name] = disk_.find_parent(from);
    const auto [to_dir, to_name] = disk_.find_parent(to);
    if (to_name.size() > kMaxName) return ENAMETOOLONG;
    if (!from_dir || !to_dir || !from_dir->entries.contains(from_name)) return ENOENT;
    const auto inode = from_dir->entries.at(from_name);
    if (const auto it = to_dir->entries.find(to_name); it != to_dir->entries.end()) {
      if (it->second == inode) return 0;
      if (it->second->is_dir && !inode->is_dir) return EISDIR;
      if (!it->second->is_dir && inode->is_dir) return ENOTDIR;
      if (!it->second->entries.empty()) return ENOTEMPTY;
    }
    disk_.link(to_dir, to_name, inode);
    disk_.unlink(from_dir, from_name);
    disk_.record({from_dir, from_name, to_dir, to_name, inode});
    return 0;
  };
  disk_.operation(DiskOp::rename, both, 0, 0, [&] { (void)act(); });
  if (const int code = act(); code != 0) return refuse(code, both, "rename");
  return {};
}

Result<void> SimFileSystem::remove(const std::string& path) {
  if (disk_.dying()) return dead(path);
  const auto act = [&]() -> int {
    const auto [dir, name] = disk_.find_parent(path);
    if (!dir || !dir->entries.contains(name)) return 0;
    const auto inode = dir->entries.at(name);
    if (!inode->entries.empty()) return ENOTEMPTY;
    disk_.unlink(dir, name);
    disk_.record({dir, name, nullptr, "", inode});
    return 0;
  };
  disk_.operation(DiskOp::remove, path, 0, 0, [&] { (void)act(); });
  if (const int code = act(); code != 0) return refuse(code, path, "remove");
  return {};
}

Result<void> SimFileSystem::create_dir(const std::string& path) {
  if (disk_.dying()) return dead(path);
  disk_.operation(DiskOp::create_dir, path, 0, 0);
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string prefix = path.substr(0, end);
    if (const auto inode = disk_.find(prefix)) {
      if (!inode->is_dir)
        return refuse(end == std::string::npos ? EEXIST : ENOTDIR, path, "create the folder");
    } else {
      const auto [dir, name] = disk_.find_parent(prefix);
      const auto made = std::make_shared<SimInode>(true);
      disk_.link(dir, name, made);
      disk_.record({nullptr, "", dir, name, made});
    }
    if (end == std::string::npos) return {};
  }
}

Result<void> SimFileSystem::sync_dir(const std::string& path) {
  if (disk_.dying()) return dead(path);
  const auto dir = disk_.find(path);
  if (!dir || !dir->is_dir) return refuse(dir ? ENOTDIR : ENOENT, path, "open the folder");
  disk_.operation(DiskOp::sync_dir, path, 0, 0, [&] { disk_.sync_entries(dir); });
  if (disk_.fails(disk_.faults.sync_fails, disk_.counts_.sync_failed, path))
    return refuse(EIO, path, "sync the folder");
  disk_.sync_entries(dir);
  return {};
}

Result<std::vector<DirEntry>> SimFileSystem::list(const std::string& path) {
  if (disk_.dying()) return dead(path);
  disk_.operation(DiskOp::list, path, 0, 0);
  const auto dir = disk_.find(path);
  if (!dir || !dir->is_dir) return refuse(dir ? ENOTDIR : ENOENT, path, "list");
  std::vector<DirEntry> entries;
  for (const auto& [name, inode] : dir->entries)
    entries.push_back({name, inode->is_dir, inode->is_dir ? 0 : inode->content.size()});
  return entries;
}

Result<bool> SimFileSystem::exists(const std::string& path) {
  if (disk_.dying()) return dead(path);
  disk_.operation(DiskOp::exists, path, 0, 0);
  return disk_.find(path) != nullptr;
}

Result<storage::DiskSpace> SimFileSystem::space(const std::string& path) {
  if (disk_.dying()) return dead(path);
  disk_.operation(DiskOp::space, path, 0, 0);
  if (!disk_.find(path)) return refuse(ENOENT, path, "read the free space");
  const uint64_t used = std::min(disk_.used_bytes(), disk_.quota_bytes);
  return storage::DiskSpace{disk_.quota_bytes, disk_.quota_bytes - used};
}

std::unique_ptr<storage::WholeSync> SimFileSystem::whole_sync(const std::string& folder,
                                                              const std::string& own_file) {
  if (!disk_.syncs_whole || !disk_.find(folder) || !disk_.find(own_file)) return nullptr;
  return std::make_unique<SimWholeSync>(disk_, folder);
}

Result<std::unique_ptr<storage::FileLock>> SimFileSystem::lock(const std::string& path) {
  TRY_ASSIGN(const auto made, open(path, OpenMode::create));
  disk_.operation(DiskOp::lock, path, 0, 0);
  const auto inode = disk_.find(path);
  if (inode->locked) return fail(Error::config(fmt::format("{} is held by another process", path)));
  return std::make_unique<SimLock>(inode);
}

}  // namespace tidemark::simulation
