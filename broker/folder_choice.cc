#include "broker/folder_choice.h"

#include <algorithm>
#include <utility>

#include "replication/controller/image.h"

namespace tidemark::broker {

std::optional<size_t> roomiest(std::span<const FolderState> folders) {
  const auto share = [](const FolderState& folder) {
    return std::pair(!folder.stalled,
                     static_cast<double>(folder.free_bytes) / static_cast<double>(folder.partitions + 1));
  };
  std::optional<size_t> best;
  for (size_t i = 0; i < folders.size(); ++i) {
    if (folders[i].online && (!best || share(folders[i]) > share(folders[*best]))) best = i;
  }
  return best;
}

LogPlace place_of(const Uuid& directory, std::span<const FolderState> folders,
                  std::span<const LogCopy> copies) {
  LogPlace place;
  const bool assigned = !replication::is_reserved_directory(directory);
  std::optional<size_t> home;  // where the metadata says, if that is there
  for (size_t i = 0; assigned && i < folders.size(); ++i) {
    if (folders[i].online && folders[i].id == directory) home = i;
  }
  // Of the copies that hold records, or, if none does, of all: the one there, else the only one.
  const auto with_records = std::ranges::count(copies, false, &LogCopy::empty);
  const bool away = directory == replication::kLostDirectory || (assigned && !home);
  std::optional<size_t> chosen;
  for (size_t i = 0; i < copies.size(); ++i) {
    if (with_records > 0 && copies[i].empty) continue;
    if (!chosen || (home && copies[i].folder == *home)) chosen = i;
  }
  // Of a folder behind the first, the metadata tells once the log is made, durably.
  const bool none_there = home && std::ranges::find(copies, *home, &LogCopy::folder) == copies.end();
  if (with_records == 0 && none_there && *home > 0) {
    place.kind = LogPlace::Kind::absent;
    return place;
  }
  const bool at_home = home && chosen && copies[*chosen].folder == *home;
  if (with_records == 0 && away) {
    place.kind = LogPlace::Kind::absent;
    return place;
  }
  if (with_records > 1 && !at_home) {
    place.kind = LogPlace::Kind::ambiguous;
    return place;
  }
  if (with_records == 0 && home && !at_home) chosen.reset();
  for (size_t i = 0; i < copies.size(); ++i) {
    if (i != chosen && copies[i].empty) place.discard.push_back(i);
  }
  if (chosen) {
    place.kind = LogPlace::Kind::found;
    place.copy = *chosen;
    place.folder = copies[*chosen].folder;
  } else {
    place.folder = home ? *home : roomiest(folders).value_or(0);
  }
  return place;
}

}  // namespace tidemark::broker
