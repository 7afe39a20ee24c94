// Looks at everything, once in a life of the broker, and at the groups again and again: its term, every topic
// and its settings, every record of every partition from the log's start to the high watermark; and whether
// what groups are told that they have committed is what a replay of their log gives.
#pragma once

#include "tests/simulation/group_log.h"
#include "tests/simulation/node_admin.h"

namespace tidemark::simulation {

class NodeVerifier final : public NodeAdmin {
 public:
  using NodeAdmin::NodeAdmin;

  // Begins again, for the life that runs now; verified_life() says which one was looked at to the end last.
  // `goes_on`: until the life ends.
  void verify(bool goes_on) {
    read_life_ = verified_life_ = 0;
    goes_on_ = goes_on;
    begin();
  }
  [[nodiscard]] uint64_t verified_life() const { return verified_life_; }

 private:
  runtime::Task<void> operate() override;
  runtime::Task<bool> look_at_everything();
  runtime::Task<bool> read_everything();
  runtime::Task<bool> read_partition(TopicPtr topic, PartitionId partition);
  // A compacted topic's: the newest record of each key was met, or a newer one. `known`: before.
  void judge_keys(const TopicModel& topic, PartitionId partition, const KeyTable& known);

  // While clients go on: what is answered before the log is read, and still after it, is what it said.
  runtime::Task<bool> look_at_groups();
  runtime::Task<std::optional<CommittedOffsets>> committed_offsets();
  runtime::Task<std::optional<CommittedOffsets>> replay_of_log();

  uint64_t read_life_ = 0;  // whose records are read
  uint64_t verified_life_ = 0;
  bool goes_on_ = false;
};

}  // namespace tidemark::simulation
