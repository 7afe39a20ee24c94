#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "broker/coordinator/membership.h"
#include "broker/coordinator/rebalance.h"

namespace tidemark::coordinator {

namespace {

// As Kafka's clients have it for instance names; a member's id is made of one.
constexpr size_t kMaxInstanceNameBytes = 249;

void refuse(Turn& turn, RequestToken token, ErrorCode error, std::string member = {}) {
  JoinReply reply;
  reply.error = error;
  reply.member = std::move(member);
  turn.reply(token, std::move(reply));
}

// In the text form that Kafka's coordinators give ids.
std::string new_member_id(Turn& turn, const JoinRequest& request) {
  const Uuid uuid = turn.random.uuid();
  std::string id(beginning(request.instance ? *request.instance : request.client_id, kMaxClientIdInMemberId));
  for (size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (i == 0 || i == 4 || i == 6 || i == 8 || i == 10) id += '-';
    id += fmt::format("{:02x}", std::to_integer<int>(uuid.bytes[i]));
  }
  return id;
}

// A name that comes twice counts once, with what it came with first.
std::vector<Protocol> distinct(const std::vector<Protocol>& protocols) {
  std::vector<Protocol> out;
  std::set<std::string_view> seen;
  for (const Protocol& protocol : protocols)
    if (seen.insert(protocol.name).second) out.push_back(protocol);
  return out;
}

size_t metadata_bytes(const std::vector<Protocol>& protocols) {
  size_t bytes = 0;
  for (const Protocol& protocol : protocols) bytes += protocol.name.size() + protocol.metadata.size();
  return bytes;
}

std::string reason_of(const JoinRequest& request) { return request.reason.value_or("not given"); }

// What a request must be to be looked at, whatever the group.
ErrorCode check_request(const GroupSettings& settings, const JoinRequest& request) {
  if (request.group.empty()) return ErrorCode::INVALID_GROUP_ID;
  if (request.session_timeout_ms < settings.group_min_session_timeout_ms ||
      request.session_timeout_ms > settings.group_max_session_timeout_ms) {
    return ErrorCode::INVALID_SESSION_TIMEOUT;
  }
  const bool oversized = request.protocols.size() > kMaxProtocolsOfMember ||
                         (request.instance && request.instance->size() > kMaxInstanceNameBytes);
  return oversized ? ErrorCode::INVALID_REQUEST : ErrorCode::NONE;
}

class Join {
 public:
  Join(Turn& turn, Group& group, RequestToken token, const JoinRequest& request)
      : turn_(turn), group_(group), token_(token), request_(request) {}

  void run() {
    if (!accepts()) {
      refuse(turn_, token_, ErrorCode::GROUP_MAX_SIZE_REACHED);
      return drop_refused();
    }
    if (!group_.supports(request_.protocol_type, request_.protocols))
      return refuse(turn_, token_, ErrorCode::INCONSISTENT_GROUP_PROTOCOL, request_.member);
    if (!request_.member.empty()) return run_known();
    if (request_.instance) return run_new_static();
    run_new_dynamic();
  }

 private:
  [[nodiscard]] bool accepts() const {
    const auto max_size = static_cast<size_t>(turn_.settings.group_max_size);
    // A static member that comes back takes its own place.
    const std::string* returning =
        request_.member.empty() && request_.instance ? group_.static_member(*request_.instance) : nullptr;
    const Member* known = group_.member(returning != nullptr ? *returning : request_.member);
    // What it brings takes the place of what it has brought before.
    const size_t replaced = known != nullptr ? metadata_bytes(known->protocols) : 0;
    if (group_.metadata_bytes() - replaced + metadata_bytes(request_.protocols) > kMaxGroupMetadataBytes)
      return false;
    switch (group_.state) {
      case GroupState::empty: return true;
      case GroupState::preparing_rebalance:
        return (known != nullptr && known->join) || group_.awaiting_join() < max_size;
      case GroupState::completing_rebalance:
      case GroupState::stable: return known != nullptr || group_.members().size() < max_size;
    }
    return false;
  }

  // Whom the group has no room for is no member any more: that is how a group over capacity shrinks.
  void drop_refused() {
    if (group_.pending.erase(request_.member) > 0) return maybe_complete_join(turn_, group_);
    if (group_.member(request_.member) == nullptr) return;
    group_.history.left(request_.member);
    remove_member(turn_, group_, request_.member, ErrorCode::GROUP_MAX_SIZE_REACHED);
    after_removal(turn_, group_, RebalanceCause::leave,
                  fmt::format("no room for member {}", request_.member));
  }

  void run_new_dynamic() {
    std::string id = new_member_id(turn_, request_);
    if (!request_.member_id_required) return add(std::move(id));
    if (group_.pending.size() >= kMaxPendingMembers)
      return refuse(turn_, token_, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    const runtime::MonoTime deadline = turn_.after_ms(request_.session_timeout_ms);
    group_.pending.emplace(id, deadline);
    group_.wake_by(deadline);
    refuse(turn_, token_, ErrorCode::MEMBER_ID_REQUIRED, std::move(id));
  }

  void run_new_static() {
    if (group_.static_member(*request_.instance) == nullptr) return add(new_member_id(turn_, request_));
    replace_static();
  }

  void run_known() {
    if (group_.is_pending(request_.member) && !request_.instance) return add(request_.member);
    const ErrorCode error = group_.validate(request_.member, request_.instance);
    if (error != ErrorCode::NONE) return refuse(turn_, token_, error, request_.member);
    Member& member = *group_.member(request_.member);
    const bool unchanged = member.protocols == distinct(request_.protocols);
    switch (group_.state) {
      case GroupState::preparing_rebalance: return update(member, "is joining");
      case GroupState::completing_rebalance:
        // Its last answer may have been lost.
        if (unchanged) return turn_.reply(token_, joined(group_, member));
        return update(member, "changed what it offers");
      case GroupState::stable:
        // A leader rejoins because it has seen something that the others must hear of.
        if (group_.is_leader(member.id)) return update(member, "leads, and rejoined");
        if (unchanged) return turn_.reply(token_, joined(group_, member));
        return update(member, "changed what it offers");
      case GroupState::empty: return refuse(turn_, token_, ErrorCode::UNKNOWN_MEMBER_ID, request_.member);
    }
  }

  void add(std::string id) {
    Member member;
    member.id = id;
    member.instance = request_.instance;
    describe(member);
    member.protocols = distinct(request_.protocols);
    member.is_new = true;
    if (group_.is_initial_rebalance && group_.state == GroupState::preparing_rebalance)
      group_.new_member_added = true;
    group_.history.joined(id);
    Member& added = group_.add(std::move(member), request_.protocol_type);
    group_.park_join(added, token_);
    extend_session(turn_, group_, added);
    prepare_rebalance_or_complete_join(
        turn_, group_, RebalanceCause::join,
        fmt::format("new member {}; client's reason: {}", id, reason_of(request_)));
  }

  void update(Member& member, std::string_view what) {
    describe(member);
    group_.set_protocols(member, distinct(request_.protocols));
    answer_parked_join(member, ErrorCode::REBALANCE_IN_PROGRESS);  // by a newer one of the same member
    group_.park_join(member, token_);
    prepare_rebalance_or_complete_join(
        turn_, group_, RebalanceCause::rejoin,
        fmt::format("member {} {}; client's reason: {}", member.id, what, reason_of(request_)));
  }

  // KIP-345: who comes without an id but with a known instance name is the same member, restarted.
  void replace_static() {
    const std::string old_leader = group_.leader.value_or("");
    fence(*group_.member(*group_.static_member(*request_.instance)));
    Member& member = group_.replace_static(*request_.instance, new_member_id(turn_, request_));
    const Bytes* old_subscription = group_.protocol ? member.metadata(*group_.protocol) : nullptr;
    const Bytes before = old_subscription != nullptr ? *old_subscription : Bytes();
    describe(member);
    member.is_new = false;
    group_.set_protocols(member, distinct(request_.protocols));
    extend_session(turn_, group_, member);
    if (group_.state == GroupState::stable && keeps_assignment(member, before)) {
      Record record = group_record(group_.id(), group_.metadata());
      if (record.size() <= turn_.settings.max_record_bytes) {
        turn_.record(std::move(record));
        return turn_.reply(token_, returned(member, old_leader));
      }
    }
    group_.park_join(member, token_);
    prepare_rebalance_or_complete_join(turn_, group_, RebalanceCause::rejoin,
                                       fmt::format("static member {} came back as {}; client's reason: {}",
                                                   *request_.instance, member.id, reason_of(request_)));
  }

  void fence(Member& member) {
    answer_parked_join(member, ErrorCode::FENCED_INSTANCE_ID);
    if (!member.sync) return;
    SyncReply reply;
    reply.error = ErrorCode::FENCED_INSTANCE_ID;
    turn_.reply(*std::exchange(member.sync, std::nullopt), std::move(reply));
  }

  // Kafka only looks at which protocol would win: a member that was restarted with other topics keeps its old
  // partitions there. Bytes cannot be compared: subscriptions say what the member owned when it wrote them.
  [[nodiscard]] bool keeps_assignment(const Member& member, const Bytes& before) const {
    if (group_.select_protocol() != *group_.protocol) return false;
    if (!group_.is_consumer_group()) return true;
    const auto now = subscribed_topics(*member.metadata(*group_.protocol));
    return now == subscribed_topics(before);
  }

  // Before KIP-814 (v9) a leader that returns cannot be told not to assign: it is not told that it leads.
  [[nodiscard]] JoinReply returned(const Member& member, const std::string& old_leader) const {
    JoinReply reply = joined(group_, member);
    if (request_.can_skip_assignment) {
      reply.skip_assignment = group_.is_leader(member.id);
    } else {
      reply.leader = old_leader;
      reply.members.clear();
    }
    return reply;
  }

  void describe(Member& member) const {
    member.client_id = request_.client_id;
    member.client_host = request_.client_host;
    member.session_timeout_ms = request_.session_timeout_ms;
    member.rebalance_timeout_ms =
        request_.rebalance_timeout_ms < 0 ? request_.session_timeout_ms : request_.rebalance_timeout_ms;
  }

  void answer_parked_join(Member& member, ErrorCode error) {
    if (const auto token = group_.unpark_join(member)) refuse(turn_, *token, error, member.id);
  }

  Turn& turn_;
  Group& group_;
  RequestToken token_;
  const JoinRequest& request_;
};

// nullptr: refused, and answered.
Group* create_group(Turn& turn, Groups& groups, RequestToken token, const JoinRequest& request) {
  const auto refuse_with = [&](ErrorCode error) {
    refuse(turn, token, error, request.member);
    return nullptr;
  };
  if (!request.member.empty()) return refuse_with(ErrorCode::UNKNOWN_MEMBER_ID);
  if (request.protocol_type.empty() || request.protocols.empty())
    return refuse_with(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
  const bool is_simple = turn.image.group(request.group) != nullptr;
  if (!is_simple && turn.image.groups().size() >= kMaxGroups)
    return refuse_with(ErrorCode::COORDINATOR_NOT_AVAILABLE);
  GroupMetadata metadata;
  metadata.state_timestamp_ms = turn.wall_ms();
  turn.record(group_record(request.group, metadata));
  return &groups.emplace(request.group, Group(request.group, metadata)).first->second;
}

}  // namespace

void join(Turn& turn, Groups& groups, RequestToken token, const JoinRequest& request) {
  const ErrorCode error = check_request(turn.settings, request);
  if (error != ErrorCode::NONE) return refuse(turn, token, error, request.member);
  Group* group = find_group(groups, request.group);
  if (group == nullptr) group = create_group(turn, groups, token, request);
  if (group != nullptr) Join(turn, *group, token, request).run();
}

}  // namespace tidemark::coordinator
