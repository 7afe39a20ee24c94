#include "storage/partition_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace tidemark::storage {
namespace {

constexpr uint32_t kKind = 0x53504D54;  // "TMPS"
// 2: with cleaned_to. 3: with gaps_below. 4: with home.
constexpr uint16_t kFormat = 4;

constexpr uint32_t kJournaled = 1;
constexpr uint32_t kDamaged = 2;

struct Layout {
  uint64_t log;
  std::byte topic_id[16];
  int64_t log_start;
  int64_t synced;
  int32_t partition;
  uint32_t flags;
  int64_t cleaned_to;
  int64_t gaps_below;
  std::byte home[16];
};
constexpr size_t kBytes1 = 48;  // in format 1
constexpr size_t kBytes2 = 56;
constexpr size_t kBytes3 = 64;
static_assert(sizeof(Layout) == kBytes3 + 16);

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
  layout.cleaned_to = s.cleaned_to.value;
  layout.gaps_below = s.gaps_below.value;
  std::memcpy(layout.home, s.home.bytes.data(), 16);
  const auto* bytes = reinterpret_cast<const std::byte*>(&layout);
  return {bytes, bytes + sizeof layout};
}

Result<std::optional<PartitionState>> read_partition_state(FileSystem& files, const std::string& folder) {
  TRY_ASSIGN(const bool exists, files.exists(partition_state_path(folder)));
  if (!exists) return std::optional<PartitionState>();
  TRY_ASSIGN(const auto file, DoubleWrittenFile::open(files, partition_state_path(folder), kKind, kFormat));
  if (file.rotten()) return fail(Error::corruption(partition_state_path(folder) + " is damaged"));
  if (!file.payload()) return std::optional<PartitionState>();
  const std::vector<std::byte>& payload = *file.payload();
  constexpr std::array kSizes{kBytes1, kBytes2, kBytes3, sizeof(Layout)};
  if (std::ranges::find(kSizes, payload.size()) == kSizes.end()) return std::optional<PartitionState>();
  Layout layout{};
  layout.cleaned_to = kNoOffset.value;
  std::memcpy(&layout, payload.data(), payload.size());
  PartitionState s;
  s.log = LogId(layout.log);
  std::memcpy(s.topic_id.bytes.data(), layout.topic_id, 16);
  s.log_start = Offset(layout.log_start);
  s.synced = Offset(layout.synced);
  s.partition = PartitionId(layout.partition);
  s.journaled = (layout.flags & kJournaled) != 0;
  s.damaged = (layout.flags & kDamaged) != 0;
  s.cleaned_to = Offset(layout.cleaned_to);
  std::memcpy(s.home.bytes.data(), layout.home, 16);
  if (payload.size() >= kBytes3) {
    s.gaps_below = Offset(layout.gaps_below);
  } else if (s.cleaned_to != kNoOffset) {
    s.gaps_below = kGapsAnywhere;  // nothing else was known of a cleaned log
  }
  return std::optional<PartitionState>(s);
}

Result<void> write_partition_state(FileSystem& files, const std::string& folder, const PartitionState& state,
                                   bool sync) {
  TRY_ASSIGN(auto file, DoubleWrittenFile::open(files, partition_state_path(folder), kKind, kFormat));
  return file.write(encode_partition_state(state), sync);
}

}  // namespace tidemark::storage
