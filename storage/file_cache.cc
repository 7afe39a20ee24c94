#include "storage/file_cache.h"

#include <vector>

namespace tidemark::storage {

Result<std::shared_ptr<File>> FileCache::get(const std::string& path, bool create) {
  uint64_t forgotten = 0;
  {
    const std::lock_guard lock(mutex_);
    if (auto open = find_locked(path)) return open;
    forgotten = forgotten_;
  }
  // Opened outside the lock: a stalling disk must not stop the other lanes. Two that race open it twice, and
  // one wins.
  TRY_ASSIGN(auto opened, files_.open(path, create ? OpenMode::create : OpenMode::read_write));
  std::shared_ptr<File> file(std::move(opened));
  std::shared_ptr<File> evicted;  // closed after the lock
  const std::lock_guard lock(mutex_);
  if (auto open = find_locked(path)) return open;
  // The file may have lost its name since: whoever asks for the name next wants another one.
  if (forgotten != forgotten_) return file;
  order_.push_front(Entry{path, file});
  by_path_.emplace(order_.front().path, order_.begin());
  if (order_.size() > max_open_) {
    by_path_.erase(order_.back().path);
    evicted = std::move(order_.back().file);
    order_.pop_back();
  }
  return file;
}

std::shared_ptr<File> FileCache::find_locked(const std::string& path) {
  const auto it = by_path_.find(path);
  if (it == by_path_.end()) return nullptr;
  order_.splice(order_.begin(), order_, it->second);
  return it->second->file;
}

std::shared_ptr<File> FileCache::find(const std::string& path) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  return lock ? find_locked(path) : nullptr;
}

void FileCache::forget(const std::string& path) {
  std::list<Entry>
      closing;  // after the lock: the last close of a removed file frees its space, which may take long
  const std::lock_guard lock(mutex_);
  ++forgotten_;
  auto it = by_path_.find(path);
  if (it == by_path_.end()) return;
  const auto entry = it->second;
  by_path_.erase(it);
  closing.splice(closing.end(), order_, entry);
}

void FileCache::forget_folder(std::string_view folder) {
  std::list<Entry> closing;  // as above
  const std::lock_guard lock(mutex_);
  ++forgotten_;
  for (auto it = order_.begin(); it != order_.end();) {
    const auto entry = it++;
    const bool inside = entry->path.size() > folder.size() && entry->path.starts_with(folder) &&
                        entry->path[folder.size()] == '/';
    if (!inside) continue;
    by_path_.erase(entry->path);
    closing.splice(closing.end(), order_, entry);
  }
}

bool FileCache::give_back() {
  std::vector<std::shared_ptr<File>> closing;  // after the lock
  const std::lock_guard lock(mutex_);
  for (size_t keep = order_.size() / 2; order_.size() > keep; order_.pop_back()) {
    by_path_.erase(order_.back().path);
    closing.push_back(std::move(order_.back().file));
  }
  return !closing.empty();
}

size_t FileCache::open_files() const {
  const std::lock_guard lock(mutex_);
  return order_.size();
}

}  // namespace tidemark::storage
