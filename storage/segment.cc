#include "storage/segment.h"

#include <fmt/format.h>

#include <charconv>

#include "storage/file_cache.h"

namespace tidemark::storage {

std::string segment_stem(Offset base) { return fmt::format("{:020}", base.value); }

std::string segment_path(const std::string& folder, Offset base, std::string_view suffix) {
  return fmt::format("{}/{:020}{}", folder, base.value, suffix);
}

std::string retired_path(const std::string& folder, Offset base, uint32_t version, std::string_view mark) {
  return fmt::format("{}.{}.{}.deleted", segment_path(folder, base, kLogSuffix), version, mark);
}

std::optional<Offset> parse_segment_stem(std::string_view stem) {
  int64_t base = 0;
  const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), base);
  if (stem.size() != kStemDigits || error != std::errc() || end != stem.data() + stem.size() || base < 0)
    return std::nullopt;
  return Offset(base);
}

std::optional<Offset> parse_segment_name(std::string_view name) {
  if (!name.ends_with(kLogSuffix)) return std::nullopt;
  return parse_segment_stem(name.substr(0, name.size() - kLogSuffix.size()));
}

Result<void> retire_segment(FileSystem& files, FileCache& cache, const std::string& folder,
                            const Segment& segment, std::string_view mark) {
  const std::string path = segment_path(folder, segment.base, kLogSuffix);
  TRY_ASSIGN(const bool exists, files.exists(path));
  if (exists) TRY(rename_or_remove(files, path, retired_path(folder, segment.base, segment.version, mark)));
  TRY(remove_segment(files, folder, segment.base));
  // Afterwards: a reader may open them until then.
  for (const std::string_view suffix : {kLogSuffix, kOffsetIndexSuffix, kTimeIndexSuffix})
    cache.forget(segment_path(folder, segment.base, suffix));
  return {};
}

Result<void> remove_segment(FileSystem& files, const std::string& folder, Offset base) {
  for (const std::string_view suffix : {kLogSuffix, kOffsetIndexSuffix, kTimeIndexSuffix})
    TRY(files.remove(segment_path(folder, base, suffix)));
  return {};
}

}  // namespace tidemark::storage
