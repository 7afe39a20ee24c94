// The shell of one GroupCoordinator: the groups of one partition of __consumer_offsets, on that partition's
// shard. It reads the log into the core, then makes one call of it after the other, appends and applies what
// each decides before the next, and lets replies go when the high watermark has passed everything appended
// before them. It ends with the partition: the log went offline, the topic was deleted, or the node stops.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>

#include "broker/coordinator/coordinator.h"
#include "broker/group_metrics.h"
#include "broker/observe/log.h"
#include "broker/shard.h"
#include "protocol/batch/batch_iterator.h"

namespace tidemark::broker {

class GroupShell : public std::enable_shared_from_this<GroupShell> {
 public:
  // `shard`, `shards`, `random`, `events` and `metrics` (nullptr: nobody counts) outlive its tasks, which are
  // the shard's.
  GroupShell(Shard& shard, const std::vector<std::unique_ptr<Shard>>& shards,
             std::shared_ptr<replication::Partition> partition, coordinator::GroupSettings settings,
             runtime::Random& random, Log& events, GroupMetrics* metrics,
             storage::Planted planted = storage::Planted::none);

  // Once.
  void start();
  // What is parked is answered NOT_COORDINATOR, and so is everything from now on.
  void stop();

  // The reply may take as long as a rebalance does.
  runtime::Task<coordinator::ReplyBody> ask(coordinator::Request request);
  void topic_deleted(std::string topic, const Uuid& id);
  runtime::Task<void> wait_ended(runtime::MonoTime deadline);

  // Its groups have no coordinator until the node starts anew: the log went offline, or cannot be loaded.
  [[nodiscard]] bool failed() const { return !stopping_ && (ended_ || partition_->log().offline()); }
  [[nodiscard]] const coordinator::GroupCoordinator& core() const { return *core_; }
  [[nodiscard]] const TopicIdPartition& partition() const { return partition_->id(); }

 private:
  struct Asked {
    coordinator::RequestToken token;
    coordinator::Request request;
    size_t bytes;  // that it keeps in memory
  };
  struct Deleted {
    std::string topic;
    Uuid id;
  };
  struct Held {
    Offset needed;  // what the high watermark must reach
    coordinator::Reply reply;
  };

  [[nodiscard]] coordinator::Now moment() const;
  [[nodiscard]] bool ending() const { return stopping_ || partition_->log().offline(); }
  // `self` keeps it while they run.
  runtime::Task<void> run(std::shared_ptr<GroupShell> self);
  runtime::Task<void> release_loop(std::shared_ptr<GroupShell> self);
  runtime::Task<Result<void>> load();
  Result<void> apply_batch(const protocol::BatchView& batch);
  void skip_unreadable(Offset offset, const Error& why);
  void forget_missing_topics();
  runtime::Task<void> decide_next();
  runtime::Task<void> decide_input();
  // What partitions hold, as far as their shards say. Of a topic that is no more: nothing.
  runtime::Task<coordinator::Extents> look_at(coordinator::Partitions partitions);
  runtime::Task<void> carry_out(coordinator::Decision decision);
  // Appends and applies records from `first` on, as many as fit one batch; the first one that is left.
  runtime::Task<Result<size_t>> append(const coordinator::RecordList& records, size_t first);
  void apply(const coordinator::Record& record);
  // Of the planted bugs.
  void plant_in(coordinator::Request& request) const;
  void plant_unlogged_expiry(coordinator::Decision& due);
  [[nodiscard]] coordinator::Decision plant_expiry() const;
  [[nodiscard]] coordinator::Now moment_of_promotion() const;
  // What has been decided and is in the log.
  void report(const coordinator::Decision& decision);
  void hold(std::vector<coordinator::Reply> replies);
  void answer(coordinator::Reply reply);
  void end();

  Shard& shard_;
  const std::vector<std::unique_ptr<Shard>>& shards_;
  // That were asked what partitions hold, and have not answered.
  const std::shared_ptr<std::set<uint16_t>> silent_ = std::make_shared<std::set<uint16_t>>();
  const std::shared_ptr<replication::Partition> partition_;
  const coordinator::GroupSettings settings_;
  Log& events_;
  GroupMetrics* const metrics_;
  const storage::Planted planted_;
  runtime::Random& random_;
  std::unique_ptr<coordinator::GroupCoordinator> core_;  // never null; another for each try to load the log
  std::deque<std::variant<Asked, Deleted>> inputs_;
  size_t input_bytes_ = 0;  // of the requests among them
  std::map<coordinator::RequestToken, runtime::OneShot<coordinator::ReplyBody>::Resolver> asking_;
  std::deque<Held> held_;  // Invariant: `needed` never falls
  Offset appended_;        // the end of what this shell has seen appended
  uint64_t last_token_ = 0;
  LogLimiter refusals_{1};
  coordinator::Record lagging_;  // planted: appended, and not applied
  LogLimiter skipped_{1};
  LogLimiter reports_{10};
  LogLimiter loops_{1};
  bool stopping_ = false;
  bool ended_ = false;
  runtime::Signal input_;    // an input, or the end
  runtime::Signal holding_;  // a reply that is held, or the end
};

}  // namespace tidemark::broker
