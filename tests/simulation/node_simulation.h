// One seed of the node world: a whole broker above the seams, on a hostile disk, behind a hostile network,
// with clients that speak the protocol and outlive its crashes. Everything is drawn from the seed.
#pragma once

#include "tests/simulation/storage_simulation.h"

namespace tidemark::simulation {

// Counters are added to `counters`.
SeedResult simulate_node(const SeedOptions& options, FaultCounters& counters);

}  // namespace tidemark::simulation
