// The cluster's metadata on this node: the shell around replication's Controller. It owns the metadata log,
// on shard 0, orders every change through it, holds each response until what it depends on is committed, and
// then gives all shards the new view, with the partitions opened, made or erased that it speaks of. A cluster
// of one is its own controller; forwarding comes with the cluster.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "broker/folder_choice.h"
#include "broker/folder_info.h"
#include "broker/metadata_snapshots.h"
#include "broker/observe/log.h"
#include "broker/shard_change.h"
#include "config/node_config.h"
#include "replication/controller/controller.h"
#include "storage/data_folder.h"

namespace tidemark::broker {

class MetadataService {
 public:
  MetadataService(Shards& shards, const FolderInfos& folders, runtime::Random& random,
                  const config::NodeConfig& config, Uuid cluster_id, Log& events);
  MetadataService(const MetadataService&) = delete;
  MetadataService& operator=(const MetadataService&) = delete;

  // Reads the newest snapshot, and the log behind it, into the controller's image. Error (corruption): the
  // log cannot be trusted, and the node must not start.
  runtime::Task<Result<void>> replay(storage::LogStore& store, std::shared_ptr<storage::Log> log,
                                     storage::FileSystem& files, runtime::Lane& lane);
  // Begins `term`: LeaderChange, the feature levels of a new cluster, and this life of the broker, durably.
  runtime::Task<Result<void>> lead(LeaderEpoch term, replication::BrokerRegistration registration);
  // Opens the partitions that the image gives to this node: from `recovered`, or new (folder_choice.h). What
  // is left there belongs to topics that are gone, and is erased. Then every shard has its first view.
  static constexpr runtime::Duration kReopenInterval = std::chrono::seconds(1);
  struct FoundLog {
    size_t folder = 0;
    storage::RecoveredLog log;
    bool moved = false;  // made in another data folder: its state and its damage alone are known
  };
  using Recovered = std::map<TopicIdPartition, std::vector<FoundLog>>;  // one of each, as a rule
  runtime::Task<Result<void>> open_partitions(Recovered recovered);

  // Told once of every partition of this node that cannot be opened; it is tried again.
  std::function<void(const UnopenedPartition&)> on_unopened;
  // Of this node, and nobody is sent to them: they could not be opened, or their folder is not there.
  [[nodiscard]] size_t unopened() const { return unopened_.size() + absent_.size(); }

  // From now on snapshots are taken: behind so many bytes of the log (see snapshot_due()), and behind any
  // after metadata.log.max.snapshot.interval.ms. Call it when the store may checkpoint.
  void allow_snapshots();
  // Decides no more and takes no more snapshots, and waits for what is under way. A decision that waits for
  // its turn, or comes later, is never answered.
  runtime::Task<void> stop();

  // Decides on the newest image, appends what it decided, and returns its response when the records are
  // committed and every shard has applied them. Any shard may call it; `home` is the caller's loop.
  // KAFKA_STORAGE_ERROR: the metadata log is offline; what was decided may be persisted.
  template <class Value>
  using Decide = std::function<replication::Decision<Value>(const replication::Controller&)>;
  template <class Value>
  runtime::Task<Result<Value>> decide(runtime::Scheduler& home, Decide<Value> decision) {
    auto make = [this, decision = std::move(decision)] { return decide_here<Value>(decision); };
    auto calling = shards_[0]->call(home, std::move(make));
    auto value = co_await calling;
    co_return value;
  }

  // Shard 0 only.
  [[nodiscard]] const replication::Controller& controller() const { return controller_; }
  [[nodiscard]] const std::shared_ptr<storage::Log>& log() const { return log_; }
  [[nodiscard]] LeaderEpoch term() const { return term_; }
  // Constant once lead() is done.
  [[nodiscard]] BrokerEpoch broker_epoch() const { return broker_epoch_; }
  // Of this node's replica, as the metadata has it.
  [[nodiscard]] Uuid directory_of(const replication::PartitionImage& partition) const;
  [[nodiscard]] BrokerId node() const { return config_.node_id; }
  [[nodiscard]] const config::NodeConfig& node_config() const { return config_; }

 private:
  template <class Value>
  runtime::Task<Result<Value>> decide_here(Decide<Value> decision) {
    auto turn = take_turn();
    co_await turn;
    auto decided = decision(controller_);
    auto committing = commit(std::move(decided.records));
    auto committed = co_await committing;
    release_turn();
    if (!committed) co_return fail(committed.error());
    co_return Result<Value>(std::move(decided.response));
  }

  // One change at a time: its records are committed and published before the next is decided.
  runtime::Task<void> take_turn();
  void release_turn();
  runtime::Task<Result<void>> commit(replication::RecordList records);
  // Appends, waits until committed, applies. Publishes nothing.
  runtime::Task<Result<replication::ImageDelta>> commit_records(replication::RecordList records);
  // Appends; durable once the log's counted() has reached the end that this leaves.
  runtime::Task<Result<Offset>> append(std::vector<std::byte> batch);
  runtime::Task<Result<void>> committed();
  runtime::Task<Result<void>> load_snapshot();
  [[nodiscard]] bool snapshot_due() const;
  void consider_snapshot();
  runtime::Task<void> take_snapshot();
  runtime::Task<Result<void>> keep_snapshot(std::shared_ptr<const replication::MetadataImage> image,
                                            int64_t timestamp_ms);
  runtime::Task<void> snapshot_loop();
  runtime::Task<void> publish(replication::ImageDelta delta);
  void tell(const replication::ImageDelta& delta) const;
  runtime::Task<void> publish_view(std::shared_ptr<const ClusterView> view);
  // By shard; returns the partitions that could not be opened.
  using Changes = std::vector<std::shared_ptr<ShardChange>>;
  runtime::Task<std::vector<UnopenedPartition>> run_changes(const Changes& changes);
  // Nobody is sent to a partition that could not be opened: a full disk may have room again, and then it is.
  void set_unopened(ClusterView& view, const std::vector<UnopenedPartition>& failed);
  void begin_reopening();
  runtime::Task<void> reopen_loop();
  runtime::Task<void> reopen();
  [[nodiscard]] std::shared_ptr<ClusterView> next_view() const;
  uint16_t least_loaded();
  [[nodiscard]] std::vector<FolderState> folder_states() const;
  void check_epoch(storage::RecoveredLog& log, const replication::PartitionImage& partition);
  // Where its log stands, or is to be made. nullopt: it stays away, which is told.
  std::optional<size_t> place(ShardChange::Open& open, const replication::PartitionImage& partition,
                              std::vector<FoundLog> found, ShardChange& strays);
  // The same for a log that is new. nullopt: nowhere, as long as its folder is offline.
  std::optional<size_t> place_new(const replication::PartitionImage& partition) const;
  // What stands elsewhere than the metadata says, but for what could not be opened, it says from now on.
  runtime::Task<void> tell_directories(ClusterView& view, const Changes& opened,
                                       const std::vector<UnopenedPartition>& failed);
  [[nodiscard]] config::TopicConfig topic_config(std::string_view topic) const;

  Shards& shards_;
  Log& events_;
  const runtime::Clock& clock_;
  const config::NodeConfig& config_;
  replication::Controller controller_;
  std::shared_ptr<storage::Log> log_;
  storage::LogStore* store_ = nullptr;  // log_'s
  std::unique_ptr<MetadataSnapshots> snapshots_;
  runtime::Lane* lane_ = nullptr;                    // of the snapshots' files
  std::optional<replication::SnapshotId> snapshot_;  // the newest that is known to be good
  uint64_t snapshot_bytes_ = 0;                      // its size
  uint64_t bytes_since_snapshot_ = 0;                // of the log
  int64_t last_timestamp_ms_ = -1;                   // of the newest batch
  bool snapshots_allowed_ = false;
  bool snapshotting_ = false;
  runtime::Signal snapshot_done_;
  std::shared_ptr<const ClusterView> view_;
  const FolderInfos& folders_;
  std::vector<size_t> partitions_on_;                     // by shard
  std::vector<size_t> partitions_in_;                     // by folder
  std::set<TopicIdPartition> absent_;                     // ours, in folders that are not there
  std::set<TopicIdPartition> reported_;                   // of those, on_unopened was told
  std::set<TopicIdPartition> unopened_;                   // ours, and on no shard
  std::vector<replication::DirectoryAssignment> untold_;  // the metadata log had no room for them
  bool reopening_ = false;
  LeaderEpoch term_ = kNoLeaderEpoch;
  BrokerEpoch broker_epoch_{-1};
  bool deciding_ = false;
  std::deque<runtime::OneShot<bool>::Resolver> turns_;
};

}  // namespace tidemark::broker
