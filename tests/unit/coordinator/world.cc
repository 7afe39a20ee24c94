#include "world.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "protocol/message_codec.h"
#include "protocol/messages/consumer_protocol_subscription.h"

namespace tidemark::coordinator::testing {

Bytes bytes(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

std::string text(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

Bytes subscription(const std::vector<std::string>& topics) {
  protocol::ConsumerProtocolSubscription message;
  for (const std::string& topic : topics) message.topics.emplace_back(topic);
  const auto encoded = protocol::encode_message(message, 1);
  REQUIRE(encoded);
  Bytes out = {std::byte{0}, std::byte{1}};
  out.insert(out.end(), encoded->bytes.begin(), encoded->bytes.end());
  return out;
}

Image replayed(const RecordList& log) {
  runtime::SeededRandom random(1);
  GroupCoordinator follower({}, random);
  for (const Record& record : log) MUST(follower.apply(record.key, record.value).has_value());
  return follower.image();
}

RecordList compacted(const RecordList& log) {
  RecordList kept;
  std::set<Bytes> seen;
  for (auto record = log.rbegin(); record != log.rend(); ++record)
    if (seen.insert(record->key).second && record->value) kept.insert(kept.begin(), *record);
  return kept;
}

World::World(GroupSettings settings, uint64_t seed)
    : settings_(settings),
      random_(std::make_shared<runtime::SeededRandom>(seed)),
      coordinator_(settings, *random_) {
  now_.mono += std::chrono::hours(1);
  now_.wall += std::chrono::milliseconds(1'700'000'000'000);
  coordinator_.begin_loading();
  commit(coordinator_.promote(now_));
}

RequestToken World::send(const Request& request) {
  const RequestToken token(next_token_++);
  parked_.emplace(token, request);
  commit(coordinator_.handle(token, request, now_));
  return token;
}

const ReplyBody* World::reply(RequestToken token) const {
  const auto found = replies_.find(token);
  return found != replies_.end() ? &found->second : nullptr;
}

void World::pass_ms(int64_t ms) {
  const runtime::MonoTime until = now_.mono + std::chrono::milliseconds(ms);
  for (int ticks = 0;; ++ticks) {
    if (ticks > 10'000) FAIL("ticks without end");
    const runtime::MonoTime next = std::max(now_.mono, std::min(until, coordinator_.next_deadline()));
    now_.wall += std::chrono::duration_cast<std::chrono::milliseconds>(next - now_.mono);
    now_.mono = next;
    if (coordinator_.next_deadline() > now_.mono) return;
    commit(coordinator_.tick(now_, extents_of_unused()));
  }
}

bool World::pass_to_next_deadline() {
  runtime::MonoTime next = runtime::kNever;
  for (const auto& [id, group] : coordinator_.groups()) next = std::min(next, group.next_deadline());
  if (next == runtime::kNever) return false;
  MUST(coordinator_.next_deadline() <= next);
  const auto left = std::max(next - now_.mono, runtime::Duration(0));
  pass_ms(std::chrono::ceil<std::chrono::milliseconds>(left).count());
  return true;
}

void World::set_extent(const std::string& topic, PartitionId partition, std::optional<Extent> extent) {
  extents_[{topic, partition}] = extent;
}

Extents World::extents_of_unused() const {
  Extents extents;
  for (const auto& [topic, partitions] : coordinator_.unused_partitions(now_)) {
    for (const PartitionId partition : partitions) {
      const auto set = extents_.find({topic, partition});
      const auto extent = set != extents_.end() ? set->second : Extent{};
      if (extent) extents[topic].partitions[partition] = *extent;
    }
  }
  return extents;
}

void World::delete_topic(std::string_view topic, const Uuid& id) {
  commit(coordinator_.topic_deleted(topic, id, now_));
}

void World::demote() { commit(coordinator_.demote()); }

void World::restart_from_log() {
  std::destroy_at(&coordinator_);
  std::construct_at(&coordinator_, settings_, *random_);
  for (const Record& record : log_) MUST(coordinator_.apply(record.key, record.value).has_value());
}

void World::fail_over() {
  demote();
  restart_from_log();
  coordinator_.begin_loading();
  commit(coordinator_.promote(now_));
}

void World::commit(Decision decision) {
  const Fate fate = std::exchange(fate_, Fate::committed);
  if (fate == Fate::lost_with_the_leader) {
    // Nobody sees what hung on these records. What else was parked dies with the leader, which is cut off.
    for (Reply& reply : decision.replies) set_error(reply.body, ErrorCode::NOT_COORDINATOR);
    deliver(std::move(decision.replies));
    return fail_over();
  }
  if (fate == Fate::refused && !decision.records.empty())
    decision = coordinator_.refused(std::move(decision), ErrorCode::COORDINATOR_NOT_AVAILABLE, now_);
  for (const Record& record : decision.records) {
    MUST(coordinator_.apply(record.key, record.value).has_value());
    log_.push_back(record);
  }
  std::ranges::move(decision.events, std::back_inserter(events_));
  deliver(std::move(decision.replies));
  check();
}

void World::deliver(std::vector<Reply> replies) {
  for (Reply& reply : replies) {
    const auto parked = parked_.find(reply.token);
    MUST(parked != parked_.end());  // answered once, and only what was asked
    if (const auto* sync = std::get_if<SyncReply>(&reply.body);
        sync != nullptr && sync->error == ErrorCode::NONE)
      check_assigned(std::get<SyncRequest>(parked->second), *sync);
    parked_.erase(parked);
    replies_.emplace(reply.token, std::move(reply.body));
    answered_.push_back(reply.token);
  }
}

void World::check_assigned(const SyncRequest& request, const SyncReply& reply) const {
  const GroupImage* group = image().group(request.group);
  MUST(group != nullptr && group->metadata && group->metadata->generation == request.generation);
  const auto& members = group->metadata->members;
  const auto member = std::find_if(members.begin(), members.end(),
                                   [&](const MemberMetadata& m) { return m.id == request.member; });
  MUST(member != members.end() && member->assignment == reply.assignment);
}

void World::check() const {
  MUST(replayed(log_) == image());
  MUST(replayed(compacted(log_)) == image());
  for (const auto& [id, group] : coordinator_.groups()) {
    group.check();
    const GroupImage* stored = image().group(id);
    MUST(stored != nullptr && stored->metadata);
    if (group.state == GroupState::stable || group.state == GroupState::empty)
      MUST(group.metadata() == *stored->metadata);
    MUST(coordinator_.next_deadline() <= group.next_deadline());
  }
  size_t waiting = 0;
  for (const auto& [id, group] : coordinator_.groups())
    for (const auto& [member_id, member] : group.members())
      waiting += (member.join ? 1 : 0) + (member.sync ? 1 : 0);
  MUST(waiting == parked_.size());  // nobody waits for a reply that nobody will give
}

}  // namespace tidemark::coordinator::testing
