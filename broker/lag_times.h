// The times of the first records that groups have not read, for group_lag.h: those that it remembers from one
// look to the next, and who may look up the next on the disk, where a look has room for few. First who has
// none; then everybody who has the time of an older record, by turns: in as many looks as it takes to serve
// all that ask, each is served once, so that nobody starves behind others that ask in every look. The owner's
// thread; no I/O, no clock: time is counted in looks.
#pragma once

#include <map>
#include <optional>

#include "broker/group_metrics.h"
#include "protocol/ids.h"

namespace tidemark::broker {

// What one look has for the disk.
struct DiskLooks {
  static constexpr size_t kMost = 64;
  static constexpr size_t kForFirst = 32;  // of these, for partitions that have no time yet
  size_t left = kMost;
};

class LagTimes {
 public:
  using Key = PartitionLag::Key;
  // Times that are remembered.
  static constexpr size_t kMost = 10'000;
  // After so many looks, about five minutes, a record is looked up again: compaction may have removed it.
  static constexpr uint64_t kTrusted = 300;

  // What is known before a look.
  struct Known {
    Offset offset = kNoOffset;  // of the record; kNoOffset: none
    bool is_trusted = false;    // that it is still there, and has that time
    bool is_due = false;        // its turn for the disk has come
    // Of the partition whose first record that is not read is at `first`:
    [[nodiscard]] bool lacks(Offset first) const { return offset != first || !is_trusted; }
    [[nodiscard]] bool may_read(Offset first, DiskLooks& looks) const;
  };
  [[nodiscard]] Known known(const Key& key) const;

  struct Time {
    std::optional<int64_t> ms;  // none: the record has none, or cannot be read
  };
  // What a look has found.
  struct Found {
    Offset first;              // not yet read, of those that the log still has
    bool asks_disk = false;    // its time is lacking, and not in memory
    std::optional<Time> time;  // where it was looked up
  };
  // That of the first record; or of an older one, whose turn has not come; never of a newer one, after a
  // reset. nullopt: not known yet.
  std::optional<Time> take(const Key& key, const Found& found);
  // Forgets what was not taken since the last time.
  void end_look();

 private:
  struct Remembered {
    Offset offset;
    Time time;
    uint64_t look;  // in which it was looked up
  };
  uint64_t look_ = 0;
  std::map<Key, Remembered> known_, taken_;
  size_t asking_ = 0;  // the disk, in this look
  uint64_t turn_ = 1;  // looks until everybody who asked in the last one can have been served
};

}  // namespace tidemark::broker
