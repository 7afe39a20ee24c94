// A consumer's membership of a classic group (KIP-62, KIP-345, KIP-394, KIP-429): what is to be asked of the
// coordinator next, what its answers mean, and what the owner has to give up or may begin to read. Pure, told
// the time; owned by the GroupConsumer, which sends one request at a time.
//
// With cooperative_sticky as the only strategy the member keeps what stays its own through a rebalance; with
// others it gives up everything before it joins again, as Kafka's own consumer does.
#pragma once

#include <deque>
#include <memory>

#include "client/core/assignor.h"
#include "client/core/options.h"
#include "protocol/messages/heartbeat_request.h"
#include "protocol/messages/join_group_request.h"
#include "protocol/messages/join_group_response.h"
#include "protocol/messages/leave_group_request.h"
#include "protocol/messages/sync_group_request.h"
#include "protocol/runtime/time.h"

namespace tidemark::client {

class Membership {
 public:
  // REQUIRES: a group's name and at least one strategy.
  explicit Membership(GroupOptions options);

  // --- the owner
  void subscribe(std::set<std::string, std::less<>> topics);
  // It works: nothing is asked before the first time, and max.poll.interval.ms without one leaves the group.
  void owner_is_alive(runtime::MonoTime now);
  // What the owner has to do, in this order; none while a rebalance is on its way.
  struct Change {
    enum class Kind : uint8_t {
      assigned,  // these are its to read
      revoked,   // it gives these up, and may commit them before it does
      lost,      // these may be somebody else's already: a commit would be refused
    };
    Kind kind = Kind::assigned;
    std::vector<TopicPartition> partitions;
  };
  std::optional<Change> take_change();
  // What was revoked or lost is not read any more.
  void gave_up();
  // The group should divide anew: its leader saw topics change. Nothing, unless it is a member.
  void rejoin(std::string reason);
  [[nodiscard]] bool holds(const TopicPartition& tp) const { return held_.contains(tp); }
  [[nodiscard]] const std::set<TopicPartition>& held() const { return held_; }
  // There is no way back: fenced, or the group does not take it.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

  // --- the coordinator
  enum class Ask : uint8_t { nothing, join, sync, heartbeat, leave };
  [[nodiscard]] Ask due(runtime::MonoTime now) const;
  // When due() may say otherwise by itself.
  [[nodiscard]] runtime::MonoTime next_event(runtime::MonoTime now) const;
  // What is asked: views into this, good until it changes.
  [[nodiscard]] protocol::JoinGroupRequest join_request();
  // `counts`: of the topics() that exist; asked for of a leader that has to divide.
  [[nodiscard]] protocol::SyncGroupRequest sync_request(const PartitionCounts& counts);
  [[nodiscard]] protocol::HeartbeatRequest heartbeat_request() const;
  [[nodiscard]] protocol::LeaveGroupRequest leave_request(int16_t version, const std::string& reason) const;
  // The leader divides partitions, unless it came back and everything is as it was (KIP-814), and looks out
  // for topics that change.
  [[nodiscard]] bool divides() const { return divides_; }
  [[nodiscard]] bool leads() const { return leads_; }
  // That the members read, of a leader; of others, its own.
  [[nodiscard]] std::set<std::string, std::less<>> topics() const;

  void joined(const protocol::JoinGroupResponse& answer);
  void synced(ErrorCode code, std::span<const std::byte> assignment, runtime::MonoTime now);
  void heard(ErrorCode code, runtime::MonoTime now);
  void left();
  // A commit was answered so: it may tell that the membership has ended. `generation` it was sent in.
  void commit_refused(ErrorCode code, int32_t generation);
  // The coordinator could not be asked, or is not ready: the same again, but not before.
  void retry(runtime::MonoTime not_before);
  // What was asked cannot be: the end.
  void fail_with(Error error);

  [[nodiscard]] const GroupOptions& options() const { return options_; }
  [[nodiscard]] const std::string& member_id() const { return member_; }
  [[nodiscard]] int32_t generation() const { return generation_; }
  // Has its share of a generation, in which it may commit, ...
  [[nodiscard]] bool has_share() const { return phase_ == Phase::member; }
  // ... and does not wait for the next one.
  [[nodiscard]] bool is_settled() const { return has_share() && !joining_; }
  [[nodiscard]] bool cooperates() const { return cooperates_; }

 private:
  enum class Phase : uint8_t {
    out,     // to join
    joined,  // to sync
    member,
  };
  [[nodiscard]] bool owes() const;
  [[nodiscard]] bool owner_is_silent(runtime::MonoTime now) const;
  // What was assigned and not taken yet never was.
  void drop_untaken();
  void begin_rebalance(std::string reason);
  // `new_id`: the coordinator does not know it any more.
  void lose(bool new_id);
  // True if the code ends what was going on, as it does whatever was asked.
  bool take_common(ErrorCode code);
  void take_assignment(const std::set<TopicPartition>& assigned);

  const GroupOptions options_;
  const bool cooperates_;
  std::set<std::string, std::less<>> topics_;

  Phase phase_ = Phase::out;
  std::string member_;
  int32_t generation_ = -1;
  std::string protocol_;                           // that the group agreed on
  bool joining_ = false;                           // the answer to a join is under way
  std::set<std::string, std::less<>> joined_for_;  // what that one named
  bool leads_ = false;
  bool divides_ = false;
  std::vector<Subscriber> members_;  // of a leader
  bool rejoin_ = false;              // once the owner owes nothing
  std::string reason_;               // of the next join
  std::optional<Error> failure_;

  std::set<TopicPartition> held_;    // by the owner
  std::deque<Change> changes_;       // not taken yet
  std::set<TopicPartition> handed_;  // of these: what it was told to give up, and has not yet

  std::optional<runtime::MonoTime> owner_seen_;
  runtime::MonoTime heartbeat_at_{};
  runtime::MonoTime not_before_{};

  // What the requests view.
  std::vector<std::byte> subscription_;
  std::vector<std::vector<std::byte>> assignments_;
};

}  // namespace tidemark::client
