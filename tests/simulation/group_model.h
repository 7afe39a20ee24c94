// What clients know of one group: which generations there were, who owned what in them, and what may be
// committed. Pure; the node world's clients tell it what they asked and were answered.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "protocol/ids.h"
#include "tests/simulation/partition_model.h"

namespace tidemark::simulation {

class GroupModel {
 public:
  explicit GroupModel(std::string name) : name_(std::move(name)) {}
  [[nodiscard]] const std::string& name() const { return name_; }

  // --- generations
  // The least that a JoinGroup asked now in this life may be answered with: what was named in this life, or
  // synced in any.
  [[nodiscard]] int32_t least_generation(uint64_t life) const;
  [[nodiscard]] Verdict joined(int32_t generation, const std::string& member, const std::string& leader,
                               int32_t least, uint64_t life);
  [[nodiscard]] Verdict synced(int32_t generation, const std::string& member,
                               const std::vector<int32_t>& partitions, uint64_t life);

  // --- offsets
  using Attempt = uint64_t;
  // A commit is sent; its value is never sent again.
  Attempt commit_begins(PartitionId partition, int64_t value, uint64_t life);
  void commit_acknowledged(PartitionId partition, Attempt attempt);
  // It was refused, for certain.
  void commit_refused(PartitionId partition, Attempt attempt);
  [[nodiscard]] uint64_t fetch_begins() { return ++now_; }
  // `value` -1: nothing is committed.
  [[nodiscard]] Verdict fetched(PartitionId partition, int64_t value, uint64_t began) const;

 private:
  struct Generation {
    std::string leader;
    uint64_t life = 0;  // that named it
    bool synced = false;
    std::map<int32_t, std::string> owners;  // by partition
  };
  struct Commit {
    Attempt attempt = 0;  // and when it was sent
    int64_t value = -1;
    uint64_t life = 0;
    uint64_t answered = 0;  // when; 0: not
    uint64_t gone = 0;      // when it was certain that another is newer; 0: not
  };

  std::string name_;
  std::map<int32_t, Generation> generations_;
  std::map<PartitionId, std::deque<Commit>> commits_;
  uint64_t now_ = 0;  // counts what happens
};

}  // namespace tidemark::simulation
