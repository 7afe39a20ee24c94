// Reads what the journals of earlier starts hold: finds the stretches, orders their groups, tells a torn tail
// from corruption, and hands out the records that need a replay, oldest first, whatever number of journals
// wrote them. Blocking; runs before the folder serves.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "storage/file.h"
#include "storage/format/journal_format.h"
#include "storage/planted.h"

namespace tidemark::storage {

// Groups of one journal that were synced and are not whole any more.
struct JournalDamage {
  Generation generation;
  JournalId journal;
  std::string what;  // one line, with the file's name
};

class JournalRecovery {
 public:
  // Reads every journal file in `folder` and syncs those it will replay: after a killed process they may hold
  // a group that no sync has covered yet, and what is served must not vanish later. Removes files that hold
  // zeros alone: the next start of a node that never gets far enough to free any must not add to them
  // forever. `clean`: the last start stopped cleanly, everything is in the files, and there is nothing to
  // replay.
  static Result<JournalRecovery> open(FileSystem& files, std::string folder, Planted planted,
                                      bool clean = false);

  // Calls `visit` for each record that needs a replay, in order, and `settle` when the views that the records
  // before it have given are about to die: behind each stretch. Stops at the first error of either.
  using Visit = std::function<Result<void>(const JournalRecord&)>;
  using Settle = std::function<Result<void>()>;
  Result<void> replay(const Visit& visit, const Settle& settle = [] { return Result<void>(); });

  // Logs that some record of these journals erased.
  [[nodiscard]] const std::set<LogId>& dead() const { return dead_; }
  // Every journal file found, to be recycled once a new floor is synced.
  [[nodiscard]] const std::vector<std::string>& paths() const { return paths_; }
  // The oldest generation that still needs a replay; the newest one's successor if none does.
  [[nodiscard]] Generation floor() const { return floor_; }
  [[nodiscard]] Generation newest_generation() const { return newest_; }
  [[nodiscard]] uint64_t live_bytes() const { return live_bytes_; }
  [[nodiscard]] uint64_t torn_tails() const { return torn_tails_; }
  // What is damaged between a checkpoint and a point that was synced; empty in every world without bit flips.
  [[nodiscard]] const std::vector<JournalDamage>& corruption() const { return corruption_; }
  // The damage that may have taken records of this log. Null: it is proven that none has.
  [[nodiscard]] const JournalDamage* damage_of(LogId log) const;

 private:
  struct Stretch {
    std::string path;
    StretchHeader header;
    StretchScan scan;  // groups only while it is open
    GroupSequence last;
    GroupSequence max_checkpoint;
    uint64_t last_group = 0;  // where it begins; scan.end_position: there is none
  };
  // What the groups of one journal in a file without a header say.
  struct Headless {
    std::string path;
    GroupSequence synced;
    GroupSequence needed;  // synced, or seen with records
    GroupSequence checkpoint;
  };
  using JournalKey = std::pair<Generation, JournalId>;

  Result<void> read_files(bool clean);
  Result<void> read_headless(const std::string& path);
  void order_and_check();
  Result<void> find_residents();
  static Result<void> rewrite_last_group(const Stretch& stretch, File& file);

  FileSystem* files_ = nullptr;
  std::string folder_;
  Planted planted_ = Planted::none;
  std::vector<Stretch> stretches_;  // those to replay, in order
  std::vector<std::pair<JournalKey, Headless>> headless_;
  std::set<LogId> dead_;
  std::vector<std::string> paths_;
  Generation floor_;
  Generation newest_;
  uint64_t live_bytes_ = 0;
  uint64_t torn_tails_ = 0;
  std::vector<JournalDamage> corruption_;
  // Where logs lived, in generations with damage.
  std::map<std::pair<Generation, LogId>, JournalId> residents_;
};

}  // namespace tidemark::storage
