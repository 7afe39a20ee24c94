// Puts a cleaned segment into the place of its sources, so that after a crash at any moment either they are
// there or it is. The step that decides is the renaming of its `.cleaned` file to `BASE-END.swap`, synced: a
// start that finds that name ends what was begun. (Kafka's `.swap` does not say where it ends.) Blocking; in
// the lane that writes the log's segments.
#pragma once

#include <span>
#include <string>

#include "storage/file_cache.h"
#include "storage/planted.h"
#include "storage/segment.h"

namespace tidemark::storage {

inline constexpr std::string_view kSwapSuffix = ".swap";

// The sources' .log files get their retired_path(). `end`: of their offsets. no_space: nothing has changed.
// After any other error only a start tells what is there. REQUIRES: the cleaned segment of the first source's
// base is synced, and no other cleaning of this folder is under way.
// `mark`: as the cleaner's.
Result<void> swap_segments(FileSystem& files, FileCache& cache, const std::string& folder,
                           std::string_view mark, std::span<const Segment> sources, Offset end,
                           Planted planted = Planted::none);

// At a start: ends what a crash has cut short, and removes what cleanings have left.
Result<void> finish_swaps(FileSystem& files, const std::string& folder);
// Whether a file of this name asks for it.
[[nodiscard]] bool is_left_by_cleaning(std::string_view name);

}  // namespace tidemark::storage
