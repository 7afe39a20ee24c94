// One seed of the storage world: a node's storage (no network) on a hostile disk, clients on its shards,
// crashes and restarts, and the model that judges it. Everything is drawn from the seed.
#pragma once

#include "protocol/runtime/time.h"
#include "storage/planted.h"
#include "tests/simulation/fault_counters.h"
#include "tests/simulation/log_model.h"

namespace tidemark::simulation {

struct SeedOptions {
  uint64_t seed = 1;
  uint64_t operations = 2'000;                            // of clients, at least
  runtime::Duration duration = std::chrono::seconds(60);  // of virtual time, at least
  uint64_t crashes = 3;                                   // at least
  uint64_t events = 0;                                    // that a seed may take at most; 0: any number
  storage::Planted planted = storage::Planted::none;
  bool write_caching = false;  // more often than seeds draw it: topics switch to write.caching and back
  bool verbose = false;
  bool show_disk = false;  // every disk operation
};

struct SeedResult {
  Verdict violation;
  uint64_t trace = 0;
  uint64_t events = 0;
  uint64_t disk_operations = 0;
  uint64_t operations = 0;
  uint64_t crashes = 0;
  runtime::Duration virtual_time{0};
};

// Whether a seed that found nothing was as large as it was asked to be.
[[nodiscard]] Verdict too_small(const SeedOptions& options, const SeedResult& result);

// Counters are added to `counters`.
SeedResult simulate_storage(const SeedOptions& options, FaultCounters& counters);

}  // namespace tidemark::simulation
