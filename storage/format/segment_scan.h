// Walks the batches of a segment file and says where they end and why: recovery, rebuilding of indexes and
// derived state, searches by timestamp, `tidemark log dump|verify`. Blocks: runs in a lane. It holds one
// window of the file (and, where whole batches are asked for, one batch), changes nothing, and keeps nothing.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "protocol/batch/header.h"
#include "storage/file.h"

namespace tidemark::storage {

inline constexpr size_t kScanWindowBytes = 512 * 1024;

// Offsets are missing where the log cleaner has been, and nowhere else: below `gaps_below`. 0: nowhere.
inline constexpr Offset kGapsAnywhere{INT64_MAX};
// Whether a batch at `found` may come where the log goes on at `expected`.
[[nodiscard]] constexpr bool may_follow(Offset found, Offset expected, Offset gaps_below) {
  return found == expected || (found > expected && found <= gaps_below);
}

struct ScanOptions {
  uint64_t from = 0;                                  // byte position of a batch
  std::optional<uint64_t> to = std::nullopt;          // scan up to here instead of to the file's end
  std::optional<Offset> first_offset = std::nullopt;  // what the first batch starts at; none: any
  LeaderEpoch min_epoch = kNoLeaderEpoch;  // of the batch before; no batch is below its predecessor's
  Offset gaps_below{};                     // where offsets and records may be missing
  bool check_crc = true;
  bool whole_batches = false;              // gives the visitor each batch's bytes
  size_t window_bytes = kScanWindowBytes;  // at least 4 KiB
};

enum class ScanEnd : uint8_t {
  clean,    // the last batch ends where the file (or `to`) does
  stopped,  // the visitor had enough
  torn,     // what is left is too short for the batch that it starts: an unfinished append
  corrupt,  // what stands there is no batch, or not the next one
};

struct ScanResult {
  ScanEnd end = ScanEnd::clean;
  uint64_t position = 0;                    // of the first byte behind the last good batch
  std::optional<Offset> next_offset;        // behind the last good batch; first_offset if there was none
  LeaderEpoch last_epoch = kNoLeaderEpoch;  // of the last good batch
  std::string reason;                       // torn, corrupt: in words for the log
};

struct ScannedBatch {
  protocol::BatchHeader header;
  uint64_t position = 0;
  std::span<const std::byte> bytes;  // the whole batch, with whole_batches; dies with the visit
};
// False ends the scan behind this batch.
using ScanVisitor = std::function<bool(const ScannedBatch&)>;

// Error: the disk alone. A visitor sees only batches that passed the checks.
Result<ScanResult> scan_segment(File& file, const ScanOptions& options, const ScanVisitor& visit);

}  // namespace tidemark::storage
