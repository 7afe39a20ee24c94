// Puts what the journals hold into the files: positional, in order, skipping dead logs and what lies below a
// log's start. Afterwards each file is as long as its log says, and holds every record that was ever answered
// for. Blocking.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "storage/file.h"
#include "storage/journal_recovery.h"
#include "storage/partition_state.h"

namespace tidemark::storage {

struct ReplayedLog {
  std::string folder_name;
  PartitionState state;
  Offset end = kNoOffset;     // as the last record says; kNoOffset: the journals hold none that says
  std::optional<Offset> cut;  // the lowest end that a truncation left: nothing derived from above it holds
  std::optional<Error> damage;
  std::set<Offset> touched;  // segments written to
  bool changed = false;      // anything of it was replayed: its state file and folder need a sync
};

struct JournalReplay {
  std::map<LogId, ReplayedLog> logs;
  std::vector<std::string> graves;  // folders of erased logs, to be removed
  // Folders without a whole partition.state. Whose it was that never reached the disk is for the journals to
  // say; one that was there and is damaged has its folder left alone.
  std::vector<std::string> unidentified;
  // Of those, the ones that records may belong to which no file holds: the journals have to stay, and the
  // folder gets a file named kPassedOverName, which keeps its log offline should its state be restored.
  std::vector<std::string> passed_over;
  // Folders whose partition.state the disk does not give, and why: whose they are may be known again at the
  // next start. Left alone; no record waits for any of them.
  std::map<std::string, Error> unreadable;
  // Partitions' folders that were made in another data folder, whose journals may hold records of theirs.
  // Left alone, too.
  std::map<std::string, PartitionState> moved;
  uint64_t records = 0;
  uint64_t orphans = 0;  // records of logs whose folder is gone
  uint64_t rewritten_bytes = 0;
};

// Which data folder it is.
struct ReplayHome {
  Uuid id;
  // A log whose state names no data folder, of a release that took one alone, is its.
  bool takes_unnamed = true;
};

// Finds the partitions' folders of `data_folder`, and replays into them. Logs that damage
// of a journal may concern are marked as damaged, for good, and none of their files is changed.
Result<JournalReplay> replay_journals(FileSystem& files, const std::string& data_folder,
                                      const ReplayHome& home, JournalRecovery& journals, Planted planted,
                                      size_t max_open_files);
// Syncs what the replay changed of one log. Once each is synced, and the data folder itself, the journals'
// earlier generations may go.
Result<void> sync_replayed(FileSystem& files, const std::string& data_folder, const ReplayedLog& log);

inline constexpr std::string_view kPassedOverName = "journal-put-aside";
// The folder of ours inside a data folder.
inline constexpr std::string_view kOwnFolder = "tidemark";
inline constexpr std::string_view kGraveSuffix = "-delete";
inline constexpr std::string_view kStraySuffix = "-stray";  // of one that is only put aside
// What a deleted log's folder is called: FOLDER.WHOSE-delete, with as much of FOLDER as a file name has room
// for.
[[nodiscard]] std::string grave_name(std::string_view folder_name, std::string_view whose,
                                     std::string_view suffix = kGraveSuffix);
// One that nothing has yet, in `data_folder`: WHOSE gets a number where it needs one.
Result<std::string> free_grave_name(FileSystem& files, const std::string& data_folder,
                                    std::string_view folder_name, std::string_view whose,
                                    std::string_view suffix = kGraveSuffix);

}  // namespace tidemark::storage
