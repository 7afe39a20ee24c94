// What a run of the node world knows across the lives of its process: the model, the workload, the first
// violation, and what the disk may be blamed for at the moment.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <string_view>

#include "tests/simulation/cluster_model.h"
#include "tests/simulation/fault_counters.h"
#include "tests/simulation/group_model.h"
#include "tests/simulation/sim_network.h"

namespace tidemark::simulation {

// What the clients of a seed do at all.
struct NodeWorkload {
  size_t names = 4;
  size_t producers = 3;
  size_t consumers = 3;
  size_t admins = 1;
  size_t members = 2;                                        // of groups
  runtime::Duration think = std::chrono::milliseconds(100);  // mean pause between operations of a client
  int32_t request_timeout_ms = 5'000;
  int32_t max_partitions = 4;
  size_t max_value_bytes = 400;
  int32_t max_records = 5;
  size_t max_pipelined = 3;
  bool idempotent = true;
  bool plain_acks = true;  // acks 0 and 1 too
  bool sessions = true;
  bool erases = true;
  bool grows = true;
  bool trims = true;
  bool alters = true;
  bool retention = false;
  // Topics may be compacted: every record has one of so many keys (0: none has a key).
  int32_t keys = 0;
  bool tombstones_go = false;   // delete.retention.ms is 0
  bool static_members = false;  // some of the members are
  // offsets.retention.minutes, where it is short; 0: no offset expires.
  runtime::Duration offsets_retention{0};
  // In between no member is heard of, for longer than that.
  runtime::MonoTime silent_from{};
  runtime::MonoTime silent_until{};
};

struct NodeRun {
  NodeRun(VirtualTime& t, SimNetwork& n, uint64_t seed, size_t names, FaultCounters& c)
      : time(t), network(n), random(seed), counters(c), cluster(names) {}

  // The first violation ends the run.
  void violate(std::string what) {
    if (!violation) violation = std::move(what);
  }
  void judge(Verdict verdict) {
    if (verdict) violate(std::move(*verdict));
  }
  void count(std::string_view what) {
    ++operations;
    counters.count(what);
    time.trace().add(what);
  }
  template <class... Args>
  void note(fmt::format_string<Args...> format, Args&&... args) {
    if (show) show(fmt::format(format, std::forward<Args>(args)...));
  }

  GroupModel& group(const std::string& name) {
    const auto [group, is_new] = groups.try_emplace(name, name);
    if (is_new) group->second.let_expire(workload.offsets_retention, walls);
    return group->second;
  }

  std::function<void(const std::string&)> show;  // for a run that is looked at
  VirtualTime& time;
  SimNetwork& network;
  runtime::SeededRandom random;
  FaultCounters& counters;
  NodeWorkload workload;
  ClusterModel cluster;
  std::map<std::string, GroupModel> groups;
  Verdict violation;
  uint64_t operations = 0;
  uint64_t identities = 0;
  uint64_t life = 0;                  // of the process that runs, from 1 on
  WallHistory walls;                  // of all of them
  runtime::MonoTime life_began{};     // that one
  runtime::MonoTime life_ended{};     // the one before
  std::map<int32_t, uint64_t> terms;  // of the metadata log -> life
  bool disk_may_be_full = false;
  uint64_t last_full_life = 0;  // in which it may have been at some time
  bool disk_may_fail = false;
  bool stopping = false;  // the process drains
  bool library = false;   // there are LibraryClients
};

}  // namespace tidemark::simulation
