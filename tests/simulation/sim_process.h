// One life of one process: its loops, its lanes, its view of the disk, and the node that runs on them. A
// crash destroys the node, then drains every queue, dropping jobs unrun, until nothing is left (a destroyed
// job may post another); what remains is the disk. Single-threaded, like all of the world.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "tests/simulation/sim_disk.h"
#include "tests/simulation/sim_file_system.h"
#include "tests/simulation/sim_lane.h"
#include "tests/simulation/virtual_time.h"

namespace tidemark::simulation {

enum class CrashKind : uint8_t {
  kill,   // the system lives: everything written is as it was seen
  power,  // what was not synced is at the mercy of the disk
};

// A life's clock against the one before it.
void declare_clock_counters(FaultCounters& counters);
void count_clock(FaultCounters& counters, const WallHistory& walls, size_t life);

class SimProcess {
 public:
  SimProcess(VirtualTime& time, SimDisk& disk) : time_(time), disk_(disk), files_(disk) {}
  SimProcess(const SimProcess&) = delete;
  SimProcess& operator=(const SimProcess&) = delete;
  // REQUIRES: crashed or exited, or never hosted anything.
  ~SimProcess();

  VirtualScheduler& add_loop(const WallClock& wall_clock = {}, runtime::Duration cross_delay = {});
  SimLane& add_lane(runtime::Duration cross_delay = {});
  [[nodiscard]] storage::FileSystem& files() { return files_; }
  [[nodiscard]] const std::vector<std::unique_ptr<VirtualScheduler>>& loops() const { return loops_; }

  // Makes the node, which dies first. Anything that has to die with the process hangs on it.
  template <class Node, class... Args>
  Node& host(Args&&... args) {
    auto node = std::make_shared<Node>(std::forward<Args>(args)...);
    Node& result = *node;
    hosted_.push_back(std::move(node));
    return result;
  }

  // The disk has thrown SimCrash into it: the world must carry the crash out after this event.
  [[nodiscard]] bool dying() const { return disk_.dying(); }
  void crash(CrashKind kind);
  // After an orderly stop.
  void exit();
  [[nodiscard]] bool ended() const { return ended_; }
  // Called when it has ended, before the disk settles: connections of this process go now.
  std::function<void(CrashKind)> on_end;

  // Drops what loops and lanes have to do, unrun, and what that posts in turn. For a node that ends.
  void drop_work();

 private:
  void tear_down(CrashKind kind);

  VirtualTime& time_;
  SimDisk& disk_;
  SimFileSystem files_;
  std::vector<std::unique_ptr<VirtualScheduler>> loops_;
  std::vector<std::unique_ptr<SimLane>> lanes_;
  std::vector<std::shared_ptr<void>> hosted_;
  bool ended_ = false;
};

}  // namespace tidemark::simulation
