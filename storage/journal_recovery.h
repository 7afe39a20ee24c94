// Reads what the journals of earlier starts hold: finds the stretches, orders their groups, tells a torn tail
// from corruption, and hands out the records that need a replay, oldest first, whatever number of journals
// wrote them. Blocking; runs before the folder serves.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "storage/file.h"
#include "storage/format/journal_format.h"
#include "storage/planted.h"

namespace tidemark::storage {

class JournalRecovery {
 public:
  // Reads every journal file in `folder` and syncs those it will replay: after a killed process they may hold
  // a group that no sync has covered yet, and what is served must not vanish later.
  // `clean`: the last start stopped cleanly, everything is in the files, and there is nothing to replay.
  static Result<JournalRecovery> open(FileSystem& files, std::string folder, Planted planted,
                                      bool clean = false);

  // Calls `visit` for each record that needs a replay, in order; stops at its first error. The record's views
  // die with the call.
  Result<void> replay(const std::function<Result<void>(const JournalRecord&)>& visit);

  // Logs that some record of these journals erased.
  [[nodiscard]] const std::set<LogId>& dead() const { return dead_; }
  // Every journal file found, to be recycled once a new floor is synced.
  [[nodiscard]] const std::vector<std::string>& paths() const { return paths_; }
  // The oldest generation that still needs a replay; the newest one's successor if none does.
  [[nodiscard]] Generation floor() const { return floor_; }
  [[nodiscard]] Generation newest_generation() const { return newest_; }
  [[nodiscard]] uint64_t live_bytes() const { return live_bytes_; }
  [[nodiscard]] uint64_t torn_tails() const { return torn_tails_; }
  // What is damaged below a point that was synced, one line each; empty in every world without bit flips.
  [[nodiscard]] const std::vector<std::string>& corruption() const { return corruption_; }

 private:
  struct Stretch {
    std::string path;
    StretchHeader header;
    StretchScan scan;  // groups only while it is open
    GroupSequence last;
    GroupSequence max_checkpoint;
    uint64_t last_group = 0;  // where it begins; scan.end_position: there is none
  };

  Result<void> read_files(bool clean);
  void order_and_check();
  static Result<void> rewrite_last_group(const Stretch& stretch, File& file);

  FileSystem* files_ = nullptr;
  std::string folder_;
  Planted planted_ = Planted::none;
  std::vector<Stretch> stretches_;  // those to replay, in order
  std::vector<std::string> headless_;
  std::set<LogId> dead_;
  std::vector<std::string> paths_;
  Generation floor_;
  Generation newest_;
  uint64_t live_bytes_ = 0;
  uint64_t torn_tails_ = 0;
  std::vector<std::string> corruption_;
};

}  // namespace tidemark::storage
