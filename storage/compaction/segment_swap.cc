#include "storage/compaction/segment_swap.h"

#include <fmt/format.h>

#include <optional>

#include "protocol/invariant.h"
#include "storage/compaction/group_cleaner.h"

namespace tidemark::storage {
namespace {

struct Swap {
  Offset base;
  Offset end;
};

std::string swap_path(const std::string& folder, const Swap& swap) {
  return fmt::format("{}/{}-{}{}", folder, segment_stem(swap.base), segment_stem(swap.end), kSwapSuffix);
}

std::optional<Swap> parse_swap(std::string_view name) {
  if (name.size() != 2 * kStemDigits + 1 + kSwapSuffix.size() || !name.ends_with(kSwapSuffix) ||
      name[kStemDigits] != '-')
    return std::nullopt;
  const auto base = parse_segment_stem(name.substr(0, kStemDigits));
  const auto end = parse_segment_stem(name.substr(kStemDigits + 1, kStemDigits));
  if (!base || !end) return std::nullopt;
  return Swap{*base, *end};
}

// The sources are gone for good before the new name says nothing of them any more.
Result<void> end_swap(FileSystem& files, const std::string& folder, std::string_view mark, const Swap& swap) {
  TRY(files.sync_dir(folder));
  TRY(files.rename(swap_path(folder, swap), segment_path(folder, swap.base, kLogSuffix)));
  for (const std::string_view suffix : {kOffsetIndexSuffix, kTimeIndexSuffix}) {
    const std::string cleaned = cleaned_path(folder, swap.base, suffix, mark);
    TRY_ASSIGN(const bool there, files.exists(cleaned));
    if (there) TRY(files.rename(cleaned, segment_path(folder, swap.base, suffix)));
  }
  return files.sync_dir(folder);
}

}  // namespace

Result<void> swap_segments(FileSystem& files, FileCache& cache, const std::string& folder,
                           std::string_view mark, std::span<const Segment> sources, Offset end,
                           Planted planted) {
  REQUIRES(!sources.empty());
  const Swap swap{sources.front().base, end};
  TRY(files.rename(cleaned_path(folder, swap.base, kLogSuffix, mark), swap_path(folder, swap)));
  const auto decided = [&]() -> Result<void> {
    if (planted != Planted::swap_unsynced) TRY(files.sync_dir(folder));
    for (const Segment& source : sources) TRY(retire_segment(files, cache, folder, source, mark));
    return end_swap(files, folder, mark, swap);
  };
  const auto done = decided();
  if (!done && done.error().kind() == ErrorKind::no_space)
    return fail(
        Error::io(fmt::format("{}: segments cannot be exchanged: {}", folder, done.error().message())));
  return done;
}

bool is_left_by_cleaning(std::string_view name) {
  return name.ends_with(kSwapSuffix) || name.ends_with(kCleanedSuffix);
}

Result<void> finish_swaps(FileSystem& files, const std::string& folder) {
  TRY_ASSIGN(const auto entries, files.list(folder));
  for (const DirEntry& entry : entries) {
    const auto swap = parse_swap(entry.name);
    if (!swap) continue;
    for (const DirEntry& source : entries) {
      const auto base = parse_segment_name(source.name);
      if (base && *base >= swap->base && *base < swap->end) TRY(remove_segment(files, folder, *base));
    }
    // One whose .log is gone already may have left its indexes.
    TRY(remove_segment(files, folder, swap->base));
    TRY(end_swap(files, folder, {}, *swap));  // its indexes are built again
  }
  return remove_cleaned_leftovers(files, folder);
}

}  // namespace tidemark::storage
