// What everything derived from a log says of its origin (durability.md, rule 12): it is used only if the log
// confirms it, and otherwise derived again.
#pragma once

#include "storage/format/journal_format.h"

namespace tidemark::storage {

struct DerivedFrom {
  LogId log;
  Offset offset;                       // it covers everything below
  LeaderEpoch epoch = kNoLeaderEpoch;  // of the record before `offset`; -1: there was none
  bool operator==(const DerivedFrom&) const = default;
};

// Whether the log still holds that history: the same incarnation, not cut below `offset`, and with the same
// epoch there. `epoch_below`: the log's own epoch of offset - 1, kNoLeaderEpoch where it has no such record.
[[nodiscard]] inline bool confirms(const DerivedFrom& from, LogId log, Offset log_end,
                                   LeaderEpoch epoch_below) {
  return from.log == log && from.offset <= log_end && from.epoch == epoch_below;
}

}  // namespace tidemark::storage
