// FileSystem on POSIX calls: the production side of the seam. Any lane may call it. What it opens is not
// inherited by child processes.
#pragma once

#include "storage/file.h"

namespace tidemark::storage {

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> create_dir(const std::string& path) override;
  Result<void> sync_dir(const std::string& path) override;
  Result<std::vector<DirEntry>> list(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<DiskSpace> space(const std::string& path) override;
  // An flock on the file, which then holds the process's id, so that the loser can name the holder.
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
  // syncfs(2), on local file systems and kernels that report failures by it.
  std::unique_ptr<WholeSync> whole_sync(const std::string& folder, const std::string& own_file) override;
  void on_no_descriptors(std::function<bool()> give_back) override { give_back_ = std::move(give_back); }

 private:
  [[nodiscard]] int open_descriptor(const std::string& path, int flags, unsigned mode = 0) const;

  std::function<bool()> give_back_;
};

}  // namespace tidemark::storage
