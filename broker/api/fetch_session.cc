#include "broker/api/fetch_session.h"

#include <algorithm>

namespace tidemark::broker {
namespace {

// A session that was idle for so long may be evicted for a new one (Kafka's
// min.incremental.fetch.session.eviction.ms).
constexpr runtime::Duration kMayEvictAfter = std::chrono::minutes(2);
constexpr int32_t kShardIdShift = 24;  // the session id's bits above: its shard

FetchWish wish_of(const protocol::FetchRequest::FetchTopic& topic,
                  const protocol::FetchRequest::FetchPartition& p) {
  FetchWish wish;
  wish.topic = topic.topic;
  wish.topic_id = topic.topic_id;
  wish.partition = PartitionId(p.partition);
  wish.fetch_offset = Offset(p.fetch_offset);
  wish.max_bytes = p.partition_max_bytes;
  wish.current_leader_epoch = LeaderEpoch(p.current_leader_epoch);
  wish.last_fetched_epoch = LeaderEpoch(p.last_fetched_epoch);
  return wish;
}

}  // namespace

std::vector<FetchWish> wishes_of(const protocol::FetchRequest& request) {
  std::vector<FetchWish> wishes;
  for (const auto& topic : request.topics)
    for (const auto& partition : topic.partitions) wishes.push_back(wish_of(topic, partition));
  return wishes;
}

uint64_t FetchSession::bytes_of(const FetchWish& wish) {
  constexpr uint64_t kNodesAndPart = 384;  // two maps here, two there
  return sizeof(FetchWish) + kNodesAndPart + 2 * wish.topic.size();
}

bool FetchSession::update(const protocol::FetchRequest& request) {
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      FetchWish wish = wish_of(topic, partition);
      auto& known = by_key_[Key{wish.topic, wish.topic_id, wish.partition}];
      if (known) {
        known->fetch_offset = wish.fetch_offset;
        known->max_bytes = wish.max_bytes;
        known->current_leader_epoch = wish.current_leader_epoch;
        known->last_fetched_epoch = wish.last_fetched_epoch;
        if (known->shard != kNoShard) touch(*known);
        continue;
      }
      if (!memory_->try_take(bytes_of(wish))) return false;
      paid_ += bytes_of(wish);
      known = std::make_unique<FetchWish>(std::move(wish));
      known->id = ++last_id_;
      known->rank = ++last_rank_;
      by_id_.emplace(known->id, known.get());
      unplaced_.push_back(known->id);
    }
  }
  bool was_unplaced = false;
  for (const auto& topic : request.forgotten_topics_data) {
    for (const int32_t partition : topic.partitions) {
      const auto known = by_key_.find(Key{std::string(topic.topic), topic.topic_id, PartitionId(partition)});
      if (known == by_key_.end()) continue;
      const FetchWish& wish = *known->second;
      if (wish.shard != kNoShard) {
        parts_[wish.shard].forgotten.push_back(wish.id);
      } else {
        was_unplaced = true;
      }
      memory_->give_back(bytes_of(wish));
      paid_ -= bytes_of(wish);
      by_id_.erase(wish.id);
      by_key_.erase(known);
    }
  }
  if (was_unplaced) std::erase_if(unplaced_, [this](uint64_t id) { return !by_id_.contains(id); });
  return true;
}

void FetchSession::touch(FetchWish& wish) {
  if (std::exchange(wish.touched, true)) return;
  parts_[wish.shard].touched.push_back(wish.id);
}

void FetchSession::place(FetchWish& wish, uint16_t shard, TopicIdPartition partition) {
  wish.shard = shard;
  wish.partition_id = partition;
  wish.touched = false;
  if (!parts_[shard].watched) parts_[shard].watched = std::make_shared<WatchedPartitions>();
  touch(wish);
}

void FetchSession::unplace(FetchWish& wish) {
  if (wish.shard != kNoShard) {
    if (wish.touched) std::erase(parts_[wish.shard].touched, wish.id);
    parts_[wish.shard].forgotten.push_back(wish.id);
  }
  wish.shard = kNoShard;
  wish.touched = false;
  unplaced_.push_back(wish.id);
}

void FetchSession::move_to_end(FetchWish& wish) {
  wish.rank = ++last_rank_;
  touch(wish);
}

std::vector<WatchChange> FetchSession::take_changes(Part& part) {
  std::vector<WatchChange> changes;
  for (const uint64_t id : std::exchange(part.forgotten, {})) {
    WatchChange& change = changes.emplace_back();
    change.wish = id;
    change.forget = true;
  }
  for (const uint64_t id : std::exchange(part.touched, {})) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) continue;  // forgotten since
    FetchWish& wish = *found->second;
    wish.touched = false;
    changes.push_back({id, false, wish.rank,
                       PartitionRead{0, wish.partition_id, wish.fetch_offset, wish.max_bytes,
                                     wish.current_leader_epoch, wish.last_fetched_epoch}});
  }
  return changes;
}

size_t FetchSessions::partitions() const {
  size_t sum = 0;
  for (const auto& [id, session] : sessions_) sum += session->size();
  return sum;
}

bool FetchSessions::evict(runtime::MonoTime now) {
  const auto oldest = std::min_element(sessions_.begin(), sessions_.end(), [](const auto& a, const auto& b) {
    return a.second->last_used_ < b.second->last_used_;
  });
  if (oldest == sessions_.end() || now - oldest->second->last_used_ < kMayEvictAfter) return false;
  sessions_.erase(oldest);
  ++evictions_;
  return true;
}

std::shared_ptr<FetchSession> FetchSessions::create(const protocol::FetchRequest& request, bool topic_ids,
                                                    runtime::MonoTime now) {
  if (sessions_.size() >= max_sessions_ && !evict(now)) return nullptr;
  int32_t id = 0;
  do {
    id = static_cast<int32_t>((shard_ & 0x7F) << kShardIdShift | random_.below(1 << kShardIdShift));
  } while (id == 0 || sessions_.contains(id));
  auto session = std::make_shared<FetchSession>(id, topic_ids, shards_, memory_);
  while (!session->update(request)) {
    session.reset();  // gives back what it got
    if (!evict(now)) return nullptr;
    session = std::make_shared<FetchSession>(id, topic_ids, shards_, memory_);
  }
  session->last_used_ = now;
  sessions_.emplace(id, session);
  return session;
}

std::shared_ptr<FetchSession> FetchSessions::find(int32_t id, runtime::MonoTime now) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return nullptr;
  it->second->last_used_ = now;
  return it->second;
}

}  // namespace tidemark::broker
