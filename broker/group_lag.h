// Looks at a shard's groups, over and over, for the metrics: how each stands, and how far each of its
// partitions is behind. It walks through the coordinators' images in pieces with pauses in between, asks the
// shards where the partitions live for high watermarks, and finds the time of the first record that is not
// yet read: from a batch's header in memory, or a bounded number of times from the disk, in its read lane
// (lag_times.h).
// Owned by the node, one for each shard, on its loop; never on a request's path.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/group_coordinators.h"
#include "broker/group_metrics.h"
#include "broker/lag_times.h"

namespace tidemark::broker {

class GroupLag {
 public:
  // All of them outlive its tasks, which are `home`'s.
  GroupLag(Shard& home, const std::vector<std::unique_ptr<Shard>>& shards,
           const GroupCoordinators& coordinators, GroupMetrics& metrics)
      : home_(home), shards_(shards), coordinators_(coordinators), metrics_(metrics) {}

  runtime::Task<void> run();

  // A look begins so long after the end of the one before it.
  static constexpr auto kLookEvery = std::chrono::seconds(1);
  // Groups and offsets that are looked at between two pauses.
  static constexpr size_t kPiece = 500;
  static constexpr auto kPause = std::chrono::milliseconds(5);

  // What a partition is asked.
  struct Question {
    TopicIdPartition id;
    Offset committed;
    std::optional<LagTimes::Known> known;  // none: nobody asks for times
  };
  struct Answer {
    Offset high_watermark = kNoOffset;  // kNoOffset: the partition is not to be read here
    LagTimes::Found found;
  };
  struct Answers {
    std::vector<Answer> answers;  // in the order of the questions
    DiskLooks disk_looks;         // that are left
  };

 private:
  struct Row {
    size_t group;  // of the piece's
    std::string topic;
    uint16_t shard;
    Question question;
    Answer answer{};
  };
  struct Piece {
    std::vector<GroupStanding> groups;
    std::vector<Row> rows;
    bool last_goes_on = false;  // its last group
  };
  // Where the next piece begins.
  struct Place {
    PartitionId coordinator{0};
    std::optional<std::string> group;                           // none: the coordinator's first
    std::optional<std::pair<std::string, PartitionId>> inside;  // none: the group's beginning
  };

  [[nodiscard]] Piece gather();
  bool gather(const GroupShell& shell, Piece& piece, size_t& room);
  bool gather(const coordinator::GroupImage& group, Piece& piece, size_t& room);
  GroupStanding standing_of(const GroupShell& shell, const std::string& group) const;
  runtime::Task<void> ask(Piece& piece);
  void take(Piece piece);
  void take_seconds(const Row& row, PartitionLag& lag, GroupStanding& group);

  Shard& home_;
  const std::vector<std::unique_ptr<Shard>>& shards_;
  const GroupCoordinators& coordinators_;
  GroupMetrics& metrics_;
  // Of the look that is under way:
  Place place_;
  bool at_end_ = false;
  std::optional<GroupStanding> goes_on_;  // the group that the last piece has begun
  DiskLooks disk_looks_;                  // that are left
  GroupLook look_;
  size_t unnamed_groups_ = 0, unnamed_partitions_ = 0;  // whose names can be no labels
  LagTimes times_;
  BestRows<GroupStanding> groups_{kMaxGroupSeries};
  BestRows<PartitionLag> partitions_{kMaxGroupPartitionSeries};
};

// The partitions of `shard`, on its loop.
runtime::Task<GroupLag::Answers> look_at_partitions(Shard& shard, std::vector<GroupLag::Question> questions,
                                                    DiskLooks disk_looks);

}  // namespace tidemark::broker
