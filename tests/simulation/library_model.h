// What the client library's own clients know of the topic that is theirs alone, and its judge: a record that
// was delivered is where it was said to be, one that was refused is nowhere, none is there twice, each
// producer's are in the order in which it sent them, and no offset ever has two contents. A group's reader
// begins where the group has committed.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "tests/simulation/partition_model.h"

namespace tidemark::simulation {

class LibraryModel {
 public:
  explicit LibraryModel(int32_t partitions) : partitions_(static_cast<size_t>(partitions)) {}
  [[nodiscard]] int32_t partitions() const { return static_cast<int32_t>(partitions_.size()); }

  // --- records, numbered from 1
  // The next one of this producer for this partition.
  uint64_t sends(uint64_t producer, PartitionId partition);
  // Its producer says so. Without an offset: it is in the log, and nobody says where.
  Verdict delivered(uint64_t number, std::optional<Offset> at);
  // It was not sent, or surely not taken.
  Verdict refused(uint64_t number);
  // A reader of the partition met it.
  Verdict saw(PartitionId partition, Offset at, uint64_t number);
  // What was delivered, nobody said where to, and no reader has met. After a look at everything.
  [[nodiscard]] Verdict unmet() const;
  // Behind the last record that is known to be in the partition.
  [[nodiscard]] Offset certain_end(PartitionId partition) const { return of(partition).certain_end; }

  // --- the group
  // A member commits: the attempt's number. Without committed() nobody knows what became of it, whatever the
  // member is told: a commit may be sent twice, and the answer be the second one's.
  uint64_t commits(PartitionId partition, Offset next);
  void committed(PartitionId partition, uint64_t attempt);
  // A member was told where to begin (nothing: nowhere was committed).
  Verdict begins(PartitionId partition, std::optional<Offset> at) const;
  // It has processed what lies before.
  void processed(PartitionId partition, Offset next);
  [[nodiscard]] bool all_processed() const;

 private:
  struct Record {
    uint64_t producer = 0;
    PartitionId partition;
    bool is_refused = false;
    bool is_delivered = false;
    std::optional<Offset> at;  // where it was said to be, or met
  };
  struct Attempt {
    Offset next;
    bool is_open = true;
  };
  struct Partition {
    std::map<Offset, uint64_t> records;
    Offset certain_end{0};
    std::vector<Attempt> attempts;
    std::optional<size_t> committed;  // the last that is certain, of those
    Offset processed{0};
  };
  [[nodiscard]] const Partition& of(PartitionId p) const { return partitions_[static_cast<size_t>(p.value)]; }
  Partition& of(PartitionId p) { return partitions_[static_cast<size_t>(p.value)]; }
  Verdict stands(Record& record, uint64_t number, Offset at);

  std::vector<Record> records_;  // by number, from 1
  std::vector<Partition> partitions_;
};

}  // namespace tidemark::simulation
