#include "storage/log_snapshot.h"

#include <fmt/format.h>

#include <cstring>

#include "protocol/batch/crc32c.h"

namespace tidemark::storage {
namespace {

constexpr uint32_t kSnapshotFormat = 2;

struct SnapshotLayout {
  uint32_t format;
  uint32_t crc;  // of everything behind it
  uint64_t log;
  int64_t offset;
  int64_t segment_base;
  uint64_t position;
  int32_t epoch;
  uint32_t epochs_bytes;
  uint32_t indexes[4];
};
static_assert(sizeof(SnapshotLayout) == 64);

}  // namespace

std::string snapshot_key(LogId log) { return fmt::format("log/{:016x}", log.value); }

std::string encode_log_snapshot(const LogSnapshot& s) {
  const SnapshotLayout layout{
      kSnapshotFormat,
      0,
      s.log.value,
      s.offset.value,
      s.segment_base.value,
      s.position,
      s.epoch.value,
      static_cast<uint32_t>(s.epochs.size()),
      {s.indexes.offsets, s.indexes.offsets_crc, s.indexes.times, s.indexes.times_crc}};
  std::string value(reinterpret_cast<const char*>(&layout), sizeof layout);
  value += s.epochs;
  value += s.producers;
  const uint32_t crc = protocol::crc32c(std::as_bytes(std::span(value)).subspan(8));
  std::memcpy(value.data() + 4, &crc, sizeof crc);
  return value;
}

std::optional<LogSnapshot> decode_log_snapshot(std::string_view value) {
  SnapshotLayout layout;
  if (value.size() < sizeof layout) return std::nullopt;
  std::memcpy(&layout, value.data(), sizeof layout);
  if (layout.format != kSnapshotFormat ||
      layout.crc != protocol::crc32c(std::as_bytes(std::span(value)).subspan(8)))
    return std::nullopt;
  value.remove_prefix(sizeof layout);
  if (layout.epochs_bytes > value.size()) return std::nullopt;
  return LogSnapshot{LogId(layout.log),
                     Offset(layout.offset),
                     LeaderEpoch(layout.epoch),
                     Offset(layout.segment_base),
                     layout.position,
                     SavedIndexes{layout.indexes[0], layout.indexes[1], layout.indexes[2], layout.indexes[3]},
                     std::string(value.substr(0, layout.epochs_bytes)),
                     std::string(value.substr(layout.epochs_bytes))};
}

}  // namespace tidemark::storage
