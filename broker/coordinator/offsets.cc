#include "broker/coordinator/offsets.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "broker/coordinator/rebalance.h"

namespace tidemark::coordinator {

namespace {

// What a client may ask for: as good as for ever, and far from where sums overflow.
constexpr int64_t kMaxRetentionMs = int64_t{1} << 50;

ErrorCode check_commit(const Turn& turn, const Group* group, const OffsetCommitRequest& request) {
  if (group == nullptr && turn.image.group(request.group) == nullptr) {
    if (request.generation >= 0)
      return request.knows_group_not_found ? ErrorCode::GROUP_ID_NOT_FOUND : ErrorCode::ILLEGAL_GENERATION;
    return turn.image.groups().size() < kMaxGroups ? ErrorCode::NONE : ErrorCode::COORDINATOR_NOT_AVAILABLE;
  }
  const bool is_empty = group == nullptr || group->state == GroupState::empty;
  // A consumer that assigns itself, or a tool that resets offsets: only while nobody else consumes.
  if (request.generation < 0 && is_empty) return ErrorCode::NONE;
  if (request.generation < 0 && request.member.empty() && !request.instance)
    return ErrorCode::UNKNOWN_MEMBER_ID;
  if (group == nullptr) return ErrorCode::UNKNOWN_MEMBER_ID;
  const ErrorCode error = group->validate(request.member, request.instance);
  if (error != ErrorCode::NONE) return error;
  // Who is still in its first JoinGroup has been in no generation (Kafka takes its word for it).
  if (request.generation != group->generation || group->member(request.member)->is_new)
    return ErrorCode::ILLEGAL_GENERATION;
  // Its partitions may be somebody else's by now: it has to hear of its new assignment first.
  if (group->state == GroupState::completing_rebalance) return ErrorCode::REBALANCE_IN_PROGRESS;
  return ErrorCode::NONE;
}

bool is_oversized(const OffsetCommitRequest& request) {
  size_t records = 0;
  for (const auto& topic : request.topics) records += topic.partitions.size();
  return records > kMaxRecordsPerDecision;
}

// Another topic of the same name: the offset is of one that is no more.
bool is_of_other_topic(const CommittedOffset& committed, const Uuid& asked) {
  return !committed.topic_id.is_zero() && !asked.is_zero() && committed.topic_id != asked;
}

OffsetFetchReply::Partition fetched(PartitionId partition, const CommittedOffset* committed) {
  OffsetFetchReply::Partition out;
  out.partition = partition;
  if (committed == nullptr) return out;
  out.offset = committed->offset;
  out.leader_epoch = committed->leader_epoch;
  out.metadata = committed->metadata;
  return out;
}

void fetch_all(const GroupImage& group, OffsetFetchReply::Group& out) {
  for (const auto& [name, partitions] : group.offsets) {
    auto& topic = out.topics.emplace_back(OffsetFetchReply::Topic{name, {}, {}});
    for (const auto& [partition, committed] : partitions) {
      if (topic.id.is_zero()) topic.id = committed.topic_id;
      topic.partitions.push_back(fetched(partition, &committed));
    }
  }
}

void fetch_some(const GroupImage* group, const std::vector<OffsetFetchRequest::Topic>& topics,
                OffsetFetchReply::Group& out) {
  for (const auto& asked : topics) {
    auto& topic = out.topics.emplace_back(OffsetFetchReply::Topic{asked.name, asked.id, {}});
    for (const PartitionId partition : asked.partitions) {
      const CommittedOffset* committed = group != nullptr ? group->offset(asked.name, partition) : nullptr;
      if (committed != nullptr && is_of_other_topic(*committed, asked.id)) committed = nullptr;
      topic.partitions.push_back(fetched(partition, committed));
    }
  }
}

// Since when an offset counts as unused (KIP-211); nullopt: it does not.
std::optional<int64_t> unused_since_ms(const Group* group, const CommittedOffset& committed) {
  if (group == nullptr || !group->protocol_type) return committed.commit_timestamp_ms;
  if (group->state == GroupState::empty) {
    return group->state_timestamp_ms >= 0 ? group->state_timestamp_ms : committed.commit_timestamp_ms;
  }
  if (group->state == GroupState::stable && group->is_consumer_group() && group->subscribed)
    return committed.commit_timestamp_ms;
  return std::nullopt;
}

bool is_expired(const Turn& turn, const Group* group, const CommittedOffset& committed) {
  const auto since_ms = unused_since_ms(group, committed);
  if (!since_ms) return false;
  if (committed.expire_timestamp_ms) return turn.wall_ms() >= *committed.expire_timestamp_ms;
  return *since_ms <= turn.wall_ms() - turn.settings.offsets_retention_ms;
}

// Whether who comes back would go on from there. Kafka lets the offset go all the same (KIP-211), and then
// the group begins anew: it skips what is left, or handles all of it again. A retention that the client asked
// for is kept as asked.
bool is_of_use(const Turn& turn, const CommittedOffset& committed, const Extents& extents,
               std::string_view topic, PartitionId partition) {
  if (committed.expire_timestamp_ms || turn.image.groups().size() > kMostGroupsKeptForData) return false;
  const auto known = extents.find(topic);
  if (known == extents.end()) return true;
  if (is_of_other_topic(committed, known->second.id)) return false;
  const auto extent = known->second.partitions.find(partition);
  if (extent == known->second.partitions.end()) return true;
  const auto& [start, end] = extent->second;
  return start < end && start <= committed.offset && committed.offset <= end;
}

// `visit(topic, partition, committed)`: all that is past its retention.
template <class Visit>
void each_unused(const Turn& turn, const Group* group, const GroupImage& image, Visit visit) {
  for (const auto& [topic, partitions] : image.offsets) {
    if (group != nullptr && group->is_subscribed_to(topic)) continue;
    for (const auto& [partition, committed] : partitions)
      if (is_expired(turn, group, committed)) visit(topic, partition, committed);
  }
}

// How many were past their retention.
size_t expire_group(Turn& turn, const Group* group, const std::string& id, const GroupImage& image,
                    const Extents& extents) {
  OffsetsEnded ended{id, OffsetsEnd::expired};
  size_t all = 0;
  size_t unused = 0;
  for (const auto& [topic, partitions] : image.offsets) all += partitions.size();
  each_unused(turn, group, image,
              [&](const std::string& topic, PartitionId partition, const auto& committed) {
                ++unused;
                if (is_of_use(turn, committed, extents, topic, partition)) return;
                turn.record(offset_tombstone(id, topic, partition));
                ++ended.offsets;
              });
  // Somebody who has just been given an id is on its way back.
  const bool is_unused = group == nullptr || (group->state == GroupState::empty && group->pending.empty());
  ended.with_group = ended.offsets == all && is_unused;
  if (ended.with_group) turn.record(group_tombstone(id));
  if (ended.with_group || ended.offsets > 0) turn.event(std::move(ended));
  return unused;
}

// `look(group, id, image)`, which says how many offsets were past their retention, at one piece of the
// groups; where the next one begins.
template <class Look>
std::string look_at_piece(const Image& image, const Groups& groups, std::string_view from, Look look) {
  const auto& images = image.groups();
  size_t looked_at = 0;
  size_t unused = 0;
  for (auto at = images.lower_bound(from); at != images.end(); ++at, ++looked_at) {
    if (unused >= kMaxRecordsPerDecision || looked_at >= kMaxGroupsPerTick) return at->first;
    const auto group = groups.find(at->first);
    unused += look(group != groups.end() ? &group->second : nullptr, at->first, at->second);
  }
  return {};
}

// Whether it is a reset, if no member commits it (OffsetsReset).
bool is_reset(const GroupImage* image, const Group* group, const OffsetCommitRequest& request) {
  if (request.generation >= 0) return false;
  if (group != nullptr && group->protocol_type) return true;
  if (image == nullptr) return false;
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      const CommittedOffset* before = image->offset(topic.name, partition.partition);
      if (before != nullptr && partition.offset < before->offset) return true;
    }
  }
  return false;
}

}  // namespace

void commit_offsets(Turn& turn, Groups& groups, RequestToken token, const OffsetCommitRequest& request) {
  Group* group = find_group(groups, request.group);
  ErrorCode error = check_commit(turn, group, request);
  if (error == ErrorCode::NONE && is_oversized(request)) error = ErrorCode::INVALID_REQUEST;
  if (error != ErrorCode::NONE) return turn.reply(token, refusal(request, error));
  // A commit is a sign of life as good as a heartbeat.
  Member* member = group != nullptr ? group->member(request.member) : nullptr;
  if (member != nullptr) extend_session(turn, *group, *member);

  const bool resets = is_reset(turn.image.group(request.group), group, request);
  OffsetCommitReply reply;
  for (const auto& topic : request.topics) {
    auto& out = reply.topics.emplace_back(OffsetCommitReply::Topic{topic.name, topic.id, {}});
    for (const auto& partition : topic.partitions) {
      CommittedOffset committed{partition.offset, partition.leader_epoch, partition.metadata.value_or(""),
                                turn.wall_ms(),   std::nullopt,           topic.id};
      if (committed.metadata.size() > static_cast<size_t>(turn.settings.offset_metadata_max_bytes)) {
        out.partitions.push_back({partition.partition, ErrorCode::OFFSET_METADATA_TOO_LARGE});
        continue;
      }
      if (request.retention_ms >= 0)
        committed.expire_timestamp_ms = turn.wall_ms() + std::min(request.retention_ms, kMaxRetentionMs);
      turn.record(offset_record(request.group, topic.name, partition.partition, committed));
      ++turn.decision.commits;
      out.partitions.push_back({partition.partition, ErrorCode::NONE});
    }
  }
  if (resets && turn.decision.commits > 0) turn.event(OffsetsReset{request.group, turn.decision.commits});
  turn.reply(token, std::move(reply));
}

void fetch_offsets(Turn& turn, RequestToken token, const OffsetFetchRequest& request) {
  OffsetFetchReply reply;
  for (const auto& asked : request.groups) {
    auto& out = reply.groups.emplace_back();
    out.group = asked.group;
    const GroupImage* group = turn.image.group(asked.group);
    if (asked.topics) {
      fetch_some(group, *asked.topics, out);
    } else if (group != nullptr) {
      fetch_all(*group, out);
    }
  }
  turn.reply(token, std::move(reply));
}

void delete_offsets(Turn& turn, Groups& groups, RequestToken token, const OffsetDeleteRequest& request) {
  const GroupImage* image = turn.image.group(request.group);
  const Group* group = find_group(groups, request.group);
  OffsetDeleteReply reply;
  if (request.group.empty()) {
    reply.error = ErrorCode::INVALID_GROUP_ID;
  } else if (image == nullptr && group == nullptr) {
    reply.error = ErrorCode::GROUP_ID_NOT_FOUND;
  } else if (group != nullptr && group->state != GroupState::empty && !group->is_consumer_group()) {
    reply.error = ErrorCode::NON_EMPTY_GROUP;
  }
  if (reply.error != ErrorCode::NONE) return turn.reply(token, std::move(reply));
  OffsetsEnded ended{request.group, OffsetsEnd::deleted};
  for (const auto& topic : request.topics) {
    auto& out = reply.topics.emplace_back(OffsetDeleteReply::Topic{topic.name, {}});
    const bool is_subscribed = group != nullptr && group->is_subscribed_to(topic.name);
    for (const PartitionId partition : topic.partitions) {
      out.partitions.push_back(
          {partition, is_subscribed ? ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC : ErrorCode::NONE});
      if (is_subscribed || image == nullptr || image->offset(topic.name, partition) == nullptr) continue;
      turn.record(offset_tombstone(request.group, topic.name, partition));
      ++ended.offsets;
    }
  }
  if (ended.offsets > 0) turn.event(std::move(ended));
  turn.reply(token, std::move(reply));
}

void bury_group(Turn& turn, std::string_view group) {
  const GroupImage* image = turn.image.group(group);
  if (image == nullptr) return;
  OffsetsEnded ended{std::string(group), OffsetsEnd::group_deleted, 0, true};
  for (const auto& [topic, partitions] : image->offsets) {
    ended.offsets += partitions.size();
    for (const auto& [partition, committed] : partitions)
      turn.record(offset_tombstone(group, topic, partition));
  }
  turn.record(group_tombstone(group));
  turn.event(std::move(ended));
}

Partitions unused_partitions(const Turn& turn, const Groups& groups, std::string_view from) {
  Partitions found;
  const auto look = [&](const Group* group, const std::string&, const GroupImage& image) {
    size_t unused = 0;
    each_unused(turn, group, image, [&](const std::string& topic, PartitionId partition, const auto&) {
      found[topic].insert(partition);
      ++unused;
    });
    return unused;
  };
  (void)look_at_piece(turn.image, groups, from, look);
  return found;
}

std::string expire_offsets(Turn& turn, const Groups& groups, const Extents& extents, std::string_view from) {
  const auto look = [&](const Group* group, const std::string& id, const GroupImage& image) {
    return expire_group(turn, group, id, image, extents);
  };
  return look_at_piece(turn.image, groups, from, look);
}

void forget_topic(Turn& turn, std::string_view topic, const Uuid& id) {
  for (const auto& [group, image] : turn.image.groups()) {
    const auto found = image.offsets.find(topic);
    if (found == image.offsets.end()) continue;
    if (turn.decision.records.size() >= kMaxRecordsPerDecision) return;
    OffsetsEnded ended{group, OffsetsEnd::topic_deleted};
    for (const auto& [partition, committed] : found->second) {
      if (is_of_other_topic(committed, id)) continue;
      turn.record(offset_tombstone(group, topic, partition));
      ++ended.offsets;
    }
    if (ended.offsets > 0) turn.event(std::move(ended));
  }
}

}  // namespace tidemark::coordinator
