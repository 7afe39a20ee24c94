// The disk of one simulated machine. It outlives the processes that use it: a killed process leaves what it
// wrote as the process saw it, a power cut keeps any subset of what was not synced (sectors, sizes and
// directory operations, each for itself). Every operation is counted, costs virtual time that the lane which
// runs it accounts for, and may be the one at which a crash strikes. All draws come from one seed.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/runtime/random.h"
#include "protocol/runtime/time.h"
#include "storage/file.h"
#include "tests/simulation/fault_counters.h"
#include "tests/simulation/sim_inode.h"
#include "tests/simulation/trace_hash.h"

namespace tidemark::simulation {

// Thrown out of the disk operation at which the process dies. Nothing but SimLane and the world catches it.
struct SimCrash {};

enum class DiskOp : uint8_t {
  open,
  read,
  write,
  sync,
  truncate,
  size,
  reserve,
  rename,
  remove,
  create_dir,
  sync_dir,
  sync_all,
  list,
  exists,
  space,
  lock,
  kv_read,
  kv_write,
  kv_sync,
};
[[nodiscard]] std::string_view disk_op_name(DiskOp op);
inline constexpr size_t kDiskOps = static_cast<size_t>(DiskOp::kv_sync) + 1;

// How hostile the disk is; changed by the world at any time.
struct DiskFaults {
  double sync_fails = 0;    // per sync
  double read_fails = 0;    // per read: EIO
  double write_fails = 0;   // per write: EIO
  double distrusts = 0;     // per first sync of everything: it is told of what is older
  double stalls = 0;        // per operation: it takes up to longest_stall
  std::string fails_under;  // only files below this folder fail; empty: all do
  double writes_back = 0;   // per write: the system writes some sectors of that file by itself
  double slowness = 1;      // factor on every cost
  runtime::Duration longest_stall = std::chrono::seconds(5);
};

class SimDisk {
 public:
  SimDisk(uint64_t seed, FaultCounters& counters, TraceHash* trace = nullptr);
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  DiskFaults faults;
  // All files together may take this much; may drop below what is taken.
  static constexpr uint64_t kNoQuota = uint64_t{1} << 40;
  uint64_t quota_bytes = kNoQuota;
  void stop_errors() {
    faults.sync_fails = faults.write_fails = faults.read_fails = 0;
    faults.fails_under.clear();
  }
  // Whole, fast and with room again.
  void heal() {
    stop_errors();
    faults.stalls = 0;
    faults.slowness = 1;
    quota_bytes = kNoQuota;
  }

  // Whether a folder can be synced as a whole; but not what has this in its path.
  bool syncs_whole = false;
  std::string elsewhere;

  [[nodiscard]] bool is_elsewhere(const std::string& path) const {
    return !elsewhere.empty() && path.find(elsewhere) != std::string::npos;
  }
  // What a seed says of these.
  void draw_whole_syncs(uint64_t seed) {
    runtime::SeededRandom random(seed ^ 0x5F5F);
    syncs_whole = random.chance(0.6);
    if (random.chance(0.3)) elsewhere = "/topic1-";
    faults.distrusts = 0.1;
  }

  // How long operations have stalled, all together.
  [[nodiscard]] runtime::Duration stalled() const { return stalled_; }
  [[nodiscard]] uint64_t used_bytes() const { return used_; }
  [[nodiscard]] uint64_t operations() const { return operations_; }
  [[nodiscard]] uint64_t operations(DiskOp op) const { return by_op_[static_cast<size_t>(op)]; }

  // The process dies at the `countdown`-th operation from now (1: the next one); 0: never.
  // With a `suffix`: of the syncs of files whose names end so, and of the renamings to such names.
  void crash_at(uint64_t countdown, std::string_view suffix = {}) {
    countdown_ = countdown;
    counted_names_ = suffix;
  }
  // True from the throw of SimCrash until the crash is carried out; operations do nothing meanwhile.
  [[nodiscard]] bool dying() const { return dying_; }

  // The process has stopped in order. REQUIRES: none of its File objects is left.
  void exit_process();
  // The process is gone; what it wrote is as it saw it. REQUIRES: none of its File objects is left.
  void crash_process();
  // The machine lost power. REQUIRES: as above.
  void crash_power();
  // What the next power cuts leave, where nobody wants it drawn as they come: draws begin anew at `seed`, and
  // with `keeps_nothing` nothing that was not synced survives.
  struct PowerCut {
    uint64_t seed = 0;
    bool keeps_nothing = false;
  };
  std::optional<PowerCut> power_cut;
  // Called in crash_power(): for what else lives on this machine (the key-value store).
  std::vector<std::function<void(runtime::Random&)>> on_power_crash;

  // Told of every operation, for a run that is looked at.
  std::function<void(DiskOp op, std::string_view path, uint64_t position, uint64_t bytes)> on_operation;

  // What the operations since the last call cost. The lane that runs them calls it.
  runtime::Duration take_cost() { return std::exchange(cost_, runtime::Duration(0)); }

  // Damage, done behind the process's back: a file or folder goes; or all that is in a folder.
  void remove_tree(const std::string& path);
  void empty_folder(const std::string& path);
  // Flips one bit of synced content; the path and position, or nothing if there is no such byte, or if
  // `may_hit` does not want it.
  struct Flip {
    std::string path;
    uint64_t position;
  };
  using MayHit = std::function<bool(std::span<const std::byte> content, uint64_t position)>;
  std::optional<Flip> flip_bit(const std::function<bool(const std::string& path)>& filter,
                               const MayHit& may_hit = {});
  // Every file, in order of their paths, as seen.
  [[nodiscard]] std::vector<std::string> all_files() const;
  [[nodiscard]] bool holds(std::string_view path) const { return find(path) != nullptr; }

  // For SimFileSystem, SimFile and SimKeyValueStore: counts, draws the cost, and strikes if it is time.
  // `before_crash` does a part of the operation if the crash comes in its middle.
  void operation(DiskOp op, std::string_view path, uint64_t position, uint64_t bytes,
                 const std::function<void()>& before_crash = {});
  // Draws whether a fault of this rate strikes now.
  bool strikes(double rate, uint64_t& counter);
  // The same for an error, which may be some folder's alone.
  bool fails(double rate, uint64_t& counter, std::string_view path) {
    return path.starts_with(faults.fails_under) && strikes(rate, counter);
  }

 private:
  friend class SimFileSystem;
  friend class SimFile;
  friend class SimWholeSync;

  struct DirOp {
    // A create has no `from`, a remove no `to`.
    std::shared_ptr<SimInode> from_dir;
    std::string from;
    std::shared_ptr<SimInode> to_dir;
    std::string to;
    std::shared_ptr<SimInode> inode;
  };

  std::shared_ptr<SimInode> find(std::string_view path) const;
  // The folder of `path` and the last part of its name; null if the folder is not there.
  std::pair<std::shared_ptr<SimInode>, std::string> find_parent(std::string_view path) const;
  void link(const std::shared_ptr<SimInode>& dir, const std::string& name,
            const std::shared_ptr<SimInode>& inode);
  void unlink(const std::shared_ptr<SimInode>& dir, const std::string& name);
  void record(DirOp op) { dir_ops_.push_back(std::move(op)); }
  void sync_entries(const std::shared_ptr<SimInode>& dir);
  // Below that folder: each file with this probability, and the names that changed first.
  void sync_all(const std::string& folder, double part);
  // Some of it is lost; the rest is synced.
  void fail_sync_all(const std::string& folder);
  static void apply(const DirOp& op);
  // Takes disk space for the file up to `end`; false: the disk is full, and nothing was taken.
  bool allocate(SimInode& inode, uint64_t end);
  void lose(const std::shared_ptr<SimInode>& dir, const std::string& name);
  void release(SimInode& inode, uint64_t size);
  void closed(SimInode& inode);
  void recount();
  void forget_handles();

  runtime::SeededRandom random_;
  TraceHash* trace_;
  std::shared_ptr<SimInode> root_ = std::make_shared<SimInode>(true);
  std::deque<DirOp> dir_ops_;  // not synced, oldest first
  uint64_t used_ = 0;
  uint64_t handles_ = 0;
  uint64_t operations_ = 0;
  std::array<uint64_t, kDiskOps> by_op_{};
  uint64_t countdown_ = 0;
  std::string counted_names_;
  bool dying_ = false;
  runtime::Duration cost_{0};
  runtime::Duration stalled_{0};

  struct Counts {
    uint64_t& process_crash;
    uint64_t& power_crash;
    uint64_t& crash_in_operation;
    uint64_t& sectors_lost;
    uint64_t& sectors_kept;
    uint64_t& torn_file;
    uint64_t& size_lost;
    uint64_t& zeros_exposed;
    uint64_t& entry_lost;
    uint64_t& entry_kept;
    uint64_t& sync_failed;
    uint64_t& synced_whole;
    uint64_t& read_failed;
    uint64_t& write_failed;
    uint64_t& stalled;
    uint64_t& wrote_back;
    uint64_t& full;
    uint64_t& bit_flipped;
    uint64_t& tree_removed;
    uint64_t& folder_emptied;
  };
  Counts counts_;
};

}  // namespace tidemark::simulation
