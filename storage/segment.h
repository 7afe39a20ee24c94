// One segment of a log: `BASE.log` with `BASE.index` and `BASE.timeindex`, Kafka's names and formats. What
// the shard knows of it; the files themselves are touched in lanes only.
#pragma once

#include <optional>
#include <string>

#include "protocol/ids.h"
#include "protocol/runtime/time.h"
#include "storage/file.h"

namespace tidemark::storage {

class FileCache;

struct Segment {
  Offset base;
  uint64_t bytes = 0;            // appended, whether written to the file yet or not
  int64_t first_timestamp = -1;  // of its first batch; -1: unknown or empty
  int64_t max_timestamp = -1;    // of its records; -1: none
  runtime::WallTime
      last_append{};  // when it was appended to last (for a recovered one: when it was recovered)
  // Tells it from others that had its base in this process: cleaned into one, or truncated.
  uint32_t version = 0;
};

// "00000000000000000042"
inline constexpr size_t kStemDigits = 20;
[[nodiscard]] std::string segment_stem(Offset base);
[[nodiscard]] std::optional<Offset> parse_segment_stem(std::string_view stem);
[[nodiscard]] std::string segment_path(const std::string& folder, Offset base, std::string_view suffix);
// Where the .log file of that version goes when it is given up: who reads it may go on for a while. `mark`:
// its log's, since a namesake may follow.
[[nodiscard]] std::string retired_path(const std::string& folder, Offset base, uint32_t version,
                                       std::string_view mark);
// The base offset if `name` is a segment's .log file.
[[nodiscard]] std::optional<Offset> parse_segment_name(std::string_view name);

// Its .log file, if there is one, gets its retired_path(); its indexes go. Blocks.
Result<void> retire_segment(FileSystem& files, FileCache& cache, const std::string& folder,
                            const Segment& segment, std::string_view mark);
// Its three files, as far as they are there. Blocks.
Result<void> remove_segment(FileSystem& files, const std::string& folder, Offset base);

inline constexpr std::string_view kLogSuffix = ".log";
inline constexpr std::string_view kOffsetIndexSuffix = ".index";
inline constexpr std::string_view kTimeIndexSuffix = ".timeindex";

}  // namespace tidemark::storage
