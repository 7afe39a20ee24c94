#include "storage/partition_state.h"

#include <fmt/format.h>

#include <cstring>

namespace tidemark::storage {
namespace {

constexpr uint32_t kKind = 0x53504D54;  // "TMPS"
constexpr uint16_t kFormat = 1;

constexpr uint32_t kJournaled = 1;
constexpr uint32_t kDamaged = 2;

struct Layout {
  uint64_t log;
  std::byte topic_id[16];
  int64_t log_start;
  int64_t synced;
  int32_t partition;
  uint32_t flags;
};
static_assert(sizeof(Layout) == 48);

}  // namespace

std::string partition_state_path(const std::string& folder) {
  return fmt::format("{}/{}", folder, kPartitionStateName);
}

std::vector<std::byte> encode_partition_state(const PartitionState& s) {
  Layout layout{};
  layout.log = s.log.value;
  std::memcpy(layout.topic_id, s.topic_id.bytes.data(), 16);
  layout.log_start = s.log_start.value;
  layout.synced = s.synced.value;
  layout.partition = s.partition.value;
  layout.flags = (s.journaled ? kJournaled : 0) | (s.damaged ? kDamaged : 0);
  const auto* bytes = reinterpret_cast<const std::byte*>(&layout);
  return {bytes, bytes + sizeof layout};
}

Result<std::optional<PartitionState>> read_partition_state(FileSystem& files, const std::string& folder) {
  TRY_ASSIGN(const bool exists, files.exists(partition_state_path(folder)));
  if (!exists) return std::optional<PartitionState>();
  TRY_ASSIGN(const auto file, DoubleWrittenFile::open(files, partition_state_path(folder), kKind, kFormat));
  if (!file.payload() || file.payload()->size() != sizeof(Layout)) return std::optional<PartitionState>();
  Layout layout;
  std::memcpy(&layout, file.payload()->data(), sizeof layout);
  PartitionState s;
  s.log = LogId(layout.log);
  std::memcpy(s.topic_id.bytes.data(), layout.topic_id, 16);
  s.log_start = Offset(layout.log_start);
  s.synced = Offset(layout.synced);
  s.partition = PartitionId(layout.partition);
  s.journaled = (layout.flags & kJournaled) != 0;
  s.damaged = (layout.flags & kDamaged) != 0;
  return std::optional<PartitionState>(s);
}

Result<void> write_partition_state(FileSystem& files, const std::string& folder, const PartitionState& state,
                                   bool sync) {
  TRY_ASSIGN(auto file, DoubleWrittenFile::open(files, partition_state_path(folder), kKind, kFormat));
  return file.write(encode_partition_state(state), sync);
}

}  // namespace tidemark::storage
