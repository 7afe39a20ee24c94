// One group as its coordinator runs it: members, what they offer, who waits for what and until when. Soft
// state, owned by GroupCoordinator, made of the group's metadata in the image at promotion and gone at
// demotion. It knows the rules of membership (voting, leaders, static names) but no phases: those are
// rebalance.h's. It writes no records and answers nobody.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/coordinator/decision.h"
#include "broker/coordinator/image.h"
#include "broker/coordinator/rebalance_history.h"
#include "broker/coordinator/request.h"
#include "protocol/error.h"

namespace tidemark::coordinator {

// Kafka's fifth state, Dead, is here the absence of a group.
enum class GroupState : uint8_t { empty, preparing_rebalance, completing_rebalance, stable };
[[nodiscard]] std::string_view state_name(GroupState state);
inline constexpr std::string_view kDeadState = "Dead";
inline constexpr std::string_view kConsumerProtocolType = "consumer";

struct Member {
  std::string id;
  std::optional<std::string> instance;
  std::string client_id;
  std::string client_host;
  int32_t rebalance_timeout_ms = 0;
  int32_t session_timeout_ms = 0;
  std::vector<Protocol> protocols;
  Bytes assignment;
  // It has not been through a rebalance yet: it may be dropped while it waits in its first one.
  bool is_new = false;
  std::optional<RequestToken> join;  // its parked JoinGroup
  std::optional<RequestToken> sync;  // its parked SyncGroup
  runtime::MonoTime session_deadline = runtime::kNever;

  // nullptr: it does not offer this protocol.
  [[nodiscard]] const Bytes* metadata(std::string_view protocol) const;
};

class Group {
 public:
  explicit Group(std::string id) : id_(std::move(id)) {}
  // As its last rebalance left it; no deadlines yet.
  Group(std::string id, const GroupMetadata& metadata);

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::map<std::string, Member, std::less<>>& members() const { return members_; }
  [[nodiscard]] Member* member(std::string_view id);
  [[nodiscard]] const Member* member(std::string_view id) const;
  // The id of the member with this instance name; nullptr: there is none.
  [[nodiscard]] const std::string* static_member(std::string_view instance) const;
  [[nodiscard]] bool is_leader(std::string_view member) const { return leader && *leader == member; }
  [[nodiscard]] bool is_pending(std::string_view member) const { return pending.contains(member); }
  [[nodiscard]] bool is_consumer_group() const { return protocol_type == kConsumerProtocolType; }
  [[nodiscard]] bool can_rebalance() const { return state != GroupState::preparing_rebalance; }

  // NONE, UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID: the instance's name has passed to another member.
  [[nodiscard]] ErrorCode validate(std::string_view member, const std::optional<std::string>& instance) const;
  // Whether a member that offers these could be one of the group.
  [[nodiscard]] bool supports(std::string_view type, const std::vector<Protocol>& protocols) const;
  // What most members prefer among what all of them offer; of equals the first by name. REQUIRES: members.
  [[nodiscard]] std::string select_protocol() const;
  // The topics that the members' subscriptions name; nullopt: not known (not consumers, or not readable).
  [[nodiscard]] std::optional<std::set<std::string, std::less<>>> subscriptions() const;
  // Kafka's rule where subscriptions are not known: consumers are taken to be subscribed to everything.
  [[nodiscard]] bool is_subscribed_to(std::string_view topic) const;

  // REQUIRES: supports(type, member.protocols); the id and the instance's name are free.
  Member& add(Member member, std::string_view type);
  // What was parked for it is the caller's to answer. REQUIRES: a member.
  Member remove(std::string_view id);
  // The member with the instance's name gets another id. REQUIRES: a static member with nothing parked.
  Member& replace_static(std::string_view instance, std::string_view new_id);
  void set_protocols(Member& member, std::vector<Protocol> protocols);
  void park_join(Member& member, RequestToken token);
  // The token that was parked, if one was.
  std::optional<RequestToken> unpark_join(Member& member);

  [[nodiscard]] size_t awaiting_join() const { return awaiting_join_; }
  [[nodiscard]] bool have_all_joined() const { return awaiting_join_ == members_.size() && pending.empty(); }
  [[nodiscard]] size_t metadata_bytes() const { return metadata_bytes_; }
  // The longest of the members'.
  [[nodiscard]] int32_t rebalance_timeout_ms() const;
  [[nodiscard]] GroupMetadata metadata() const;

  // The group wants tick() by then; it may be called earlier, never later.
  void wake_by(runtime::MonoTime deadline) { wake_ = std::min(wake_, deadline); }
  [[nodiscard]] runtime::MonoTime wake() const { return wake_; }
  // Exactly the next deadline there is.
  [[nodiscard]] runtime::MonoTime next_deadline() const;
  void refresh_wake() { wake_ = next_deadline(); }

  // Of the group that this one takes the place of: what it did, and a generation that it has named to
  // members. REQUIRES: none of its rebalances is running.
  void keep_history(RebalanceHistory before, int32_t named_generation);
  // A generation that nobody has been told yet.
  [[nodiscard]] int32_t next_generation() const { return std::max(generation, named_generation_) + 1; }

  // What must hold between any two requests.
  void check() const;

  GroupState state = GroupState::empty;
  int32_t generation = 0;  // Invariant: only grows while this object lives
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol;  // Invariant: every member of a completing or stable group offers it
  std::optional<std::string> leader;    // Invariant: a member, if there are members
  int64_t state_timestamp_ms = -1;
  std::optional<std::set<std::string, std::less<>>> subscribed;

  // Ids given out (MEMBER_ID_REQUIRED) that have not joined yet, and until when they may.
  std::map<std::string, runtime::MonoTime, std::less<>> pending;
  std::set<std::string, std::less<>> pending_sync;  // members that owe a SyncGroup in this generation

  runtime::MonoTime join_deadline = runtime::kNever;
  runtime::MonoTime sync_deadline = runtime::kNever;
  // Of a rebalance that began with an empty group: it waits a little for others who start just now.
  bool is_initial_rebalance = false;
  bool new_member_added = false;
  int32_t initial_delay_ms = 0;
  int32_t initial_remaining_ms = 0;

  RebalanceHistory history;
  runtime::MonoTime loop_told{};  // when the loop that it is in was last told of

 private:
  void count_protocols(const Member& member, int step);

  std::string id_;
  std::map<std::string, Member, std::less<>> members_;
  std::map<std::string, std::string, std::less<>> static_members_;  // instance name -> member id
  std::map<std::string, size_t, std::less<>> offered_;              // protocol -> members that offer it
  size_t awaiting_join_ = 0;                                        // members with a parked JoinGroup
  size_t metadata_bytes_ = 0;
  int32_t named_generation_ = 0;
  runtime::MonoTime wake_ = runtime::kNever;
};

// The topics that a consumer's subscription names; nullopt: not such bytes.
[[nodiscard]] std::optional<std::set<std::string, std::less<>>> subscribed_topics(
    std::span<const std::byte> subscription);

}  // namespace tidemark::coordinator
