#include "replication/partition/partition.h"

#include <algorithm>

#include "protocol/internal_topics.h"

namespace tidemark::replication {

using runtime::Task;

Partition::Partition(TopicIdPartition id, std::string topic, std::shared_ptr<storage::Log> log,
                     runtime::Scheduler& loop)
    : id_(id), topic_(std::move(topic)), log_(std::move(log)), loop_(loop) {
  log_->on_progress = [this] { changed(); };
}

Partition::~Partition() { log_->on_progress = nullptr; }

Task<Result<void>> Partition::lead(LeaderEpoch epoch, config::TopicConfig config) {
  leader_epoch_ = std::max(leader_epoch_, epoch);
  config_ = config;
  auto changing = log_->change_settings(log_settings(topic_, config));
  auto result = co_await changing;
  changed();  // a fetch with the old epoch is told so
  co_return result;
}

storage::LeaderEpochCache Partition::epochs() const {
  storage::LeaderEpochCache epochs = log_->epochs();
  epochs.assign(leader_epoch_, log_->end());  // nothing, once it has a batch
  return epochs;
}

void Partition::release_turn() {
  appending_ = !turns_.empty();  // handed on to the next
  if (!appending_) return;
  turns_.front().set(true);
  turns_.pop_front();
}

// KIP-98: the answer to a retry is that of the original, once that is as durable as this request asks.
Appended Partition::original(const storage::DuplicateBatch& batch) const {
  const bool stamped = config_.message_timestamp_type == protocol::TimestampType::log_append_time;
  return Appended{batch.base_offset, batch.last_offset + 1, stamped ? batch.timestamp_ms : -1, log_->start(),
                  true};
}

Task<Result<Appended>> Partition::append(runtime::BufferSlice batch, protocol::BatchHeader header,
                                         bool behind_refused) {
  // Alone or in turn: make_room() may wait for the disk, and nobody overtakes it.
  if (appending_) {
    runtime::OneShot<bool> turn(loop_);
    turns_.push_back(turn.resolver());
    auto mine = turn.wait();
    co_await mine;
  }
  appending_ = true;
  struct Release {
    Partition& self;
    ~Release() { self.release_turn(); }
  } release{*this};

  if (log_->offline()) co_return fail(*log_->offline());
  // Also on a full disk, which has no room for another.
  auto known = log_->producers().check(header);
  if (known && *known) co_return original(**known);
  // Always: a segment with room may be due by time or by its indexes.
  auto making = log_->make_room(batch.size(), header.max_timestamp);
  auto room = co_await making;
  if (!room) {
    if (log_->producers().find(header.producer_id) == nullptr) refused_.add(id_, header, loop_.mono());
    co_return fail(room.error());
  }
  // A log that knows the producer knows better.
  if ((refused_.holds_back(id_, header, loop_.mono()) || behind_refused) &&
      log_->producers().find(header.producer_id) == nullptr)
    co_return fail(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
                   "an earlier batch was refused and has not come again");
  known = log_->producers().check(header);
  if (!known) co_return fail(known.error());
  if (*known) co_return original(**known);
  int64_t append_time = -1;
  if (config_.message_timestamp_type == protocol::TimestampType::log_append_time) {
    append_time = unix_ms(loop_.clock().wall());
    protocol::set_log_append_time(batch.bytes, append_time);
    auto stamped = protocol::parse_batch_header(batch.bytes);
    if (!stamped) co_return fail(stamped.error());
    header = *stamped;
  }
  const Offset base = log_->append(std::move(batch), header, leader_epoch_);
  co_return Appended{base, log_->end(), append_time, log_->start(), false};
}

ErrorCode Partition::check_readable(LeaderEpoch current) const {
  if (log_->offline()) return log_->offline()->code();
  if (current == kNoLeaderEpoch || current == leader_epoch_) return ErrorCode::NONE;
  return current < leader_epoch_ ? ErrorCode::FENCED_LEADER_EPOCH : ErrorCode::UNKNOWN_LEADER_EPOCH;
}

void Partition::on_change(const std::shared_ptr<runtime::Job>& wake) {
  if (waiting_.size() >= prune_at_) {
    std::erase_if(waiting_, [](const auto& w) { return w.expired(); });
    prune_at_ = std::max<size_t>(16, 2 * waiting_.size());
  }
  waiting_.push_back(wake);
}

void Partition::changed() {
  for (const auto& waiter : std::exchange(waiting_, {})) {
    if (auto wake = waiter.lock(); wake && *wake) std::exchange(*wake, nullptr)();
  }
  bool expired = false;
  for (const Watch& watch : watches_) {
    if (const auto watcher = watch.watcher.lock()) {
      watcher->partition_changed(watch.token);
    } else {
      expired = true;
    }
  }
  if (expired) std::erase_if(watches_, [](const Watch& w) { return w.watcher.expired(); });
}

void Partition::watch(std::weak_ptr<PartitionWatcher> watcher, uint64_t token) {
  if (watches_.size() >= prune_watches_at_) {
    std::erase_if(watches_, [](const Watch& w) { return w.watcher.expired(); });
    prune_watches_at_ = std::max<size_t>(16, 2 * watches_.size());
  }
  watches_.push_back({std::move(watcher), token});
}

void Partition::unwatch(const PartitionWatcher& watcher, uint64_t token) {
  std::erase_if(watches_,
                [&](const Watch& w) { return w.token == token && w.watcher.lock().get() == &watcher; });
}

storage::LogSettings log_settings(std::string_view topic, const config::TopicConfig& c) {
  storage::LogSettings s;
  s.keeps_headroom = protocol::is_internal_topic(topic);
  s.segment_bytes = static_cast<uint64_t>(c.segment_bytes);
  s.segment_ms = c.segment_ms;
  s.segment_jitter_ms = c.segment_jitter_ms;
  s.segment_index_bytes = static_cast<uint64_t>(c.segment_index_bytes);
  s.index_interval_bytes = static_cast<uint64_t>(c.index_interval_bytes);
  s.delete_policy = c.cleanup_delete;
  s.compact_policy = c.cleanup_compact;
  // KIP-354: the active segment is not cleaned, so that it may not stay open for longer.
  if (s.compact_policy) s.segment_ms = std::min(s.segment_ms, c.max_compaction_lag_ms);
  s.min_cleanable_dirty_ratio = c.min_cleanable_dirty_ratio;
  s.min_compaction_lag_ms = c.min_compaction_lag_ms;
  s.max_compaction_lag_ms = c.max_compaction_lag_ms;
  s.delete_retention_ms = c.delete_retention_ms;
  s.retention_ms = c.retention_ms;
  s.retention_bytes = c.retention_bytes;
  s.file_delete_delay_ms = c.file_delete_delay_ms;
  s.write_caching = c.write_caching;
  s.flush_messages = c.flush_messages;
  s.flush_ms = c.flush_ms;
  return s;
}

}  // namespace tidemark::replication
