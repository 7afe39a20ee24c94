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
  bool caching = false;        // each life has write.caching or not: no power is cut, and no sync fails
  bool second_folder = false;  // of data, which may fail alone, or be left out of a life
  bool folder_lost = false;    // and be lost between two lives
  NetworkFaults network;       // while the world is hostile
};

[[nodiscard]] NodeFeatures draw_features(runtime::Random& random);
[[nodiscard]] NodeWorkload draw_workload(runtime::Random& random);
[[nodiscard]] SimBrokerOptions draw_broker(runtime::Random& random);
// Compacted topics, in a part of the seeds: draws of their own, so that the other seeds are what they were.
void draw_compaction(uint64_t seed, NodeWorkload& workload, SimBrokerOptions& broker);
// A second data folder, likewise.
inline constexpr std::string_view kSecondFolder = "/data2";
void draw_folders(uint64_t seed, NodeFeatures& features, SimBrokerOptions& broker);
// And write.caching, which a killed process loses nothing by.
void draw_caching(uint64_t seed, NodeFeatures& features);
// And static members of groups.
void draw_static_members(uint64_t seed, NodeWorkload& workload);
// And offsets that expire: such a seed takes at least so long, from `began` on.
runtime::Duration draw_expiry(uint64_t seed, runtime::MonoTime began, NodeWorkload& workload,
                              SimBrokerOptions& broker);
// And the client library's own clients.
[[nodiscard]] bool draw_library(uint64_t seed, const NodeFeatures& features, const NodeWorkload& workload);
// Everything that the node world counts, so that what never happens is seen.
void declare_node_counters(FaultCounters& counters);

}  // namespace tidemark::simulation
