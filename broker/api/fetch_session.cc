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
  return FetchWish{std::string(topic.topic),
                   topic.topic_id,
                   PartitionId(p.partition),
                   Offset(p.fetch_offset),
                   p.partition_max_bytes,
                   LeaderEpoch(p.current_leader_epoch),
                   LeaderEpoch(p.last_fetched_epoch),
                   kNoOffset,
                   kNoOffset};
}

}  // namespace

FetchSession::Wishes wishes_of(const protocol::FetchRequest& request) {
  FetchSession::Wishes wishes;
  for (const auto& topic : request.topics)
    for (const auto& partition : topic.partitions) wishes.push_back(wish_of(topic, partition));
  return wishes;
}

void FetchSession::update(const protocol::FetchRequest& request) {
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      FetchWish wish = wish_of(topic, partition);
      const Key key{wish.topic, wish.topic_id, wish.partition};
      if (const auto known = by_key_.find(key); known != by_key_.end()) {
        wish.told_high_watermark = known->second->told_high_watermark;
        wish.told_log_start = known->second->told_log_start;
        *known->second = std::move(wish);
      } else {
        by_key_.emplace(key, wishes_.insert(wishes_.end(), std::move(wish)));
      }
    }
  }
  for (const auto& topic : request.forgotten_topics_data) {
    for (const int32_t partition : topic.partitions) {
      const auto known = by_key_.find(Key{std::string(topic.topic), topic.topic_id, PartitionId(partition)});
      if (known == by_key_.end()) continue;
      wishes_.erase(known->second);
      by_key_.erase(known);
    }
  }
}

std::shared_ptr<FetchSession> FetchSessions::create(bool topic_ids, runtime::MonoTime now) {
  if (sessions_.size() >= max_sessions_) {
    const auto oldest = std::min_element(
        sessions_.begin(), sessions_.end(),
        [](const auto& a, const auto& b) { return a.second->last_used_ < b.second->last_used_; });
    if (oldest == sessions_.end() || now - oldest->second->last_used_ < kMayEvictAfter) return nullptr;
    sessions_.erase(oldest);
    ++evictions_;
  }
  int32_t id = 0;
  do {
    id = static_cast<int32_t>((shard_ & 0x7F) << kShardIdShift | random_.below(1 << kShardIdShift));
  } while (id == 0 || sessions_.contains(id));
  auto session = std::make_shared<FetchSession>(id, topic_ids);
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
