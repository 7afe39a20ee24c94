// Incremental fetch sessions (KIP-227): what a client told us once it need not tell again. One cache per
// shard; a session lives where its connection did, and its id says so, so that a client that comes back on
// another shard is told to begin anew. Its parts on the shards (watched_partitions.h) know what changed.
// Bounded: `max.incremental.fetch.session.cache.slots` over all shards, and a share of `memory.limit`;
// whoever finds no room fetches without a session.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/api/watched_partitions.h"
#include "protocol/messages/fetch_request.h"
#include "protocol/runtime/buffer.h"
#include "protocol/runtime/random.h"
#include "protocol/runtime/time.h"

namespace tidemark::broker {

inline constexpr int32_t kInitialFetchEpoch = 0;  // begin a session
inline constexpr int32_t kFinalFetchEpoch = -1;   // no session, or the end of one

// What a client wants of one partition, and what it was told last.
struct FetchWish {
  std::string topic;  // before v13
  Uuid topic_id;      // from v13 on
  PartitionId partition;
  Offset fetch_offset;
  int32_t max_bytes = 0;
  LeaderEpoch current_leader_epoch = kNoLeaderEpoch;
  LeaderEpoch last_fetched_epoch = kNoLeaderEpoch;
  Offset told_high_watermark = kNoOffset;
  Offset told_log_start = kNoOffset;

  // The session's.
  uint64_t id = 0;
  uint64_t rank = 0;  // partitions are answered in this order
  uint16_t shard = kNoShard;
  TopicIdPartition partition_id;  // where it has a shard
  bool touched = false;           // its shard has not heard of it, or of what has changed
  static constexpr size_t kNoEntry = SIZE_MAX;
  size_t entry = kNoEntry;  // in the fetch under way
};

class FetchSession {
 public:
  // `memory` pays for its wishes.
  FetchSession(int32_t id, bool topic_ids, size_t shards, std::shared_ptr<runtime::ByteBudget> memory)
      : id_(id), topic_ids_(topic_ids), memory_(std::move(memory)), parts_(shards) {}
  ~FetchSession() { memory_->give_back(paid_); }
  FetchSession(const FetchSession&) = delete;
  FetchSession& operator=(const FetchSession&) = delete;
  [[nodiscard]] int32_t id() const { return id_; }
  [[nodiscard]] int32_t epoch() const { return epoch_; }
  [[nodiscard]] bool uses_topic_ids() const { return topic_ids_; }
  [[nodiscard]] size_t size() const { return by_key_.size(); }
  // REQUIRES: one of its wishes.
  [[nodiscard]] FetchWish& wish(uint64_t wish_id) { return *by_id_.at(wish_id); }
  // Set while a fetch of this session is under way: a second one at the same time is refused.
  bool in_use = false;

  // Adds and changes what the request names, removes what it forgets. false: there is no memory for all of
  // it, and the session is of no more use.
  [[nodiscard]] bool update(const protocol::FetchRequest& request);
  // After 2^31-1 comes 1: 0 begins sessions.
  void advance() { epoch_ = epoch_ == INT32_MAX ? 1 : epoch_ + 1; }

  // Wishes whose place must be looked up: new ones, and those that had none.
  [[nodiscard]] std::vector<uint64_t> take_unplaced() { return std::exchange(unplaced_, {}); }
  void place(FetchWish& wish, uint16_t shard, TopicIdPartition partition);
  void unplace(FetchWish& wish);
  // Partitions that had data go last, so that a small max_bytes starves nobody.
  void move_to_end(FetchWish& wish);
  // The next fetch reads it again. REQUIRES: it is placed.
  void touch(FetchWish& wish);

  // The session's part on one shard, and what that must be told first.
  struct Part {
    std::shared_ptr<WatchedPartitions> watched;  // nullptr: nothing is watched there
    std::vector<uint64_t> touched;
    std::vector<uint64_t> forgotten;
  };
  [[nodiscard]] std::vector<Part>& parts() { return parts_; }
  [[nodiscard]] std::vector<WatchChange> take_changes(Part& part);

 private:
  friend class FetchSessions;
  struct Key {
    std::string topic;
    Uuid topic_id;
    PartitionId partition;
    auto operator<=>(const Key&) const = default;
  };
  // What a wish takes here and in its part.
  static uint64_t bytes_of(const FetchWish& wish);

  const int32_t id_;
  const bool topic_ids_;
  const std::shared_ptr<runtime::ByteBudget> memory_;
  uint64_t paid_ = 0;  // out of memory_
  int32_t epoch_ = 1;  // that the next request must carry
  std::map<Key, std::unique_ptr<FetchWish>> by_key_;
  std::unordered_map<uint64_t, FetchWish*> by_id_;
  std::vector<uint64_t> unplaced_;
  std::vector<Part> parts_;  // by shard
  uint64_t last_id_ = 0;
  uint64_t last_rank_ = 0;
  runtime::MonoTime last_used_{};
};

// The wishes of a request without a session, in its order.
[[nodiscard]] std::vector<FetchWish> wishes_of(const protocol::FetchRequest& request);

class FetchSessions {
 public:
  // `memory` is all shards' together.
  FetchSessions(uint16_t shard, size_t shards, size_t max_sessions,
                std::shared_ptr<runtime::ByteBudget> memory, runtime::Random& random)
      : shard_(shard),
        shards_(shards),
        max_sessions_(max_sessions),
        memory_(std::move(memory)),
        random_(random) {}

  // With the request's wishes. nullptr: all slots, or all memory, are taken by sessions in use; the client
  // fetches without one.
  std::shared_ptr<FetchSession> create(const protocol::FetchRequest& request, bool topic_ids,
                                       runtime::MonoTime now);
  // nullptr: unknown, or evicted, or of another shard.
  std::shared_ptr<FetchSession> find(int32_t id, runtime::MonoTime now);
  void erase(int32_t id) { sessions_.erase(id); }
  [[nodiscard]] size_t size() const { return sessions_.size(); }
  // Of all sessions together.
  [[nodiscard]] size_t partitions() const;
  [[nodiscard]] uint64_t evictions() const { return evictions_; }

 private:
  // The one that was idle for longest, if that was long enough. false: there is none.
  bool evict(runtime::MonoTime now);

  const uint16_t shard_;
  const size_t shards_;
  const size_t max_sessions_;
  const std::shared_ptr<runtime::ByteBudget> memory_;
  runtime::Random& random_;
  std::map<int32_t, std::shared_ptr<FetchSession>> sessions_;
  uint64_t evictions_ = 0;
};

}  // namespace tidemark::broker
