// One replica of a partition on its shard: the log, who leads it in which epoch, and who waits for it. In a
// cluster of one it always leads and the high watermark is what the log counts; followers, ISR and their acks
// come with the cluster.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/topic_config.h"
#include "protocol/batch/header.h"
#include "protocol/runtime/task.h"
#include "replication/partition/refused_producers.h"
#include "storage/log.h"

namespace tidemark::replication {

struct Appended {
  Offset base_offset;
  Offset next_offset;  // acks=all is answered when the high watermark has reached it
  int64_t log_append_time_ms = -1;
  Offset log_start;
  bool duplicate = false;
};

// Told of every change of a partition that it watches; see Partition::watch().
class PartitionWatcher {
 public:
  virtual ~PartitionWatcher() = default;
  virtual void partition_changed(uint64_t token) = 0;
};

class Partition {
 public:
  Partition(TopicIdPartition id, std::string topic, std::shared_ptr<storage::Log> log,
            runtime::Scheduler& loop);
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;
  ~Partition();

  [[nodiscard]] const TopicIdPartition& id() const { return id_; }
  [[nodiscard]] const std::string& topic() const { return topic_; }
  [[nodiscard]] storage::Log& log() { return *log_; }
  [[nodiscard]] const std::shared_ptr<storage::Log>& shared_log() const { return log_; }
  [[nodiscard]] LeaderEpoch leader_epoch() const { return leader_epoch_; }
  [[nodiscard]] const config::TopicConfig& config() const { return config_; }
  [[nodiscard]] Offset high_watermark() const { return log_->counted(); }
  // What read_committed consumers may read up to; without transactions, the high watermark.
  [[nodiscard]] Offset last_stable_offset() const { return high_watermark(); }

  // The log's epochs, and the one that this replica leads in from where it began, though nothing may have
  // been appended in it. A client is told of it (KIP-320); the log knows an epoch by its first batch.
  [[nodiscard]] storage::LeaderEpochCache epochs() const;

  // Leads in `epoch` from now on, with these settings.
  runtime::Task<Result<void>> lead(LeaderEpoch epoch, config::TopicConfig config);

  // Appends a checked batch: appends of one partition happen in the order of the calls. Errors: the disk is
  // full or gone (KAFKA_STORAGE_ERROR), the producer's sequence or epoch is wrong. A batch that stands in the
  // log already is a success. `behind_refused`: RefusedProducers of the connection's shard holds it back.
  runtime::Task<Result<Appended>> append(runtime::BufferSlice batch, protocol::BatchHeader header,
                                         bool behind_refused = false);
  // Done when the high watermark has reached `offset`; false if the log went offline first: possibly
  // persisted.
  runtime::Task<bool> wait_high_watermark(Offset offset) { return log_->wait_counted(offset); }
  // The same of this leader's log alone.
  runtime::Task<bool> wait_leader(Offset offset) { return log_->wait_counted(offset); }

  // Whether the log can be looked at for a client with this idea of the leader epoch (KIP-320; -1: none).
  // NONE, the log's error while it is offline, FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH.
  [[nodiscard]] ErrorCode check_readable(LeaderEpoch current) const;

  // Calls `wake` once, when something that a fetch could return has changed; dropped unrun when it expires
  // first.
  void on_change(const std::shared_ptr<runtime::Job>& wake);
  // Calls the watcher at every such change, until it expires or unwatch(). On this partition's loop.
  void watch(std::weak_ptr<PartitionWatcher> watcher, uint64_t token);
  void unwatch(const PartitionWatcher& watcher, uint64_t token);

 private:
  [[nodiscard]] Appended original(const storage::DuplicateBatch& batch) const;
  void changed();
  void release_turn();

  const TopicIdPartition id_;
  const std::string topic_;
  const std::shared_ptr<storage::Log> log_;
  runtime::Scheduler& loop_;
  config::TopicConfig config_;
  LeaderEpoch leader_epoch_ = kNoLeaderEpoch;
  RefusedProducers refused_;
  bool appending_ = false;
  std::deque<runtime::OneShot<bool>::Resolver> turns_;  // appends that wait for the one before them
  std::vector<std::weak_ptr<runtime::Job>> waiting_;
  size_t prune_at_ = 16;
  struct Watch {
    std::weak_ptr<PartitionWatcher> watcher;
    uint64_t token;
  };
  std::vector<Watch> watches_;
  size_t prune_watches_at_ = 16;
};

[[nodiscard]] storage::LogSettings log_settings(std::string_view topic, const config::TopicConfig& config);

}  // namespace tidemark::replication
