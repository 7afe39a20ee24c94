#include "tests/simulation/sim_inode.h"

#include <algorithm>
#include <cstring>

namespace tidemark::simulation {
namespace {

// Intermediate sizes remembered per file; of more, the oldest are forgotten.
constexpr size_t kMaxSizes = 32;

}  // namespace

size_t SimFileContent::read(uint64_t position, std::span<std::byte> buffer) const {
  if (position >= seen_.size()) return 0;
  const size_t count = std::min<uint64_t>(buffer.size(), seen_.size() - position);
  std::memcpy(buffer.data(), seen_.data() + position, count);
  return count;
}

// Remembers what the platter holds of a sector that is about to change.
SimFileContent::Unsynced& SimFileContent::touch(uint64_t sector) {
  const auto [it, added] = unsynced_.try_emplace(sector);
  if (added) read(sector * kSectorBytes, it->second.platter);
  return it->second;
}

void SimFileContent::resized() {
  sizes_.push_back(seen_.size());
  if (sizes_.size() <= kMaxSizes) return;
  sizes_.erase(sizes_.begin() + 1);
  if (last_cut_ > 0) last_cut_ = std::max<size_t>(last_cut_ - 1, 1);
}

void SimFileContent::write(uint64_t position, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  const uint64_t end = position + bytes.size();
  // A write past the end leaves a hole, which is zeros on the platter as well: only what is written counts.
  for (uint64_t sector = position / kSectorBytes; sector * kSectorBytes < end; ++sector) {
    Unsynced& unsynced = touch(sector);
    unsynced.rewritten = true;
    unsynced.forgotten = false;
  }
  if (end > seen_.size()) {
    seen_.resize(end);
    resized();
  }
  std::memcpy(seen_.data() + position, bytes.data(), bytes.size());
}

void SimFileContent::truncate(uint64_t size) {
  if (size == seen_.size()) return;
  const bool smaller = size < seen_.size();
  if (smaller) {
    for (uint64_t sector = size / kSectorBytes; sector * kSectorBytes < seen_.size(); ++sector) {
      Unsynced& unsynced = touch(sector);
      unsynced.cut = true;
      const uint64_t at = sector * kSectorBytes;
      unsynced.kept_bytes = std::min<uint64_t>(unsynced.kept_bytes, size > at ? size - at : 0);
      unsynced.rewritten = false;
    }
  }
  seen_.resize(size);
  resized();
  if (smaller) last_cut_ = sizes_.size() - 1;
}

void SimFileContent::sync() {
  std::erase_if(unsynced_, [](const auto& entry) { return !entry.second.forgotten; });
  sizes_ = {seen_.size()};
  last_cut_ = 0;
}

void SimFileContent::fail_sync(runtime::Random& random) {
  const double kept = random.chance(0.5) ? 0.0 : 0.5;
  for (auto it = unsynced_.begin(); it != unsynced_.end();) {
    if (!it->second.cut && !it->second.forgotten && random.chance(kept)) {
      it = unsynced_.erase(it);
    } else {
      (it++)->second.forgotten = true;
    }
  }
}

void SimFileContent::write_back(runtime::Random& random) {
  std::erase_if(unsynced_, [&](const auto& entry) {
    return !entry.second.cut && !entry.second.forgotten && random.chance(0.5);
  });
}

SimFileContent::CrashOutcome SimFileContent::crash(runtime::Random& random) {
  if (!dirty()) return {};
  // All, none or any: wholes are as likely as mixtures, or a file of many sectors would never survive whole.
  const double kept = std::array{0.0, 1.0, 0.5, 0.9}[random.below(4)];
  const size_t chosen = random.chance(0.4) ? sizes_.size() - 1 : random.below(sizes_.size());
  return crash(random, kept, chosen);
}

SimFileContent::CrashOutcome SimFileContent::crash_to_synced() {
  runtime::SeededRandom unused(0);
  return dirty() ? crash(unused, 0.0, 0) : CrashOutcome();
}

// `kept`: the chance of each sector; `chosen`: of the sizes.
SimFileContent::CrashOutcome SimFileContent::crash(runtime::Random& random, double kept, size_t chosen) {
  CrashOutcome outcome;
  const uint64_t size = sizes_[chosen];
  const bool cut_survived = chosen >= last_cut_;
  outcome.size_lost = size != seen_.size();
  seen_.resize(size);
  for (const auto& [sector, unsynced] : unsynced_) {
    const uint64_t at = sector * kSectorBytes;
    if (at >= size) continue;
    const std::span<std::byte> bytes =
        std::span(seen_).subspan(at, std::min<uint64_t>(kSectorBytes, size - at));
    bool keep = !unsynced.forgotten && random.chance(kept);
    if (unsynced.cut && !unsynced.rewritten) keep = cut_survived;
    if (keep) {
      ++outcome.sectors_kept;
      continue;
    }
    ++outcome.sectors_lost;
    // After a cut that survived, what was there before may come back, or zeros; below the cut it stays.
    std::copy_n(unsynced.platter.begin(), bytes.size(), bytes.begin());
    if (unsynced.cut && cut_survived && random.chance(0.5)) {
      const auto gone = bytes.subspan(std::min(unsynced.kept_bytes, bytes.size()));
      std::fill(gone.begin(), gone.end(), std::byte{});
    }
    outcome.zeros_exposed |=
        std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{}; });
  }
  unsynced_.clear();
  sizes_ = {size};
  last_cut_ = 0;
  return outcome;
}

bool SimFileContent::flip_bit(uint64_t position, unsigned bit) {
  if (position >= std::min<uint64_t>(seen_.size(), sizes_.front())) return false;
  if (unsynced_.contains(position / kSectorBytes)) return false;
  seen_[position] ^= std::byte{1} << (bit % 8);
  return true;
}

}  // namespace tidemark::simulation
