// Looks at everything, once in a life of the broker: its term, every topic and its settings, every record of
// every partition from the log's start to the high watermark.
#pragma once

#include "tests/simulation/node_admin.h"

namespace tidemark::simulation {

class NodeVerifier final : public NodeAdmin {
 public:
  using NodeAdmin::NodeAdmin;

  // Begins again, for the life that runs now; verified_life() says which one was looked at to the end last.
  void verify() { begin(); }
  [[nodiscard]] uint64_t verified_life() const { return verified_life_; }

 private:
  runtime::Task<void> operate() override;
  runtime::Task<bool> look_at_everything();
  runtime::Task<bool> read_everything();
  runtime::Task<bool> read_partition(TopicPtr topic, PartitionId partition);
  // A compacted topic's: the newest record of each key was met, or a newer one. `known`: before.
  void judge_keys(const TopicModel& topic, PartitionId partition, const KeyTable& known);

  uint64_t verified_life_ = 0;
};

}  // namespace tidemark::simulation
