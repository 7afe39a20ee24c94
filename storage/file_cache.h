// Open segment files, least recently used first to close. One per node; the lanes of its folders share it, so
// it has the only lock in storage/. A file that somebody still holds stays open after it leaves the cache.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "storage/file.h"

namespace tidemark::storage {

class FileCache {
 public:
  FileCache(FileSystem& files, size_t max_open) : files_(files), max_open_(max_open) {}

  // Any lane. `create`: made if missing.
  Result<std::shared_ptr<File>> get(const std::string& path, bool create = false);
  // If it is open, and nobody else is at the cache: never waits.
  [[nodiscard]] std::shared_ptr<File> find(const std::string& path);
  // After (not before) a file was removed or its folder renamed.
  void forget(const std::string& path);
  void forget_folder(std::string_view folder);
  // Closes the half that was used least recently; false if there is nothing to close.
  bool give_back();
  [[nodiscard]] size_t open_files() const;

 private:
  struct Entry {
    std::string path;
    std::shared_ptr<File> file;
  };
  [[nodiscard]] std::shared_ptr<File> find_locked(const std::string& path);

  FileSystem& files_;
  const size_t max_open_;
  mutable std::mutex mutex_;
  uint64_t forgotten_ = 0;  // calls of forget() and forget_folder()
  std::list<Entry> order_;  // newest first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_path_;
};

}  // namespace tidemark::storage
