// What clients know of the whole node: every topic that was ever there, by id, which of them each name means
// now, its settings, and every producer id. An admin operation takes its name's turn: while one is under way,
// or ended without an answer, the name is `busy`, and what is seen of it must fit before or after.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/partition_model.h"

namespace tidemark::simulation {

struct TopicModel {
  TopicModel(std::string n, Uuid i) : name(std::move(n)), id(i) {}
  // REQUIRES: partitions only grow.
  void set_partitions(int32_t count);
  // Somebody has asked for a cleanup.policy with `compact`.
  void may_be_compacted();
  PartitionModel& partition(PartitionId p) { return partitions[static_cast<size_t>(p.value)]; }
  [[nodiscard]] int32_t partition_count() const { return static_cast<int32_t>(partitions.size()); }

  const std::string name;
  const Uuid id;
  bool gone = false;
  uint64_t gone_at = 0;  // ClusterModel::changes() then
  bool compacts = false;
  std::deque<PartitionModel> partitions;
  std::map<std::string, std::string> settings;  // that were set
};
using TopicPtr = std::shared_ptr<TopicModel>;

// Instead of a life: it was done, but its answer left something out.
inline constexpr uint64_t kAcknowledged = UINT64_MAX;

struct NameModel {
  enum class Pending : uint8_t { none, create, erase, partitions, alter };
  TopicPtr topic;                   // nullptr: there is none
  bool busy = false;                // an operation is under way, or pending
  Pending pending = Pending::none;  // ended without an answer: done, or not, or yet to be
  uint64_t pending_life = 0;        // of the process that may still do it
  int32_t pending_partitions = 0;
  std::map<std::string, std::string> pending_settings;
  // The furthest that a DeleteRecords without an answer asked for: it names no topic id, and may yet be done
  // to a namesake.
  std::map<PartitionId, Offset> late_trims;
  uint64_t version = 0;  // moves when any of this does
};

class ClusterModel {
 public:
  explicit ClusterModel(size_t names);

  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  NameModel& name(const std::string& n) { return by_name_.at(n); }
  [[nodiscard]] TopicPtr topic(const Uuid& id) const;
  [[nodiscard]] const std::vector<TopicPtr>& topics() const { return topics_; }
  // Moves with every change of any topic.
  [[nodiscard]] uint64_t changes() const { return changes_; }

  void begin(const std::string& name);
  // It did not happen, for certain.
  void refused(const std::string& name);
  void unanswered(const std::string& name, NameModel::Pending pending, uint64_t life);
  [[nodiscard]] Verdict created(const std::string& name, Uuid id, int32_t partitions,
                                std::map<std::string, std::string> settings);
  void erased(const std::string& name);
  void grown(const std::string& name, int32_t partitions);
  // After `life` the folder with this log is lost. A partition that nobody knows of yet may have been on its
  // way to be made there, or have got no further than to have a folder.
  void lost(const Uuid& topic, PartitionId partition, uint64_t life);
  // So may be whatever else stands in no folder that is left: a journal that was lost may have known of it.
  // And what nobody knows of yet.
  void others_may_be_lost(const std::set<std::pair<Uuid, PartitionId>>& left, uint64_t life);
  void trim_unanswered(const std::string& name, PartitionId partition, Offset to);
  void altered(const std::string& name, const std::map<std::string, std::string>& settings);

  // What a Metadata response of life `life` says of a name, whose version was `version` when it was asked.
  struct Seen {
    Uuid id;
    int32_t partitions = 0;
  };
  [[nodiscard]] Verdict saw(const std::string& name, const std::optional<Seen>& seen, uint64_t version,
                            uint64_t life);
  // What DescribeConfigs says of one setting of it: nothing if it is not the topic's own.
  [[nodiscard]] Verdict saw_setting(const std::string& name, const std::string& key,
                                    const std::optional<std::string>& value, uint64_t version, uint64_t life);
  [[nodiscard]] bool settings_pending(const std::string& name) const;
  void settings_settled(const std::string& name);

  [[nodiscard]] Verdict new_producer_id(ProducerId id);

  SentBatch& sent(SentBatch batch) {
    const uint64_t identity = batch.identity;
    return batches_.emplace(identity, std::move(batch)).first->second;
  }
  [[nodiscard]] SentBatch* batch(uint64_t identity);
  // Whether a tombstone of the key may stand in that partition without anybody knowing where.
  [[nodiscard]] bool may_hold_tombstone(const TopicModel& topic, PartitionId partition, int32_t key) const;
  // Whether a batch may stand in that topic at all.
  [[nodiscard]] static bool belongs(const SentBatch& batch, const TopicModel& topic);

 private:
  NameModel& change(const std::string& name);
  void settle(NameModel& name);
  static void allow_late_trims(NameModel& name);
  void tell_lost(TopicModel& topic);

  std::vector<std::string> names_;
  std::map<std::string, NameModel> by_name_;
  std::vector<TopicPtr> topics_;
  std::map<Uuid, TopicPtr> by_id_;
  std::map<Uuid, std::map<PartitionId, uint64_t>> lost_unknown_;  // -> life
  std::map<std::string, uint64_t> changing_at_loss_;              // names that were busy -> life
  std::set<ProducerId> producer_ids_;
  std::map<uint64_t, SentBatch> batches_;
  uint64_t changes_ = 0;
};

}  // namespace tidemark::simulation
