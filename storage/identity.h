// Who owns a data folder, and how often it was started: `tidemark/identity` (a double-written file).
// Generation, term and vote are what no log holds; each start and each vote is synced before it has an
// effect.
#pragma once

#include "storage/double_written_file.h"
#include "storage/format/journal_format.h"

namespace tidemark::storage {

struct Identity {
  Uuid cluster_id;
  Uuid folder_id;  // Kafka's directory id
  BrokerId node;
  Generation generation;      // of the last start; journals carry it
  Generation clean_stop;      // the generation that stopped cleanly last; only ever matches its own
  LeaderEpoch term;           // of the metadata log
  BrokerId vote = kNoBroker;  // in that term
  // The newest term that a folder without the metadata log has served in; 0: none that was told. An older
  // metadata log does not know all that the folder holds.
  LeaderEpoch served_term;
  bool operator==(const Identity&) const = default;
};

class IdentityFile {
 public:
  // Error (format): written by a newer release.
  static Result<IdentityFile> open(FileSystem& files, const std::string& path);
  // nullopt: a new folder, or (damaged()) one whose identity cannot be read: what it held must not be
  // guessed.
  [[nodiscard]] const std::optional<Identity>& identity() const { return identity_; }
  [[nodiscard]] bool damaged() const { return file_->damaged(); }
  Result<void> write(const Identity& identity);

 private:
  std::optional<DoubleWrittenFile> file_;
  std::optional<Identity> identity_;
};

}  // namespace tidemark::storage
