// One data folder of this node, as placement, DescribeLogDirs and the metrics see it: its path, its id, its
// disk's space, and whether it has failed. The state is set on shard 0's loop, and read by any thread.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "protocol/ids.h"
#include "protocol/runtime/lane.h"
#include "storage/file.h"

namespace tidemark::broker {

class FolderInfo {
 public:
  // All outlive it.
  FolderInfo(std::string path, storage::FileSystem& files, runtime::Lane& lane)
      : path_(std::move(path)), files_(files), lane_(lane) {}

  [[nodiscard]] const std::string& path() const { return path_; }
  // Kafka's directory id. Zero: the folder could not be opened. Constant once the node serves.
  [[nodiscard]] const Uuid& id() const { return id_; }
  void set_id(const Uuid& id) { id_ = id; }
  // It takes no write any more in this life, or could not be opened at all.
  [[nodiscard]] bool offline() const { return offline_.load(std::memory_order_acquire); }
  void set_offline() { offline_.store(true, std::memory_order_release); }

  // A journal of it has been waiting for its disk for some time, or goes on. Any thread.
  void set_stalled(bool stalled) { stalled_.fetch_add(stalled ? 1 : -1, std::memory_order_relaxed); }
  // When the disk was asked for its space; kNever: it has answered.
  void set_asked(runtime::MonoTime when) { asked_.store(when, std::memory_order_relaxed); }
  // Whether its disk may not answer. Any thread.
  static constexpr runtime::Duration kSilent = std::chrono::seconds(5);
  [[nodiscard]] bool stalled(runtime::MonoTime now) const {
    return stalled_.load(std::memory_order_relaxed) > 0 ||
           asked_.load(std::memory_order_relaxed) < now - kSilent;
  }

  // Asks the disk, and remembers. Any loop.
  runtime::Task<Result<storage::DiskSpace>> space(runtime::Scheduler& home) {
    auto work = [this]() -> Result<storage::DiskSpace> {
      TRY_ASSIGN(const storage::DiskSpace space, files_.space(path_));
      total_.store(space.total, std::memory_order_relaxed);
      free_.store(space.available, std::memory_order_relaxed);
      return space;
    };
    return runtime::on_lane(lane_, home, std::move(work));
  }
  // As it was asked last. Any thread.
  [[nodiscard]] uint64_t free_bytes() const { return free_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t total_bytes() const { return total_.load(std::memory_order_relaxed); }

 private:
  const std::string path_;
  storage::FileSystem& files_;
  runtime::Lane& lane_;
  Uuid id_;
  std::atomic<bool> offline_{false};
  std::atomic<int> stalled_{0};  // journals
  std::atomic<runtime::MonoTime> asked_{runtime::kNever};
  std::atomic<uint64_t> free_{0};
  std::atomic<uint64_t> total_{0};
};

// In the order of `log.dirs`; the first holds the metadata log.
using FolderInfos = std::vector<std::shared_ptr<FolderInfo>>;

}  // namespace tidemark::broker
