#include "client/core/membership.h"

#include "client/core/consumer_protocol.h"
#include "protocol/invariant.h"

namespace tidemark::client {
namespace {

constexpr std::string_view kProtocolType = "consumer";
constexpr int16_t kFirstLeaveOfSeveral = 3;  // LeaveGroup (KIP-345)

std::vector<TopicPartition> without(const std::set<TopicPartition>& all,
                                    const std::set<TopicPartition>& taken) {
  std::vector<TopicPartition> rest;
  std::set_difference(all.begin(), all.end(), taken.begin(), taken.end(), std::back_inserter(rest));
  return rest;
}

}  // namespace

Membership::Membership(GroupOptions options)
    : options_(std::move(options)),
      cooperates_(options_.assignors == std::vector<Assignor>{Assignor::cooperative_sticky}) {
  REQUIRES(!options_.id.empty() && !options_.assignors.empty());
}

// --- the owner

void Membership::subscribe(std::set<std::string, std::less<>> topics) {
  if (topics == topics_) return;
  topics_ = std::move(topics);
  rejoin("the subscription changed");
}

void Membership::owner_is_alive(runtime::MonoTime now) { owner_seen_ = now; }

bool Membership::owner_is_silent(runtime::MonoTime now) const {
  return now >= *owner_seen_ + std::chrono::milliseconds(options_.max_poll_interval_ms);
}

std::optional<Membership::Change> Membership::take_change() {
  if (changes_.empty() || !handed_.empty()) return std::nullopt;
  Change change = std::move(changes_.front());
  changes_.pop_front();
  if (change.kind == Change::Kind::assigned) {
    held_.insert(change.partitions.begin(), change.partitions.end());
  } else {
    handed_.insert(change.partitions.begin(), change.partitions.end());
  }
  return change;
}

void Membership::gave_up() {
  for (const TopicPartition& tp : handed_) held_.erase(tp);
  handed_.clear();
}

bool Membership::owes() const {
  return !handed_.empty() || std::any_of(changes_.begin(), changes_.end(), [](const Change& change) {
    return change.kind != Change::Kind::assigned;
  });
}

void Membership::rejoin(std::string reason) {
  if (phase_ != Phase::out) begin_rebalance(std::move(reason));
}

void Membership::drop_untaken() {
  std::erase_if(changes_, [](const Change& change) { return change.kind == Change::Kind::assigned; });
}

void Membership::begin_rebalance(std::string reason) {
  if (std::exchange(rejoin_, true)) return;
  reason_ = std::move(reason);
  drop_untaken();
  if (cooperates_) return;
  auto rest = without(held_, handed_);
  if (!rest.empty()) changes_.push_back({Change::Kind::revoked, std::move(rest)});
}

void Membership::lose(bool new_id) {
  phase_ = Phase::out;
  generation_ = -1;
  joining_ = leads_ = divides_ = rejoin_ = false;
  if (new_id) member_.clear();
  changes_.clear();
  auto rest = without(held_, handed_);
  if (!rest.empty()) changes_.push_back({Change::Kind::lost, std::move(rest)});
}

void Membership::fail_with(Error error) {
  failure_ = std::move(error);
  lose(true);
}

// --- the coordinator

Membership::Ask Membership::due(runtime::MonoTime now) const {
  if (failure_ || !owner_seen_ || now < not_before_) return Ask::nothing;
  if (owner_is_silent(now)) {
    // A static member keeps its place until its session ends.
    return member_.empty() || options_.instance_id ? Ask::nothing : Ask::leave;
  }
  if ((phase_ == Phase::out || rejoin_) && !owes()) return Ask::join;
  if (phase_ == Phase::joined) return Ask::sync;
  return phase_ == Phase::member && now >= heartbeat_at_ ? Ask::heartbeat : Ask::nothing;
}

runtime::MonoTime Membership::next_event(runtime::MonoTime now) const {
  if (failure_ || !owner_seen_) return runtime::kNever;
  if (now < not_before_) return not_before_;
  const runtime::MonoTime silent = *owner_seen_ + std::chrono::milliseconds(options_.max_poll_interval_ms);
  if (now >= silent) return runtime::kNever;
  return phase_ == Phase::member && heartbeat_at_ > now ? std::min(silent, heartbeat_at_) : silent;
}

protocol::JoinGroupRequest Membership::join_request() {
  REQUIRES(!owes());
  drop_untaken();
  joining_ = true;
  joined_for_ = topics_;
  Subscriber self;
  self.topics = topics_;
  self.owned.assign(held_.begin(), held_.end());
  self.generation = generation_;
  subscription_ = write_subscription(self);
  protocol::JoinGroupRequest request;
  request.group_id = options_.id;
  request.session_timeout_ms = options_.session_timeout_ms;
  request.rebalance_timeout_ms = options_.max_poll_interval_ms;
  request.member_id = member_;
  request.group_instance_id = options_.instance_id;
  request.protocol_type = kProtocolType;
  for (const Assignor assignor : options_.assignors) {
    auto& offered = request.protocols.emplace_back();
    offered.name = name_of(assignor);
    offered.metadata = subscription_;
  }
  if (!reason_.empty()) request.reason = reason_;
  return request;
}

bool Membership::take_common(ErrorCode code) {
  switch (code) {
    case ErrorCode::UNKNOWN_MEMBER_ID: lose(true); return true;
    case ErrorCode::ILLEGAL_GENERATION: lose(false); return true;
    case ErrorCode::FENCED_INSTANCE_ID:
      fail_with(Error(code, fmt::format("group {}: another member has taken the place of {}", options_.id,
                                        options_.instance_id.value_or(member_))));
      return true;
    default: return false;
  }
}

void Membership::retry(runtime::MonoTime not_before) {
  not_before_ = not_before;
  joining_ = false;
}

void Membership::joined(const protocol::JoinGroupResponse& answer) {
  joining_ = false;
  const auto code = ErrorCode(answer.error_code);
  if (code == ErrorCode::MEMBER_ID_REQUIRED) {
    member_ = answer.member_id;  // KIP-394: with it, once more
    return;
  }
  if (code == ErrorCode::REBALANCE_IN_PROGRESS || take_common(code)) return;
  if (code != ErrorCode::NONE)
    return fail_with(Error(code, fmt::format("group {} does not take this member", options_.id)));
  member_ = answer.member_id;
  generation_ = answer.generation_id;
  protocol_ = answer.protocol_name.value_or("");
  rejoin_ = joined_for_ != topics_;  // the owner has changed its mind meanwhile
  reason_.clear();
  phase_ = Phase::joined;
  leads_ = answer.leader == member_;
  // A leader that comes back under its old name may find that everything stays as it was (KIP-814).
  divides_ = leads_ && !answer.skip_assignment;
  members_.clear();
  if (!leads_) return;
  for (const auto& each : answer.members) {
    // Whose bytes nobody can read gets nothing.
    Subscriber subscriber = read_subscription(each.metadata).value_or(Subscriber());
    subscriber.id = each.member_id;
    if (each.group_instance_id) subscriber.instance_id = std::string(*each.group_instance_id);
    members_.push_back(std::move(subscriber));
  }
}

std::set<std::string, std::less<>> Membership::topics() const {
  std::set<std::string, std::less<>> all = topics_;
  for (const Subscriber& member : members_) all.insert(member.topics.begin(), member.topics.end());
  return all;
}

protocol::SyncGroupRequest Membership::sync_request(const PartitionCounts& counts) {
  REQUIRES(phase_ == Phase::joined);
  protocol::SyncGroupRequest request;
  request.group_id = options_.id;
  request.generation_id = generation_;
  request.member_id = member_;
  request.group_instance_id = options_.instance_id;
  request.protocol_type = kProtocolType;
  request.protocol_name = protocol_;
  if (!divides_) return request;
  const Shares shares = divide(find_assignor(protocol_).value_or(Assignor::range), members_, counts);
  assignments_.clear();
  for (const Subscriber& member : members_) {
    auto& given = request.assignments.emplace_back();
    given.member_id = member.id;
    given.assignment = assignments_.emplace_back(write_assignment(shares.at(member.id)));
  }
  return request;
}

void Membership::synced(ErrorCode code, std::span<const std::byte> assignment, runtime::MonoTime now) {
  if (code == ErrorCode::REBALANCE_IN_PROGRESS) {
    phase_ = Phase::out;
    return;
  }
  if (take_common(code)) return;
  if (code != ErrorCode::NONE)
    return fail_with(Error(code, fmt::format("group {} gives this member nothing", options_.id)));
  auto partitions = read_assignment(assignment);
  if (!partitions)
    return fail_with(Error(
        partitions.error().code(),
        fmt::format("group {}: what its leader assigned: {}", options_.id, partitions.error().message())));
  phase_ = Phase::member;
  heartbeat_at_ = now + std::chrono::milliseconds(options_.heartbeat_interval_ms);
  take_assignment({partitions->begin(), partitions->end()});
}

void Membership::take_assignment(const std::set<TopicPartition>& assigned) {
  auto given_up = without(held_, assigned);
  if (!given_up.empty()) {
    changes_.push_back({Change::Kind::revoked, std::move(given_up)});
    rejoin_ = true;  // so that those who are to have them get them
    reason_ = "gave up what others are to have";
  }
  auto added = without(assigned, held_);
  // Who holds nothing is told that it has been given nothing.
  if (!added.empty() || !cooperates_ || held_.empty())
    changes_.push_back({Change::Kind::assigned, std::move(added)});
}

protocol::HeartbeatRequest Membership::heartbeat_request() const {
  protocol::HeartbeatRequest request;
  request.group_id = options_.id;
  request.generation_id = generation_;
  request.member_id = member_;
  request.group_instance_id = options_.instance_id;
  return request;
}

void Membership::heard(ErrorCode code, runtime::MonoTime now) {
  heartbeat_at_ = now + std::chrono::milliseconds(options_.heartbeat_interval_ms);
  if (code == ErrorCode::NONE || take_common(code)) return;
  if (code == ErrorCode::REBALANCE_IN_PROGRESS) return begin_rebalance("the group rebalances");
  fail_with(Error(code, fmt::format("group {} does not hear this member", options_.id)));
}

protocol::LeaveGroupRequest Membership::leave_request(int16_t version, const std::string& reason) const {
  protocol::LeaveGroupRequest request;
  request.group_id = options_.id;
  if (version < kFirstLeaveOfSeveral) {
    request.member_id = member_;
    return request;
  }
  auto& self = request.members.emplace_back();
  self.member_id = member_;
  self.group_instance_id = options_.instance_id;
  self.reason = reason;
  return request;
}

void Membership::left() { lose(true); }

void Membership::commit_refused(ErrorCode code, int32_t generation) {
  // Where the next generation is on its way its answers will tell.
  if (generation != generation_ || !is_settled()) return;
  if (code == ErrorCode::REBALANCE_IN_PROGRESS) return begin_rebalance("the group rebalances");
  (void)take_common(code);
}

}  // namespace tidemark::client
