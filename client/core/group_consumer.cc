#include "client/core/group_consumer.h"

#include "client/core/admin_wire.h"
#include "client/core/co_try.h"
#include "protocol/invariant.h"
#include "protocol/messages/heartbeat_response.h"
#include "protocol/messages/leave_group_response.h"
#include "protocol/messages/sync_group_response.h"

namespace tidemark::client {

using protocol::HeartbeatRequest;
using protocol::HeartbeatResponse;
using protocol::JoinGroupRequest;
using protocol::JoinGroupResponse;
using protocol::LeaveGroupRequest;
using protocol::LeaveGroupResponse;
using protocol::SyncGroupRequest;
using protocol::SyncGroupResponse;
using runtime::Task;

namespace {

// How much longer than the members' own patience a JoinGroup may take.
constexpr int32_t kJoinSlackMs = 5'000;

}  // namespace

GroupConsumer::GroupConsumer(Cluster& cluster, ConsumerOptions options, GroupOptions group,
                             Consumer::OnTruncation on_truncation)
    : cluster_(cluster),
      options_(options),
      member_lane_(cluster.new_lane()),
      requests_lane_(cluster.new_lane()),
      groups_(cluster, requests_lane_),
      membership_(std::move(group)),
      reader_(cluster, options, std::move(on_truncation)),
      committed_(cluster.scheduler()),
      wake_(cluster.scheduler()) {
  // Where a group has committed nothing, what it begins with is its position: who is next goes on there, and
  // not where the log ends by then.
  reader_.on_placed = [this](const TopicPartition& tp, FetchPosition at) { processed(tp, at); };
  scope_.spawn(live());
}

GroupConsumer::~GroupConsumer() {
  scope_.destroy_all();
  cluster_.end_lane(member_lane_);
  cluster_.end_lane(requests_lane_);
}

void GroupConsumer::subscribe(std::set<std::string, std::less<>> topics) {
  for (const std::string& topic : topics) cluster_.remember(topic, false);
  membership_.subscribe(std::move(topics));
  look_again();
}

void GroupConsumer::look_again() {
  wake_.notify_all();
  reader_.arrived().notify_all();
}

// --- the owner's side

Task<Result<GroupConsumer::Event>> GroupConsumer::poll_changes() {
  REQUIRES(!closing_);
  if (std::exchange(giving_up_, false)) {
    membership_.gave_up();
    std::erase_if(processed_, [this](const auto& each) { return !membership_.holds(each.first); });
  }
  membership_.owner_is_alive(now());
  watch_topics();
  wake_.notify_all();
  auto change = membership_.take_change();
  if (change) {
    Task<Result<Event>> taking = take_change(std::move(*change));
    Result<Event> taken = co_await taking;
    co_return taken;
  }
  if (membership_.failure()) co_return fail(Error(*membership_.failure()));
  place();
  if (place_error_) co_return fail(*std::exchange(place_error_, std::nullopt));
  commit_in_time();
  if (!placed_.empty()) co_return begin_to_read();
  co_return Event();
}

Task<Result<GroupConsumer::Event>> GroupConsumer::poll(runtime::MonoTime deadline) {
  for (;;) {
    Task<Result<Event>> looking = poll_changes();
    Result<Event> change = co_await looking;
    if (!change || change->kind != Event::Kind::nothing) co_return change;
    auto ready = reader_.take();
    if (ready) {
      if (!*ready) co_return fail(Error(ready->error()));
      Event event;
      event.kind = Event::Kind::records;
      event.records = std::move(**ready);
      co_return event;
    }
    const runtime::MonoTime at = now();
    if (at >= deadline) co_return Event();
    // An owner that waits here is alive.
    const auto sign = std::chrono::milliseconds(membership_.options().max_poll_interval_ms / 3);
    runtime::MonoTime until = std::min({deadline, reader_.next_event(), at + sign});
    if (!processed_.empty() && membership_.options().auto_commit && !auto_committing_)
      until = std::min(until, commit_at_);
    if (!unplaced_.empty() && !placing_) until = std::min(until, place_at_);
    if (lacks_topics_ && membership_.is_settled() && !asking_topics_) until = std::min(until, ask_topics_at_);
    auto waiting = reader_.arrived().wait_until(until);
    co_await waiting;
  }
}

Task<Result<GroupConsumer::Event>> GroupConsumer::take_change(Membership::Change change) {
  using Kind = Membership::Change::Kind;
  Event event;
  if (change.kind == Kind::assigned) {
    // Told once it is known where they are read from.
    unplaced_.insert(change.partitions.begin(), change.partitions.end());
    place_at_ = now();
    place();
    if (change.partitions.empty()) event.kind = Event::Kind::assigned;
    co_return event;
  }
  // Nothing of them is handed out any more, and then what was is committed.
  for (const TopicPartition& tp : change.partitions) {
    reader_.unassign(tp);
    unplaced_.erase(tp);
    placed_.erase(tp);
    if (change.kind == Kind::lost) processed_.erase(tp);
  }
  if (change.kind == Kind::revoked && membership_.options().auto_commit) {
    Task<Result<void>> committing = commit();
    (void)co_await committing;  // refused or not, they are given up
  }
  giving_up_ = true;
  event.kind = change.kind == Kind::lost ? Event::Kind::lost : Event::Kind::revoked;
  event.partitions = std::move(change.partitions);
  co_return event;
}

void GroupConsumer::place() {
  if (unplaced_.empty() || placing_ || now() < place_at_) return;
  placing_ = true;
  scope_.spawn(look_up_places());
}

Task<void> GroupConsumer::look_up_places() {
  const std::set<TopicPartition> wanted = unplaced_;
  auto asking =
      groups_.committed(membership_.options().id, std::vector<TopicPartition>(wanted.begin(), wanted.end()),
                        options_.isolation == Isolation::read_committed);
  const auto committed = co_await asking;
  placing_ = false;
  place_at_ = now() + std::chrono::milliseconds(options_.retry_backoff_ms);
  if (!committed && !is_unreachable(committed.error())) place_error_ = committed.error();
  for (const TopicPartition& tp : wanted) {
    if (!committed || !unplaced_.contains(tp)) continue;  // given up meanwhile
    const auto found = committed->find(tp);
    if (found != committed->end() && !found->second) {
      // A transaction that is still to commit, or what the owner has to hear of; it is asked for again.
      if (!is_retriable(found->second.error().code())) place_error_ = found->second.error();
      continue;
    }
    unplaced_.erase(tp);
    placed_[tp] = found == committed->end()
                      ? std::nullopt
                      : std::optional(FetchPosition{found->second->offset, found->second->leader_epoch});
  }
  look_again();
}

GroupConsumer::Event GroupConsumer::begin_to_read() {
  Event event;
  event.kind = Event::Kind::assigned;
  for (const auto& [tp, position] : std::exchange(placed_, {})) {
    event.partitions.push_back(tp);
    if (position) {
      reader_.assign(tp, position->offset, position->epoch);
      event.committed.emplace(tp, *position);
    } else if (options_.offset_reset != OffsetReset::none) {
      reader_.assign_at(tp, options_.offset_reset == OffsetReset::earliest ? kEarliest : kLatest);
    }
  }
  return event;
}

bool GroupConsumer::seek(const TopicPartition& partition, Offset offset, LeaderEpoch epoch) {
  if (!membership_.holds(partition)) return false;
  unplaced_.erase(partition);
  placed_.erase(partition);
  reader_.assign(partition, offset, epoch);
  processed(partition, {offset, epoch});
  return true;
}

bool GroupConsumer::seek_to_time(const TopicPartition& partition, int64_t time_ms) {
  if (!membership_.holds(partition)) return false;
  unplaced_.erase(partition);
  placed_.erase(partition);
  processed_.erase(partition);
  reader_.assign_at(partition, time_ms);
  return true;
}

void GroupConsumer::processed(const TopicPartition& partition, FetchPosition next) {
  if (!membership_.holds(partition)) return;
  if (processed_.empty())
    commit_at_ = now() + std::chrono::milliseconds(membership_.options().auto_commit_interval_ms);
  processed_[partition] = next;
}

void GroupConsumer::commit_in_time() {
  if (!membership_.options().auto_commit || processed_.empty() || auto_committing_ || now() < commit_at_)
    return;
  auto_committing_ = true;
  scope_.spawn(auto_commit());
}

Task<void> GroupConsumer::auto_commit() {
  Task<Result<void>> committing = commit();
  (void)co_await committing;  // what was refused is tried again in its time
  auto_committing_ = false;
  commit_at_ = now() + std::chrono::milliseconds(membership_.options().auto_commit_interval_ms);
  look_again();
}

Task<void> GroupConsumer::await_commit() {
  while (committing_) {
    auto waiting = committed_.wait();
    co_await waiting;
  }
}

Task<Result<void>> GroupConsumer::commit() {
  Task<void> waiting = await_commit();
  co_await waiting;
  GroupAdmin::Offsets offsets;
  for (const auto& [tp, next] : processed_) offsets[tp] = {next.offset, next.epoch, ""};
  const std::map<TopicPartition, FetchPosition> meant = processed_;
  Task<Result<void>> committing = commit_now(std::move(offsets));
  Result<void> committed = co_await committing;
  if (committed) {
    // What was processed meanwhile is still to be.
    for (const auto& [tp, next] : meant) {
      const auto found = processed_.find(tp);
      if (found != processed_.end() && found->second == next) processed_.erase(found);
    }
  }
  co_return committed;
}

Task<Result<void>> GroupConsumer::commit(GroupAdmin::Offsets offsets) {
  Task<void> waiting = await_commit();
  co_await waiting;
  Task<Result<void>> committing = commit_now(std::move(offsets));
  Result<void> committed = co_await committing;
  co_return committed;
}

// REQUIRES: no other is under way.
Task<Result<void>> GroupConsumer::commit_now(GroupAdmin::Offsets offsets) {
  if (offsets.empty()) co_return Result<void>();
  const std::string group = membership_.options().id;
  const int32_t generation = membership_.generation();
  if (generation < 0)
    co_return fail(ErrorCode::UNKNOWN_MEMBER_ID, fmt::format("group {}: not a member now", group));
  if (!membership_.has_share())
    co_return fail(ErrorCode::REBALANCE_IN_PROGRESS, fmt::format("group {} rebalances", group));
  committing_ = true;
  auto asking = groups_.commit(group, std::move(offsets),
                               {membership_.member_id(), generation, membership_.options().instance_id});
  const auto answers = co_await asking;
  committing_ = false;
  committed_.notify_all();
  if (!answers) co_return fail(Error(answers.error()));
  Result<void> result;
  for (const auto& [tp, answer] : *answers) {
    if (answer) continue;
    membership_.commit_refused(answer.error().code(), generation);
    if (result) result = fail(Error(answer.error()));
  }
  if (!result) look_again();
  co_return result;
}

// --- the group's side

Task<void> GroupConsumer::live() {
  for (int failures = 0; !closing_;) {
    const runtime::MonoTime at = now();
    const Membership::Ask ask = membership_.due(at);
    if (ask == Membership::Ask::nothing) {
      auto waiting = wake_.wait_until(membership_.next_event(at));
      co_await waiting;
      continue;
    }
    Task<Result<void>> asking = exchange(ask);
    const Result<void> asked = co_await asking;
    if (asked) {
      failures = 0;
    } else if (is_unreachable(asked.error())) {
      if (next_step(asked.error(), true) == NextStep::find_again)
        groups_.forget_coordinator(membership_.options().id);
      membership_.retry(now() + cluster_.back_off_time(failures++));
    } else {
      membership_.fail_with(asked.error());
    }
    reader_.arrived().notify_all();
  }
}

Task<Result<void>> GroupConsumer::exchange(Membership::Ask ask) {
  if (ask == Membership::Ask::leave) {
    Task<Result<void>> leaving = leave("the consumer has not polled for max.poll.interval.ms");
    Result<void> left = co_await leaving;
    co_return left;
  }
  Task<Result<GroupAdmin::Link>> opening = groups_.coordinator(membership_.options().id, member_lane_);
  Result<GroupAdmin::Link> link = co_await opening;
  if (!link) co_return fail(Error(link.error()));
  // The owner may have changed its mind while we looked.
  if (closing_ || membership_.due(now()) != ask) co_return Result<void>();
  Task<Result<void>> asking = ask == Membership::Ask::join   ? join(std::move(*link))
                              : ask == Membership::Ask::sync ? sync(std::move(*link))
                                                             : heartbeat(std::move(*link));
  Result<void> asked = co_await asking;
  co_return asked;
}

// The answer, unless it says that the coordinator cannot be had now.
template <class Response, class Request>
Task<Result<Reply<Response>>> GroupConsumer::ask(GroupAdmin::Link link, const Request& request,
                                                 int16_t version, int32_t extra_ms) {
  auto asking = link->call<Request, Response>(request, version, extra_ms);
  auto reply = co_await asking;
  if (!reply) co_return reply;
  const Error error{ErrorCode(reply->body.error_code), "group " + membership_.options().id};
  if (error.code() != ErrorCode::NONE && next_step(error, true) != NextStep::take)
    co_return fail(Error(error));
  co_return reply;
}

Task<Result<void>> GroupConsumer::join(GroupAdmin::Link link) {
  CO_TRY_ASSIGN(const int16_t version, link->version_of<JoinGroupRequest>());
  const JoinGroupRequest request = membership_.join_request();
  auto asking = ask<JoinGroupResponse>(std::move(link), request, version,
                                       membership_.options().max_poll_interval_ms + kJoinSlackMs);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  membership_.joined(reply->body);
  co_return Result<void>();
}

Task<Result<void>> GroupConsumer::sync(GroupAdmin::Link link) {
  CO_TRY_ASSIGN(const int16_t version, link->version_of<SyncGroupRequest>());
  if (membership_.leads() && !unknown_topics().empty()) {
    // To divide without a topic would take it from those who have it: first the cluster is asked.
    Task<Result<void>> refreshing = ask_for_topics();
    const Result<void> refreshed = co_await refreshing;
    if (!refreshed) co_return fail(Error(refreshed.error()));
    if (closing_ || membership_.due(now()) != Membership::Ask::sync) co_return Result<void>();
  }
  // Whatever changes in it is divided anew, so that this holds until the next one.
  divided_ = known_counts();
  lacks_topics_ = membership_.leads() && !unknown_topics().empty();
  const SyncGroupRequest request = membership_.sync_request(divided_);
  auto asking =
      ask<SyncGroupResponse>(std::move(link), request, version, membership_.options().max_poll_interval_ms);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  membership_.synced(ErrorCode(reply->body.error_code), reply->body.assignment, now());
  co_return Result<void>();
}

Task<Result<void>> GroupConsumer::heartbeat(GroupAdmin::Link link) {
  CO_TRY_ASSIGN(const int16_t version, link->version_of<HeartbeatRequest>());
  const HeartbeatRequest request = membership_.heartbeat_request();
  auto asking = ask<HeartbeatResponse>(std::move(link), request, version, 0);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  membership_.heard(ErrorCode(reply->body.error_code), now());
  co_return Result<void>();
}

Task<Result<void>> GroupConsumer::leave(std::string reason) {
  Task<Result<GroupAdmin::Link>> opening = groups_.coordinator(membership_.options().id, requests_lane_);
  const Result<GroupAdmin::Link> link = co_await opening;
  if (!link) co_return fail(Error(link.error()));
  CO_TRY_ASSIGN(const int16_t version, (*link)->version_of<LeaveGroupRequest>());
  const LeaveGroupRequest request = membership_.leave_request(version, reason);
  auto asking = ask<LeaveGroupResponse>(*link, request, version, 0);
  const auto reply = co_await asking;
  if (!reply) co_return fail(Error(reply.error()));
  membership_.left();  // whatever it says: the coordinator knows of no such member any more
  co_return Result<void>();
}

PartitionCounts GroupConsumer::known_counts() const {
  PartitionCounts counts;
  for (const std::string& name : membership_.topics()) {
    const TopicMetadata* topic = cluster_.metadata().find_topic(name);
    if (topic != nullptr && topic->error == ErrorCode::NONE && !topic->partitions.empty())
      counts.emplace(name, static_cast<int32_t>(topic->partitions.size()));
  }
  return counts;
}

std::set<std::string, std::less<>> GroupConsumer::unknown_topics() const {
  std::set<std::string, std::less<>> unknown = membership_.topics();
  for (const auto& [name, count] : known_counts()) unknown.erase(name);
  return unknown;
}

void GroupConsumer::watch_topics() {
  if (!membership_.leads() || !membership_.is_settled()) return;
  if (lacks_topics_ && !asking_topics_ && now() >= ask_topics_at_) {
    asking_topics_ = true;
    scope_.spawn(wait_for_topics());
  }
  const uint64_t version = cluster_.metadata().version();
  if (std::exchange(seen_metadata_, version) == version) return;
  for (const std::string& topic : membership_.topics()) cluster_.remember(topic, false);
  if (known_counts() != divided_) membership_.rejoin("topics have other partitions than were divided");
}

Task<Result<void>> GroupConsumer::ask_for_topics() {
  Cluster::Interest interest;
  interest.topics = unknown_topics();
  return cluster_.refresh(std::move(interest));
}

Task<void> GroupConsumer::wait_for_topics() {
  Task<Result<void>> asking = ask_for_topics();
  (void)co_await asking;  // it is asked again
  asking_topics_ = false;
  ask_topics_at_ = now() + std::chrono::milliseconds(cluster_.options().retry_backoff_max_ms);
  look_again();
}

Task<void> GroupConsumer::close(runtime::MonoTime deadline, runtime::MonoTime fetches) {
  if (!std::exchange(closing_, true)) {
    wake_.notify_all();
    scope_.spawn(say_goodbye());
  }
  while (!gone_ && now() < deadline) {
    auto waiting = wake_.wait_until(deadline);
    co_await waiting;
  }
  Task<void> ending = reader_.close(fetches);
  co_await ending;
}

Task<void> GroupConsumer::say_goodbye() {
  if (membership_.options().auto_commit) {
    Task<Result<void>> committing = commit();
    (void)co_await committing;  // what is not committed is read again
  }
  // A static member comes back within its session, and finds its partitions.
  if (!membership_.member_id().empty() && !membership_.options().instance_id) {
    Task<Result<void>> leaving = leave("the consumer is closed");
    (void)co_await leaving;  // or its session ends
  }
  gone_ = true;
  wake_.notify_all();
}

}  // namespace tidemark::client
