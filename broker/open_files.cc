#include "broker/open_files.h"

#include <algorithm>

#include "broker/node.h"

namespace tidemark::broker {

namespace {

constexpr uint64_t kKeyValueStore = 48;  // rocksdb_store.cc: 32 tables, and its logs
constexpr uint64_t kInHand = 16;         // what lanes have open for a moment: folders, state files
constexpr uint64_t kHttp = 16;
constexpr uint64_t kProcess = 8;  // standard streams, the lock, a listener of the HTTP server
constexpr uint64_t kPerLoop = 4;  // epoll and what wakes it

uint64_t stretches(uint64_t journal_bytes) {
  // The first two and those on the way to full size are smaller.
  return 3 + journal_bytes / std::max<uint64_t>(1, std::min(NodeSeams::kStretchBytes, journal_bytes / 4));
}

}  // namespace

OpenFiles divide_open_files(uint64_t limit, const config::NodeConfig& config, size_t shards) {
  const auto journal_bytes = static_cast<uint64_t>(config.broker.journal_size);
  const uint64_t of_folder = kKeyValueStore + kInHand + shards * stretches(journal_bytes);
  const uint64_t own = kHttp + kProcess + kConnectionsToRefuse + config.listeners.size() + shards * kPerLoop +
                       stretches(kMetadataJournalBytes) + config.data_dirs.size() * of_folder;
  OpenFiles files;
  files.limit = limit;
  files.needed = own + OpenFiles::kLeast;
  uint64_t connections = OpenFiles::kMostSegments;
  if (config.broker.max_connections != config::kNoConnectionLimit)
    connections = std::max(connections, static_cast<uint64_t>(config.broker.max_connections));
  files.wanted = own + OpenFiles::kMostSegments + connections;
  const uint64_t rest = std::max(limit, files.needed) - own;
  files.segments = std::min<uint64_t>(OpenFiles::kMostSegments, rest / 2);
  files.connections = static_cast<uint32_t>(std::min<uint64_t>(rest - files.segments, UINT32_MAX));
  return files;
}

}  // namespace tidemark::broker
