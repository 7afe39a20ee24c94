// One file or folder of a simulated disk: what the process sees, and how far that is on the platter. A power
// cut keeps any subset of the unsynced 512-byte sectors, and any of the sizes that the file had since its
// last sync. A failed sync leaves its sectors readable and forgotten: the next sync succeeds without them.
// Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "protocol/runtime/random.h"

namespace tidemark::simulation {

inline constexpr uint64_t kSectorBytes = 512;
inline constexpr uint64_t kBlockBytes = 4096;  // disk space is taken in these

inline constexpr uint64_t round_to_blocks(uint64_t bytes) {
  return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

class SimFileContent {
 public:
  // What a power cut did to a file, for the counters.
  struct CrashOutcome {
    uint64_t sectors_kept = 0;
    uint64_t sectors_lost = 0;
    bool size_lost = false;      // not the size that was seen last
    bool zeros_exposed = false;  // the size survived, a sector below it did not
  };

  [[nodiscard]] uint64_t size() const { return seen_.size(); }
  [[nodiscard]] bool dirty() const { return !unsynced_.empty() || sizes_.size() > 1; }
  [[nodiscard]] std::span<const std::byte> seen() const { return seen_; }

  size_t read(uint64_t position, std::span<std::byte> buffer) const;
  void write(uint64_t position, std::span<const std::byte> bytes);
  void truncate(uint64_t size);
  void sync();
  // Some of what was unsynced is written all the same; the rest is forgotten.
  void fail_sync(runtime::Random& random);
  // The system writes some sectors by itself, as it may at any time.
  void write_back(runtime::Random& random);
  CrashOutcome crash(runtime::Random& random);
  // Of all outcomes, the one that keeps nothing: the file is as it was synced last.
  CrashOutcome crash_to_synced();
  // Media damage: one bit of a synced byte changes. False if there is none.
  bool flip_bit(uint64_t position, unsigned bit);

 private:
  struct Unsynced {
    std::array<std::byte, kSectorBytes> platter{};
    bool cut = false;                  // truncated away since the last sync
    size_t kept_bytes = kSectorBytes;  // what lay below every such cut stays
    bool rewritten = false;            // and written again after that
    bool forgotten = false;            // by a failed sync
  };
  using Sectors = std::map<uint64_t, Unsynced>;

  Unsynced& touch(uint64_t sector);
  void resized();
  CrashOutcome crash(runtime::Random& random, double kept, size_t chosen);

  std::vector<std::byte> seen_;
  Sectors unsynced_;                // sectors whose platter content is not (surely) what is seen
  std::vector<uint64_t> sizes_{0};  // the synced size, then each size since
  size_t last_cut_ = 0;             // index in sizes_ of the last truncation to a smaller size; 0: none
};

struct SimInode {
  explicit SimInode(bool dir) : is_dir(dir) {}
  const bool is_dir;
  SimFileContent content;      // files
  uint64_t allocated = 0;      // bytes of disk space taken
  uint32_t handles = 0;        // open File objects
  uint32_t links = 0;          // names that lead here, as seen
  bool failed_unseen = false;  // a sync of the whole disk, which no sync of it told
  bool locked = false;         // by a FileLock
  std::map<std::string, std::shared_ptr<SimInode>> entries;  // folders: as seen
  std::map<std::string, std::shared_ptr<SimInode>> synced;   // folders: as on the platter
};

}  // namespace tidemark::simulation
