// The node on real threads, sockets and disks: what `tidemarkd` runs. Made and run by main's thread, which
// waits for the signal that stops it.
#pragma once

#include <memory>

#include "broker/observe/log.h"
#include "config/node_config.h"
#include "storage/planted.h"

namespace tidemark::broker {

// Before any thread is started, the log's included: one that does not block them would be ended by them, and
// the process with it.
void block_stop_signals();
// Runs until SIGTERM or SIGINT, or until the data folder fails. REQUIRES: block_stop_signals(). 0: stopped in
// order; 1: could not start, or the data folder failed, with one line that says what to do.
// REQUIRES: no other thread runs yet (signals are blocked for all).
int run_daemon(const config::NodeConfig& config, Log& log, storage::Planted planted);

// `memory.limit` where it is not set: a quarter of the cgroup's or the machine's memory, at most 1 GiB.
[[nodiscard]] int64_t default_memory_limit();

}  // namespace tidemark::broker
