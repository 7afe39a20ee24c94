// The part of a fetch session (KIP-227) that lives on one shard: the session's partitions there, and which of
// them may have something to say (the dirty ones), so that a poll costs what changed and not what is watched.
// The session, on its home shard, holds it and sends it messages; only the owner shard's loop touches it.
// Any thread may drop the last reference.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "broker/api/partition_read.h"

namespace tidemark::broker {

// What the session says of one of its partitions: new, changed, moved behind the others, or forgotten.
struct WatchChange {
  uint64_t wish = 0;  // the session's number for it
  bool forget = false;
  uint64_t rank = 0;  // partitions are read in this order; unique in a session
  PartitionRead read;
};

class WatchedPartitions final : public replication::PartitionWatcher,
                                public std::enable_shared_from_this<WatchedPartitions> {
 public:
  // Applies the changes; then reads the dirty partitions in the order of their ranks until there are
  // `enough_bytes`. A partition stays dirty while it has data, an error or a diverging epoch, or was not
  // read. `wake` is run once, by the first change from now on; dropped unrun when it expires first. The
  // results' index is the wish. `watched` is held by the call.
  static runtime::Task<std::vector<PartitionReadResult>> poll(std::shared_ptr<WatchedPartitions> watched,
                                                              Shard& shard, std::vector<WatchChange> changes,
                                                              int64_t enough_bytes,
                                                              std::shared_ptr<runtime::Job> wake);

  void partition_changed(uint64_t wish) override;

  [[nodiscard]] size_t size() const { return entries_.size(); }
  [[nodiscard]] size_t dirty() const { return dirty_.size(); }

 private:
  struct Entry {
    uint64_t rank = 0;
    bool dirty = false;
    PartitionRead read;
    std::weak_ptr<replication::Partition> partition;
  };
  void apply(Shard& shard, WatchChange change);
  void mark(uint64_t wish, Entry& entry);
  void clear(Entry& entry);

  std::unordered_map<uint64_t, Entry> entries_;  // by wish
  std::map<uint64_t, uint64_t> dirty_;           // rank -> wish
  std::weak_ptr<runtime::Job> wake_;
};

}  // namespace tidemark::broker
