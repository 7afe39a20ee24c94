// FileSystem on a SimDisk, for one process's life. Errors carry the words of the real one.
#pragma once

#include "tests/simulation/sim_disk.h"

namespace tidemark::simulation {

class SimFileSystem final : public storage::FileSystem {
 public:
  explicit SimFileSystem(SimDisk& disk) : disk_(disk) {}

  Result<std::unique_ptr<storage::File>> open(const std::string& path, storage::OpenMode mode) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> create_dir(const std::string& path) override;
  Result<void> sync_dir(const std::string& path) override;
  Result<std::vector<storage::DirEntry>> list(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<storage::DiskSpace> space(const std::string& path) override;
  std::unique_ptr<storage::WholeSync> whole_sync(const std::string& folder,
                                                 const std::string& own_file) override;
  Result<std::unique_ptr<storage::FileLock>> lock(const std::string& path) override;

 private:
  SimDisk& disk_;
};

}  // namespace tidemark::simulation
