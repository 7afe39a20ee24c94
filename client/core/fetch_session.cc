#include "client/core/fetch_session.h"

namespace tidemark::client {
namespace {

constexpr int16_t kFirstVersionWithSessions = 7;
constexpr int32_t kWithoutSession = -1;  // a session epoch; with a session's id it ends that one

}  // namespace

bool is_session_error(ErrorCode code) {
  switch (code) {
    case ErrorCode::FETCH_SESSION_ID_NOT_FOUND:
    case ErrorCode::INVALID_FETCH_SESSION_EPOCH:
    case ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR:
    case ErrorCode::INCONSISTENT_TOPIC_ID: return true;
    default: return false;
  }
}

void FetchSession::write(std::span<const Item> items, int16_t version, protocol::FetchRequest& request) {
  if ((version_ >= kFirstFetchWithIds) != (version >= kFirstFetchWithIds)) start_over(id_);
  version_ = version;
  incremental_ = epoch_ != 0;
  const bool sessions = version >= kFirstVersionWithSessions;
  request.session_id = sessions ? id_ : 0;
  request.session_epoch = sessions ? epoch_ : kWithoutSession;
  asked_.clear();
  for (const Item& item : items) {
    asked_.emplace(item.partition, item.wish);
    const auto known = known_.find(item.partition);
    if (incremental_ && known != known_.end() && known->second == item.wish) continue;
    auto& topics = request.topics;
    if (topics.empty() || topics.back().topic != item.partition.topic) {
      topics.emplace_back().topic = item.partition.topic;
      topics.back().topic_id = item.wish.topic_id;
    }
    auto& partition = topics.back().partitions.emplace_back();
    partition.partition = item.partition.partition.value;
    partition.fetch_offset = item.wish.offset.value;
    partition.current_leader_epoch = item.wish.leader_epoch.value;
    partition.partition_max_bytes = item.wish.max_bytes;
  }
  forgotten_.clear();
  if (incremental_) write_forgotten(request);
}

void FetchSession::write_forgotten(protocol::FetchRequest& request) {
  for (const auto& [partition, wish] : known_) {
    const auto asked = asked_.find(partition);
    // Of a topic that was made anew, the old one is forgotten.
    if (asked == asked_.end() || asked->second.topic_id != wish.topic_id) forgotten_.emplace(partition, wish);
  }
  for (const auto& [partition, wish] : forgotten_) {
    auto& topics = request.forgotten_topics_data;
    if (topics.empty() || topics.back().topic != partition.topic || topics.back().topic_id != wish.topic_id) {
      topics.emplace_back().topic = partition.topic;
      topics.back().topic_id = wish.topic_id;
    }
    topics.back().partitions.push_back(partition.partition.value);
  }
}

bool FetchSession::accept(ErrorCode error, int32_t session_id) {
  if (is_session_error(error)) {
    start_over(error == ErrorCode::FETCH_SESSION_ID_NOT_FOUND ? 0 : id_);
    return false;
  }
  // A broker without room for sessions says 0, at the first request or at a later one.
  if (error != ErrorCode::NONE || session_id == 0) {
    start_over(0);
    return true;
  }
  id_ = session_id;
  epoch_ = epoch_ == INT32_MAX ? 1 : epoch_ + 1;
  known_ = std::move(asked_);
  asked_.clear();
  return true;
}

bool FetchSession::write_end(protocol::FetchRequest& request) {
  if (id_ == 0) return false;
  request.session_id = std::exchange(id_, 0);
  request.session_epoch = kWithoutSession;
  epoch_ = 0;
  known_.clear();
  return true;
}

void FetchSession::lost() { start_over(id_); }

// With the old id the broker ends that session at once.
void FetchSession::start_over(int32_t id) {
  id_ = id;
  epoch_ = 0;
  known_.clear();
}

}  // namespace tidemark::client
