// What clients know of one group: which generations there were, who owned what in them, and what may be
// committed. Pure; the node world's clients tell it what they asked and were answered.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "protocol/ids.h"
#include "protocol/runtime/time.h"
#include "tests/simulation/partition_model.h"
#include "tests/simulation/wall_clock.h"

namespace tidemark::simulation {

// Whose member id it is: a static member has another one after each restart, made of its instance's name.
inline constexpr std::string_view kStaticPrefix = "static-";
[[nodiscard]] std::string bearer(const std::string& member);

class GroupModel {
 public:
  // Committed, and none: what deleting an offset leaves.
  static constexpr int64_t kNothing = -1;

  explicit GroupModel(std::string name) : name_(std::move(name)) {}
  [[nodiscard]] const std::string& name() const { return name_; }

  // Offsets expire so long after the group was left, or, of a group that nobody joins, after their commit; a
  // group that is empty and has none goes, and its generations begin again (KIP-211). 0: nothing expires.
  // By the wall clocks of the lives that ran meanwhile. REQUIRES: `walls` outlives this.
  void let_expire(runtime::Duration retention, const WallHistory& walls) {
    retention_ = retention;
    walls_ = &walls;
  }

  // --- generations
  // The least that a JoinGroup asked now in this life may be answered with, as long as the group does not go:
  // what was named in this life, or synced in any. `log_may_refuse`: of what was only named the log may know
  // nothing, and the group goes on in the generation before.
  [[nodiscard]] int32_t least_generation(uint64_t life, bool log_may_refuse) const;
  [[nodiscard]] Verdict joined(int32_t generation, const std::string& member, const std::string& leader,
                               int32_t least, uint64_t life, runtime::MonoTime now);
  // It may have been empty at some time until now, with nothing committed any more; or deleted.
  [[nodiscard]] bool may_have_gone(runtime::MonoTime now) const;
  // `life` is asked to delete it, which it may be from now on; and answers.
  void deletion_begins(uint64_t life);
  void deletion_answered(uint64_t life, bool is_deleted);
  // Changes where the group may have gone, and come again.
  [[nodiscard]] uint64_t incarnation() const { return incarnation_; }
  // `incarnation`: when the member joined.
  [[nodiscard]] Verdict synced(int32_t generation, const std::string& member,
                               const std::vector<int32_t>& partitions, uint64_t life, uint64_t incarnation);
  // Something was answered by `now` that only a member of a generation that is in the log hears; asked at
  // `sent`.
  void alive(runtime::MonoTime sent, runtime::MonoTime now);

  // --- at the end
  // Where somebody stands who goes on to be a member, by its host's name.
  struct Standing {
    std::string member;
    int32_t generation = -1;  // -1: in none
    std::vector<int32_t> partitions;
  };
  std::map<std::string, Standing> standings;
  bool settled = false;
  // Nothing: all of them are in one generation, and own each of the partitions once.
  [[nodiscard]] Verdict unsettled(int32_t partitions) const;

  // --- offsets
  using Attempt = uint64_t;
  // A commit is sent; its value is never sent again, unless it is kNothing.
  Attempt commit_begins(PartitionId partition, int64_t value, uint64_t life, runtime::MonoTime now);
  void commit_acknowledged(PartitionId partition, Attempt attempt);
  // It was refused, for certain.
  void commit_refused(PartitionId partition, Attempt attempt);
  [[nodiscard]] uint64_t fetch_begins() { return ++now_; }
  // `value` -1: nothing is committed. `began`: fetch_begins() then; answered by `life` at `now`.
  [[nodiscard]] Verdict fetched(PartitionId partition, int64_t value, uint64_t began, uint64_t life,
                                runtime::MonoTime now);
  [[nodiscard]] uint64_t expired() const { return expired_; }  // offsets that were seen to be

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
    runtime::MonoTime sent{};
    uint64_t answered = 0;          // when; 0: not
    uint64_t may_have_expired = 0;  // before the group's sign of life that came then; 0: not
    uint64_t gone = 0;  // when it was certain that another is newer, or that it has expired; 0: not
    [[nodiscard]] bool is_certain() const { return answered != 0 && gone == 0 && value != kNothing; }
  };
  [[nodiscard]] bool may_expire(const Commit& commit, runtime::MonoTime now) const;
  void lose(std::deque<Commit>& commits, uint64_t before, uint64_t life);

  std::string name_;
  std::map<int32_t, Generation> generations_;
  std::map<PartitionId, std::deque<Commit>> commits_;
  uint64_t now_ = 0;  // counts what happens
  runtime::Duration retention_{0};
  const WallHistory* walls_ = nullptr;
  bool has_members_ = false;
  runtime::MonoTime last_alive_{};
  uint64_t incarnation_ = 0;
  std::multiset<uint64_t> deletions_;  // lives that were asked to delete it, and may have
  bool is_deleted_ = false;            // and nobody is known to have joined since
  uint64_t expired_ = 0;
};

}  // namespace tidemark::simulation
