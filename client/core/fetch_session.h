// The client's side of an incremental fetch session with one broker (KIP-227): which partitions the broker
// remembers, so that a request names only what changed. Pure; owned by the Consumer, one for each broker.
#pragma once

#include <map>
#include <span>

#include "protocol/error.h"
#include "protocol/ids.h"
#include "protocol/messages/fetch_request.h"

namespace tidemark::client {

// Fetch's first version that names topics by their ids (KIP-516).
inline constexpr int16_t kFirstFetchWithIds = 13;

class FetchSession {
 public:
  struct Wish {
    Uuid topic_id;
    Offset offset;
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    int32_t max_bytes = 0;
    bool operator==(const Wish&) const = default;
  };
  struct Item {
    TopicPartition partition;
    Wish wish;
  };

  // Writes the session's fields, the topics and the forgotten ones for `items`, in which a topic's partitions
  // stand together. The request views names of `items` and of this session: it must be encoded before either
  // changes.
  void write(std::span<const Item> items, int16_t version, protocol::FetchRequest& request);
  // True where the last write() named only changes: what its answer leaves out has nothing new.
  [[nodiscard]] bool incremental() const { return incremental_; }

  // The answer's error and session. False: the broker has lost the session, or refuses it; nothing else of
  // the answer counts, and the next request names everything.
  [[nodiscard]] bool accept(ErrorCode error, int32_t session_id);
  // No answer came: nobody knows what the broker remembers.
  void lost();
  // Writes the request that ends the session, if there may be one; without, false. Nothing is written after.
  [[nodiscard]] bool write_end(protocol::FetchRequest& request);
  [[nodiscard]] int16_t version() const { return version_; }

 private:
  using Known = std::map<TopicPartition, Wish>;
  void start_over(int32_t id);
  void write_forgotten(protocol::FetchRequest& request);

  int32_t id_ = 0;
  int32_t epoch_ = 0;    // 0: the next request names everything
  int16_t version_ = 0;  // of the last request: names and ids do not mix in a session
  bool incremental_ = false;
  Known known_;      // what the broker remembers
  Known asked_;      // what it will, once it has answered
  Known forgotten_;  // named in the last request
};

// Whether the code speaks of the session, not of a partition.
[[nodiscard]] bool is_session_error(ErrorCode code);

}  // namespace tidemark::client
