// What an API may ask of the data folder: its path and its disk.
#pragma once

#include <string>

#include "protocol/runtime/lane.h"
#include "storage/file.h"

namespace tidemark::broker {

class FolderInfo {
 public:
  FolderInfo(std::string path, storage::FileSystem& files, runtime::Lane& lane)
      : path_(std::move(path)), files_(files), lane_(lane) {}
  [[nodiscard]] const std::string& path() const { return path_; }
  runtime::Task<Result<storage::DiskSpace>> space(runtime::Scheduler& home) {
    auto work = [files = &files_, path = path_] { return files->space(path); };
    return runtime::on_lane(lane_, home, std::move(work));
  }

 private:
  const std::string path_;
  storage::FileSystem& files_;
  runtime::Lane& lane_;
};

}  // namespace tidemark::broker
