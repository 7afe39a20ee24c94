// The coordinator of the groups of one partition of __consumer_offsets. A pure core: handle() and tick()
// decide, apply() is the only place where the image changes, live and in a replay. Owned by one shell on one
// loop, which after each decision appends its records, applies them, and only then makes the next call, so
// that every decision sees all earlier ones; replies are held until everything appended so far is committed.
// Beside the image stand the running groups: soft state, made at promote(), gone at demote().
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "broker/coordinator/decision.h"
#include "broker/coordinator/extents.h"
#include "broker/coordinator/image.h"
#include "broker/coordinator/membership.h"
#include "broker/coordinator/settings.h"
#include "broker/coordinator/turn.h"
#include "protocol/error.h"
#include "protocol/runtime/random.h"

namespace tidemark::coordinator {

enum class Standing : uint8_t {
  follower,  // applies what is committed; answers NOT_COORDINATOR
  loading,   // leads, but has not applied its log to the end: answers COORDINATOR_LOAD_IN_PROGRESS
  leader,
};

class GroupCoordinator {
 public:
  // `random` outlives the coordinator: it draws members' ids.
  GroupCoordinator(GroupSettings settings, runtime::Random& random) : settings_(settings), random_(random) {}

  [[nodiscard]] const Image& image() const { return image_; }
  [[nodiscard]] Standing standing() const { return standing_; }
  // The groups as they run; empty unless leader.
  [[nodiscard]] const Groups& groups() const { return groups_; }

  // --- standing ---
  // REQUIRES: follower.
  void begin_loading();
  // The whole log is applied and committed: every deadline starts now. What the decision has to say is for
  // groups that are over capacity. REQUIRES: loading.
  Decision promote(Now now);
  // Whatever is parked gets NOT_COORDINATOR, and the shell gives the same to what it still holds. The image
  // stays what the log said; a shell whose log is truncated below what it applied starts over with a new
  // coordinator.
  Decision demote();

  // --- decide ---
  // The reply to `token` is in this decision or in a later one, also if nobody is there any more to hear it:
  // a member whose connection broke is still a member. REQUIRES: the token has not been used.
  Decision handle(RequestToken token, const Request& request, Now now);
  // What has timed out by now, and what has expired. Nothing happens before next_deadline(). `extents`: of
  // what unused_partitions() has named for the same moment; the offsets of others stay.
  Decision tick(Now now, const Extents& extents);
  // The partitions about whose offsets the next tick decides.
  [[nodiscard]] Partitions unused_partitions(Now now) const;
  // kNever unless leader.
  [[nodiscard]] runtime::MonoTime next_deadline() const;
  // A topic has been deleted: its offsets go too. `id` zero: not known. A decision of kMaxRecordsPerDecision
  // records is not all: call it again.
  Decision topic_deleted(std::string_view topic, const Uuid& id, Now now);

  // The log has not taken the decision's records: what to say instead. Groups whose records these were fall
  // back to what the image says, and their members rejoin.
  Decision refused(Decision decision, ErrorCode error, Now now);

  // --- apply ---
  // One record, in the order of the log. On an error nothing has changed, and the log is not to be trusted
  // from there on. Records of unknown kinds change nothing.
  Result<void> apply(std::span<const std::byte> key, std::optional<std::span<const std::byte>> value);

 private:
  [[nodiscard]] Turn turn(Now now) const { return Turn{settings_, image_, random_, now, {}}; }
  void answer(Turn& turn, RequestToken token, const Request& request);
  void tick_groups(Turn& turn);
  // Behind what has timed out.
  [[nodiscard]] bool is_expiry_due(const Turn& turn) const;
  void tick_expiry(Turn& turn, const Extents& extents);
  // After a call that may have changed the group: it is sound, and its deadline is known.
  void settle(const Group& group);
  void raise_alarm(const Group& group);
  void set_alarm(const std::string& group, runtime::MonoTime deadline);
  void end_group(Turn& turn, Group& group, ErrorCode error);
  void restart_group(Turn& turn, const std::string& group, ErrorCode error);

  GroupSettings settings_;
  runtime::Random& random_;
  Standing standing_ = Standing::follower;
  Image image_;
  Groups groups_;  // Invariant: empty unless leader; each has metadata in the image once its records apply
  // When each group wants its tick; a group's wake() is never earlier.
  std::map<std::string, runtime::MonoTime, std::less<>> alarms_;
  std::set<std::pair<runtime::MonoTime, std::string>> alarms_by_time_;  // Invariant: alarms_, by time
  runtime::MonoTime next_expiry_ = runtime::kNever;
  std::string expiry_from_;  // the group at which the running expiry goes on; empty: at the first
};

}  // namespace tidemark::coordinator
