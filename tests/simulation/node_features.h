// What a seed of the node world has at all, and how large its things are: each fault is off in some seeds, so
// that no fault hides another (swarm testing), and journals, caches and limits are often tiny, so that rare
// branches are common.
#pragma once

#include "tests/simulation/node_run.h"
#include "tests/simulation/sim_broker.h"

namespace tidemark::simulation {

struct NodeFeatures {
  bool full_disk = false;
  bool slow_disk = false;
  bool disk_stalls = false;
  bool disk_errors = false;
  bool kills = false;
  bool power_cuts = false;
  bool clean_stops = false;
  bool crash_in_recovery = false;
  bool derived_removed = false;
  bool cut_offs = false;
  NetworkFaults network;  // while the world is hostile
};

[[nodiscard]] NodeFeatures draw_features(runtime::Random& random);
[[nodiscard]] NodeWorkload draw_workload(runtime::Random& random);
[[nodiscard]] SimBrokerOptions draw_broker(runtime::Random& random);
// Everything that the node world counts, so that what never happens is seen.
// Compacted topics, in a part of the seeds: draws of their own, so that the other seeds are what they were.
void draw_compaction(uint64_t seed, NodeWorkload& workload, SimBrokerOptions& broker);
void declare_node_counters(FaultCounters& counters);

}  // namespace tidemark::simulation
