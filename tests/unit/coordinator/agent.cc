#include "agent.h"

#include <algorithm>

#include "members.h"

namespace tidemark::coordinator::testing {

namespace {

std::optional<GroupMetadata> recorded(const World& world) {
  const GroupImage* group = world.image().group("g");
  return group != nullptr ? group->metadata : std::nullopt;
}

const MemberMetadata* find(const GroupMetadata& group, const std::string& member) {
  const auto found = std::find_if(group.members.begin(), group.members.end(),
                                  [&](const MemberMetadata& m) { return m.id == member; });
  return found != group.members.end() ? &*found : nullptr;
}

std::vector<Bytes> assignments(const GroupMetadata& group) {
  std::vector<Bytes> all;
  for (const MemberMetadata& member : group.members) all.push_back(member.assignment);
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

void Witness::assigned(const Identity& who, const std::string& client, const Bytes& assignment) {
  if (assignment.empty()) return;
  const auto [owner, is_first] = owners_.emplace(who.generation, client);
  MUST(owner->second == client);
}

void Witness::committed(const World& world, const Identity& who, ErrorCode error) const {
  const auto running = world.coordinator().groups().find("g");
  const std::string* owner = nullptr;
  if (running != world.coordinator().groups().end() && who.instance)
    owner = running->second.static_member(*who.instance);
  if (owner != nullptr && *owner != who.member) MUST(error == ErrorCode::FENCED_INSTANCE_ID);
  if (error != ErrorCode::NONE) return;
  const auto group = recorded(world);
  MUST(group && who.generation >= group->generation);
  if (who.generation == group->generation) MUST(find(*group, who.member) != nullptr);
  MUST(running->second.state != GroupState::completing_rebalance);
}

void Witness::check_log(const World& world) {
  for (; checked_ < world.log().size(); ++checked_) {
    const Record& record = world.log()[checked_];
    const auto change = decode_record(record.key, record.value);
    const auto* group = std::get_if<GroupChange>(&**change);
    if (group == nullptr) continue;
    MUST(group->metadata);
    const GroupMetadata& now = *group->metadata;
    if (last_ && now.generation == last_->generation) {
      // Only a static member that came back may change a generation: its id, and nothing of what anybody has.
      MUST(!now.members.empty() && assignments(now) == assignments(*last_));
    } else if (last_) {
      MUST(now.generation > last_->generation);
    }
    last_ = now;
  }
}

void Agent::step(World& world, Witness& witness) {
  if (token_) read_reply(world, witness);
  switch (phase_) {
    case Phase::out:
    case Phase::joining: return send_join(world);
    case Phase::joined:
    case Phase::syncing: return send_sync(world);
    case Phase::member: return work(world, witness);
  }
}

void Agent::read_reply(const World& world, Witness& witness) {
  const ReplyBody* reply = world.reply(*token_);
  if (reply == nullptr) return;
  token_.reset();
  if (const auto* join = std::get_if<JoinReply>(reply)) read(*join);
  if (const auto* sync = std::get_if<SyncReply>(reply)) read(*sync, witness);
}

void Agent::read(const JoinReply& reply) {
  if (reply.error == ErrorCode::MEMBER_ID_REQUIRED) {
    MUST(!instance_ && id_.empty());
    become(reply.member, -1);
  }
  if (reply.error != ErrorCode::NONE) return fall_out(reply.error);
  MUST(id_.empty() || id_ == reply.member);
  MUST(reply.generation > 0);
  become(reply.member, reply.generation);
  skip_assignment_ = reply.skip_assignment;
  members_.clear();
  for (const JoinedMember& member : reply.members) members_.push_back(member.member);
  MUST(members_.empty() || reply.leader == id_);
  phase_ = Phase::joined;
}

void Agent::read(const SyncReply& reply, Witness& witness) {
  if (reply.error != ErrorCode::NONE) return fall_out(reply.error);
  witness.assigned({id_, instance_, generation_}, client_, reply.assignment);
  phase_ = Phase::member;
}

void Agent::fall_out(ErrorCode error) {
  if (error == ErrorCode::UNKNOWN_MEMBER_ID || error == ErrorCode::FENCED_INSTANCE_ID) {
    become("", -1);
  }
  phase_ = Phase::out;
}

void Agent::send_join(World& world) {
  JoinRequest request = instance_ ? static_join(*instance_, id_) : join_request(client_, id_);
  token_ = world.send(request);
  phase_ = Phase::joining;
}

void Agent::send_sync(World& world) {
  SyncRequest request = sync_request(id_, generation_);
  request.instance = instance_;
  // Everything goes to one member.
  if (!members_.empty() && !skip_assignment_) request.assignments = {{members_.back(), bytes("all")}};
  token_ = world.send(request);
  phase_ = Phase::syncing;
}

void Agent::work(World& world, Witness& witness) {
  commit_as(world, witness, {id_, instance_, generation_});
  HeartbeatRequest request = heartbeat_request(id_, generation_);
  request.instance = instance_;
  const ErrorCode error = world.ask<HeartbeatReply>(request).error;
  if (error != ErrorCode::NONE) fall_out(error);
}

void Agent::leave(World& world) {
  if (id_.empty()) return;
  LeaveRequest request;
  request.group = "g";
  request.members = {{id_, instance_, std::nullopt}};
  world.send(request);
  restart();
}

void Agent::restart() {
  become("", -1);
  token_.reset();
  phase_ = Phase::out;
}

void Agent::become(std::string id, int32_t generation) {
  if (generation_ >= 0 && (id != id_ || generation != generation_))
    past_.push_back({id_, instance_, generation_});
  id_ = std::move(id);
  generation_ = generation;
}

void Agent::commit_as(World& world, const Witness& witness, const Identity& who) {
  OffsetCommitRequest request = commit_request(who.member, who.generation);
  request.instance = who.instance;
  witness.committed(world, who, commit_error(world, request));
}

}  // namespace tidemark::coordinator::testing
