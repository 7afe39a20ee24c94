#include "broker/folder_choice.h"

#include <catch2/catch.hpp>

#include "replication/controller/image.h"

namespace tidemark::broker {
namespace {

using Kind = LogPlace::Kind;

Uuid dir(uint64_t number) { return Uuid::from_halves(7, number); }
const Uuid kNone = replication::kUnassignedDirectory;
const Uuid kLost = replication::kLostDirectory;

std::vector<FolderState> two() { return {{dir(0), true, 100, 0}, {dir(1), true, 100, 0}}; }
std::vector<FolderState> second_away() { return {{dir(0), true, 100, 0}, {Uuid{}, false, 0, 0}}; }

LogCopy in(size_t folder) { return {folder, false}; }
LogCopy empty_in(size_t folder) { return {folder, true}; }

LogPlace placed(const Uuid& directory, const std::vector<FolderState>& folders,
                const std::vector<LogCopy>& copies) {
  return place_of(directory, folders, copies);
}

}  // namespace

TEST_CASE("a new log goes where each partition would have the most space") {
  CHECK(roomiest({}) == std::nullopt);
  std::vector<FolderState> folders{{dir(0), true, 100, 0}, {dir(1), true, 300, 0}};
  std::vector<size_t> got(2);
  for (int i = 0; i < 40; ++i) {
    const size_t folder = roomiest(folders).value();
    ++folders[folder].partitions;
    ++got[folder];
  }
  CHECK(got == std::vector<size_t>{10, 30});
  folders[1].stalled = true;
  CHECK(roomiest(folders) == 0U);
  folders[0].stalled = true;
  CHECK(roomiest(folders) == 1U);
  folders[1].online = false;
  CHECK(roomiest(folders) == 0U);
  folders[0].online = false;
  CHECK(roomiest(folders) == std::nullopt);
}

TEST_CASE("a log is where it was found, and a new one where the metadata says") {
  for (const auto& directory : {dir(0), dir(1), kNone}) {
    const LogPlace place = placed(directory, two(), {in(1)});
    CHECK(place.kind == Kind::found);
    CHECK(place.folder == 1);
  }
  const LogPlace made = placed(dir(0), two(), {});
  CHECK(made.kind == Kind::make);
  CHECK(made.folder == 0);
  CHECK(placed(kNone, two(), {}).kind == Kind::make);
}

TEST_CASE("nothing is made anew while the folder that may hold the records is away") {
  CHECK(placed(dir(1), second_away(), {}).kind == Kind::absent);
  CHECK(placed(dir(1), second_away(), {empty_in(0)}).kind == Kind::absent);
  CHECK(placed(kLost, second_away(), {}).kind == Kind::absent);
  CHECK(placed(kLost, second_away(), {empty_in(0)}).kind == Kind::absent);
  CHECK(placed(kLost, two(), {}).kind == Kind::absent);
  CHECK(placed(kLost, two(), {empty_in(0)}).kind == Kind::absent);
  // Or came back without it: of that folder the metadata tells once the log is made.
  CHECK(placed(dir(1), two(), {}).kind == Kind::absent);
  CHECK(placed(dir(1), two(), {empty_in(0)}).kind == Kind::absent);
  // It was never there before: nothing can be in it.
  CHECK(placed(kNone, second_away(), {}).kind == Kind::make);
  // Somebody has moved it by hand.
  CHECK(placed(dir(1), second_away(), {in(0)}).kind == Kind::found);
  CHECK(placed(kLost, two(), {in(1)}).kind == Kind::found);
}

TEST_CASE("of several copies the one with records, or else the one that the metadata means") {
  LogPlace place = placed(dir(0), two(), {empty_in(0), in(1)});
  CHECK(place.kind == Kind::found);
  CHECK(place.copy == 1);
  CHECK(place.discard == std::vector<size_t>{0});
  place = placed(dir(0), two(), {in(1), in(0)});
  CHECK(place.kind == Kind::found);
  CHECK(place.copy == 1);
  CHECK(place.discard.empty());
  place = placed(dir(1), two(), {empty_in(0), empty_in(1)});
  CHECK(place.copy == 1);
  CHECK(place.discard == std::vector<size_t>{0});
  place = placed(dir(0), two(), {empty_in(1)});
  CHECK(place.kind == Kind::make);
  CHECK(place.folder == 0);
  CHECK(place.discard == std::vector<size_t>{0});
  for (const auto& directory : {kNone, dir(5)}) {
    place = placed(directory, two(), {in(0), in(1)});
    CHECK(place.kind == Kind::ambiguous);
    CHECK(place.discard.empty());
  }
}

}  // namespace tidemark::broker
