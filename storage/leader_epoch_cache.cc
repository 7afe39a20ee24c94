#include "storage/leader_epoch_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace tidemark::storage {
namespace {

// The first entry whose epoch is above `epoch`.
auto first_above(const std::vector<EpochEntry>& entries, LeaderEpoch epoch) {
  return std::upper_bound(entries.begin(), entries.end(), epoch,
                          [](LeaderEpoch e, const EpochEntry& entry) { return e < entry.epoch; });
}

std::optional<std::string_view> take_line(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  const size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Unexpected damaged(std::string_view what) {
  return fail(Error::corruption(fmt::format("the leader epoch checkpoint {}", what)));
}

}  // namespace

bool LeaderEpochCache::assign(LeaderEpoch epoch, Offset start_offset) {
  if (epoch < LeaderEpoch(0) || start_offset < Offset(0)) return false;
  if (!entries_.empty() && entries_.back().epoch == epoch && entries_.back().start_offset <= start_offset)
    return false;
  while (!entries_.empty() &&
         (entries_.back().epoch >= epoch || entries_.back().start_offset >= start_offset))
    entries_.pop_back();
  entries_.push_back({epoch, start_offset});
  return true;
}

EpochEnd LeaderEpochCache::end_offset_for(LeaderEpoch requested, Offset log_end) const {
  if (requested < LeaderEpoch(0) || entries_.empty()) return {};
  if (entries_.back().epoch == requested) return {requested, log_end};
  const auto higher = first_above(entries_, requested);
  if (higher == entries_.end()) return {};
  // KIP-279: the records of an epoch below the earliest are gone; the follower goes on from our start.
  if (higher == entries_.begin()) return {requested, higher->start_offset};
  return {std::prev(higher)->epoch, higher->start_offset};
}

std::optional<LeaderEpoch> LeaderEpochCache::epoch_for_offset(Offset offset) const {
  const auto after =
      std::upper_bound(entries_.begin(), entries_.end(), offset,
                       [](Offset o, const EpochEntry& entry) { return o < entry.start_offset; });
  if (after == entries_.begin()) return std::nullopt;
  return std::prev(after)->epoch;
}

std::optional<EpochEntry> LeaderEpochCache::latest() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.back();
}

std::optional<EpochEntry> LeaderEpochCache::earliest() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.front();
}

void LeaderEpochCache::truncate_from_end(Offset end) {
  while (!entries_.empty() && entries_.back().start_offset >= end) entries_.pop_back();
}

void LeaderEpochCache::truncate_from_start(Offset start) {
  const auto after = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const EpochEntry& entry) { return entry.start_offset > start; });
  if (after == entries_.begin()) return;
  std::prev(after)->start_offset = start;
  entries_.erase(entries_.begin(), std::prev(after));
}

std::string encode_leader_epoch_checkpoint(const LeaderEpochCache& cache) {
  std::string text = fmt::format("0\n{}\n", cache.entries().size());
  for (const EpochEntry& entry : cache.entries())
    fmt::format_to(std::back_inserter(text), "{} {}\n", entry.epoch, entry.start_offset);
  return text;
}

Result<LeaderEpochCache> parse_leader_epoch_checkpoint(std::string_view text) {
  LeaderEpochCache cache;
  const auto version = take_line(text);
  if (!version) return cache;
  if (*version != "0") return damaged(fmt::format("has version '{}' instead of 0", version->substr(0, 20)));
  const auto count_line = take_line(text);
  if (!count_line) return cache;
  const auto count = parse_number<uint64_t>(*count_line);
  if (!count) return damaged("has no count of entries");
  while (const auto line = take_line(text)) {
    const size_t space = line->find(' ');
    if (space == std::string_view::npos) return damaged("has a line without two numbers");
    const auto epoch = parse_number<int32_t>(line->substr(0, space));
    const auto offset = parse_number<int64_t>(line->substr(space + 1));
    if (!epoch || !offset || *epoch < 0 || *offset < 0) return damaged("has a line without two numbers");
    const auto latest = cache.latest();
    if (latest && (latest->epoch.value >= *epoch || latest->start_offset.value >= *offset))
      return damaged("has entries that do not rise");
    cache.assign(LeaderEpoch(*epoch), Offset(*offset));
  }
  if (cache.entries().size() != *count)
    return damaged(fmt::format("has {} of {} entries", cache.entries().size(), *count));
  return cache;
}

}  // namespace tidemark::storage
