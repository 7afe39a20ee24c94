#include "storage/segment.h"

#include <fmt/format.h>

#include <charconv>

namespace tidemark::storage {

std::string segment_stem(Offset base) { return fmt::format("{:020}", base.value); }

std::string segment_path(const std::string& folder, Offset base, std::string_view suffix) {
  return fmt::format("{}/{:020}{}", folder, base.value, suffix);
}

std::string retired_path(const std::string& folder, Offset base, uint32_t version) {
  return fmt::format("{}.{}.deleted", segment_path(folder, base, kLogSuffix), version);
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

Result<void> remove_segment(FileSystem& files, const std::string& folder, Offset base) {
  for (const std::string_view suffix : {kLogSuffix, kOffsetIndexSuffix, kTimeIndexSuffix})
    TRY(files.remove(segment_path(folder, base, suffix)));
  return {};
}

}  // namespace tidemark::storage
